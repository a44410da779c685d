"""A file system of a few kilobytes, in a name space of its own, to be filled by a module of the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.services.process import require

REPOSITORY = Path(__file__).parents[2]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")


def run_on_small_disk(module: str, size: str, tmp_path: Path) -> dict[str, Any]:
    """Run `python -m module MOUNT RESULT` on a small disk, and return the JSON that it wrote to RESULT."""
    mount, result = tmp_path / "disk", tmp_path / "result.json"
    mount.mkdir()
    script = 'mount -t tmpfs -o size="$1" tmpfs "$2" && exec "$3" -m "$4" "$2" "$5"'
    command = [require("unshare", "util-linux"), "-m", "sh", "-c", script]
    arguments = ["sh", size, mount, sys.executable, module, result]

    done = subprocess.run(
        [*command, *arguments], cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False
    )
    if "mount:" in done.stderr and not result.exists():
        pytest.skip(f"this machine lets nobody mount: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(result.read_text()))
