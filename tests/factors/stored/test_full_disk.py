"""A disk that is really full refuses the update, keeps the values, and lets us go on when there is room again."""

from __future__ import annotations

from pathlib import Path

from tests.services.small_disk import needs_root, run_on_small_disk


@needs_root
def test_a_full_disk(tmp_path: Path) -> None:
    seen = run_on_small_disk("tests.factors.stored.full_disk", "300k", tmp_path)

    assert seen["days"] > 20
    assert seen["kept"] == seen["days"]
    assert seen["litter"] == 0
    assert seen["final"] == seen["days"] + 20
    assert seen["same"]
