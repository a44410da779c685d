"""Runs the command as a user would, on a data folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow.csv as csv
import pytest

from quantflux.data.sources.synthetic import SyntheticMarket

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `quantflux ARGUMENTS` in a process of its own; a traceback is always a failure."""

    def call(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("QUANTFLUX")}
        environment |= {"QUANTFLUX_DATA_DIR": str(tmp_path / "data"), "HOME": str(tmp_path), "COLUMNS": "200"}
        done = subprocess.run(  # noqa: PLW1510 - the exit code is asserted below
            [sys.executable, "-m", "quantflux", *arguments],
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
            timeout=120,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, done.stderr or done.stdout
        return done

    return call


@pytest.fixture(scope="session")
def bars_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Daily bars of five companies, as a file in canonical layout."""
    (rows,) = SyntheticMarket(
        seed=3, companies=5, start=date(2024, 1, 2), end=date(2024, 6, 28)
    ).daily_tables()
    path = tmp_path_factory.mktemp("files") / "bars.csv"
    csv.write_csv(rows, path)
    return path
