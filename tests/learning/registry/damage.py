"""Ways to damage a model's folder, and to make its manifest say that nothing happened."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

MODEL = "predictor/model.txt"


def mutant(content: bytes, seed: int) -> bytes:
    """Return a content with a few bytes changed, cut out, put in twice, or swapped, or one that ends too early."""
    random = np.random.default_rng(seed)
    data = bytearray(content)
    for _ in range(int(random.integers(1, 4))):
        place, length = int(random.integers(len(data))), int(random.integers(1, 40))
        match int(random.integers(6)):
            case 0:
                data[place] = int(random.integers(256))
            case 1:
                del data[place : place + length]
            case 2:
                data[place:place] = data[place : place + length]
            case 3:
                del data[place:]
            case 4:
                data[place:place] = random.choice([b"9", b"-", b"e", b"nan", b" ", b"\n", b"\0"])
            case 5:
                other = int(random.integers(len(data)))
                data[place], data[other] = data[other], data[place]
        if not data:
            break
    return bytes(data)


def signed(folder: Path) -> None:
    """Make the manifest name what the folder holds now."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"] = {
        each.relative_to(folder).as_posix(): {
            "size": each.stat().st_size,
            "sha256": sha256(each.read_bytes()).hexdigest(),
        }
        for each in sorted(folder.rglob("*"))
        if each.is_file() and each != path
    }
    path.write_text(json.dumps(manifest))


def edit(folder: Path, file: str, /, **values: Any) -> None:
    """Change some keys of a JSON file of the folder."""
    path = folder / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
