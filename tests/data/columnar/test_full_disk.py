"""A full disk refuses the write, keeps what was there, and lets us go on when there is room again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.process import require

REPOSITORY = Path(__file__).parents[3]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
@pytest.mark.parametrize("size", ["600k", "601k", "750k", "900k"])
def test_a_full_disk(tmp_path: Path, size: str) -> None:
    mount, result = tmp_path / "disk", tmp_path / "result.json"
    mount.mkdir()
    script = 'mount -t tmpfs -o size="$1" tmpfs "$2" && exec "$3" -m tests.data.columnar.full_disk "$2" "$4"'
    command = [
        require("unshare", "util-linux"),
        "-m",
        "sh",
        "-c",
        script,
        "sh",
        size,
        mount,
        sys.executable,
        result,
    ]

    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    if "mount:" in done.stderr and not result.exists():
        pytest.skip(f"this machine lets nobody mount: {done.stderr.strip()}")

    assert done.returncode == 0, done.stderr
    seen = json.loads(result.read_text())
    assert seen["acked"] > 0
    assert seen["after"] == seen["acked"]
    assert seen["final"] == seen["acked"] + seen["each"]
