"""The ledger of trials: a strategy counts once, whoever runs it how often."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from quantflux.backtest.runs.trials import Trial, TrialLedger
from quantflux.core.errors import StoreCorrupt

WHEN = "2024-01-02T10:00:00+00:00"


def test_the_same_strategy_counts_once(tmp_path: Path) -> None:
    ledger = TrialLedger(tmp_path / "new" / "trials.db")

    counts = [
        ledger.add([Trial("a", "A", 1.0, 100)], WHEN),
        ledger.add([Trial("a", "A again", None, 101), Trial("b", "B", 0.5, 100)], WHEN),
    ]

    assert counts == [1, 2]
    assert TrialLedger(tmp_path / "new" / "trials.db").count() == 2


def test_counting_writes_nothing_and_may_include_what_is_about_to_run(tmp_path: Path) -> None:
    ledger = TrialLedger(tmp_path / "trials.db")

    assert (ledger.count(), ledger.count(also=["a", "a"])) == (0, 1)
    assert not list(tmp_path.iterdir())

    ledger.add([Trial("a", "A", 1.0, 100)], WHEN)
    assert (ledger.count(also=["a"]), ledger.count(also=["a", "b", "c"])) == (1, 3)


def test_several_writers_lose_nothing(tmp_path: Path) -> None:
    def write(number: int) -> None:
        TrialLedger(tmp_path / "trials.db").add([Trial(f"{number}", "", None, 1)], WHEN)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert TrialLedger(tmp_path / "trials.db").count() == 8


def test_a_file_that_is_no_ledger_is_told(tmp_path: Path) -> None:
    path = tmp_path / "trials.db"
    path.write_bytes(b"not a database" * 100)

    with pytest.raises(StoreCorrupt, match=r"trials\.db cannot be read"):
        TrialLedger(path).count()
