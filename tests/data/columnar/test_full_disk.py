"""A full disk refuses the write, keeps what was there, and lets us go on when there is room again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.small_disk import needs_root, run_on_small_disk


@needs_root
@pytest.mark.parametrize("size", ["600k", "601k", "750k", "900k"])
def test_a_full_disk(tmp_path: Path, size: str) -> None:
    seen = run_on_small_disk("tests.data.columnar.full_disk", size, tmp_path)

    assert seen["acked"] > 0
    assert seen["after"] == seen["acked"]
    assert seen["final"] == seen["acked"] + seen["each"]
