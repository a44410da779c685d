"""Compiled kernels are kept where no other version's are taken for them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from quantflux.expressions.kernels.cache import cache_folder

SHOW = "import quantflux.expressions.kernels, numba; print(numba.config.CACHE_DIR)"
SHOW_OTHERS = """
import numba, quantflux.backtest.kernels.loop as loop
print(numba.config.CACHE_DIR, loop.run_rows.stats.cache_path)
"""


def shown_folder(code: str = SHOW, **environment: str) -> str:
    inherited = {k: v for k, v in os.environ.items() if k not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=inherited | environment
    )
    return done.stdout.strip()


def test_a_change_of_any_kernel_is_another_folder(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one = 1\n")
    (tmp_path / "b.py").write_text("two = 2\n")
    before = cache_folder(tmp_path, tmp_path)

    (tmp_path / "b.py").write_text("two = 3\n")

    assert cache_folder(tmp_path, tmp_path) != before


def test_it_is_under_the_users_cache(tmp_path: Path) -> None:
    folder = Path(shown_folder(XDG_CACHE_HOME=str(tmp_path)))

    assert folder.is_dir()
    assert folder.parent == tmp_path / "quantflux" / "kernels"


def test_kernels_of_another_folder_have_a_place_of_their_own(tmp_path: Path) -> None:
    here, there = (Path(shown) for shown in shown_folder(SHOW_OTHERS, XDG_CACHE_HOME=str(tmp_path)).split())

    root = tmp_path / "quantflux" / "kernels"
    assert here.parent == root
    assert root in there.parents
    assert here not in there.parents


def test_the_users_own_choice_is_kept(tmp_path: Path) -> None:
    assert shown_folder(NUMBA_CACHE_DIR=str(tmp_path)) == str(tmp_path)


def test_folders_that_nobody_uses_are_forgotten(tmp_path: Path) -> None:
    root = tmp_path / "quantflux" / "kernels"
    old, recent = root / "old", root / "recent"
    old.mkdir(parents=True)
    recent.mkdir()
    os.utime(old, (0, 0))

    shown_folder(XDG_CACHE_HOME=str(tmp_path))

    assert not old.exists()
    assert recent.exists()
