"""Policies of one's own: made anew for each simulation, told the score, shown no future, blamed by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantflux.backtest.policies.contract import Past, View
from quantflux.backtest.runs.own_policy import OwnPolicy, load_class
from quantflux.backtest.runs.run_file import PythonPolicy
from quantflux.core.errors import InvalidRequest

GOOD = """
from __future__ import annotations
from dataclasses import dataclass, field
import numpy as np

@dataclass
class Mine:
    size: float = 0.5
    seed: int = -1
    asked: list = field(default_factory=list)

    def decide(self, view):
        self.asked.append(view.row)
        return {"asked": len(self.asked), "seed": self.seed, "score": view["score"].shape, "names": sorted(view)}

class Timed:
    def rows(self, times):
        return np.arange(len(times))
    def decide(self, view):
        raise KeyError("gone")

class Wordy:
    def rows(self, times):
        return "weekly"
    def decide(self, view):
        return None

class Idle:
    pass
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(GOOD, encoding="utf-8")
    return path


def policy(file: Path, name: str, **parameters: Any) -> OwnPolicy:
    terms = PythonPolicy.model_validate(
        {"kind": "python", "class": f"mine.py:{name}", "parameters": parameters}
    )
    score = np.arange(12.0).reshape(6, 2)
    return OwnPolicy(
        load_class(file, name), terms, seed=9, rows=np.array([2, 4]), begin=2, fields={"score": score}
    )


def view(row: int) -> View:
    days = np.datetime64("2024-01-02") + np.arange(row + 1)
    nothing = np.zeros(2)
    past = Past({"close": np.ones((6, 2))})
    return View(row, days, np.array(["A", "B"]), nothing, 1e6, nothing, nothing, 1e6, past)


def test_it_begins_anew_with_each_simulation_and_knows_its_seed(file: Path) -> None:
    mine: Any = policy(file, "Mine", size=0.2)

    for _ in range(2):
        assert mine.rows(np.arange(6)).tolist() == [2, 4]
        assert mine.decide(view(2)) == {"asked": 1, "seed": 9, "score": (3, 2), "names": ["close", "score"]}
        assert mine.decide(view(4))["asked"] == 2


def test_the_future_of_the_score_is_out_of_reach(file: Path) -> None:
    shown: list[np.ndarray] = []
    mine: Any = policy(file, "Mine")
    mine.rows(np.arange(6))
    mine._policy.decide = lambda seen: shown.append(seen["score"])

    mine.decide(view(2))

    assert shown[0].tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    assert not shown[0].flags.writeable
    assert shown[0].base is not None and (np.asarray(shown[0].base)[3:] == 0).all()


def test_rows_of_its_own_begin_with_the_span(file: Path) -> None:
    timed = policy(file, "Timed")

    assert timed.has_rows
    assert timed.rows(np.arange(6)).tolist() == [2, 3, 4, 5]


def test_rows_that_are_none_are_left_to_the_simulator(file: Path) -> None:
    wordy = policy(file, "Wordy")

    assert wordy.rows(np.arange(6)).tolist() == "weekly"  # type: ignore[comparison-overlap]
    assert wordy.name == "mine.py:Wordy"


def test_what_it_raises_is_told_with_its_name_and_the_day(file: Path) -> None:
    timed = policy(file, "Timed")

    with pytest.raises(
        InvalidRequest, match=r"mine\.py:Timed\.decide failed at the close of 2024-01-04: KeyError"
    ):
        timed.decide(view(2))


def test_what_cannot_be_made_is_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"mine\.py:Idle has no method decide\(view\)"):
        policy(file, "Idle")
    with pytest.raises(InvalidRequest, match=r"parameters sise, seed: TypeError.*it takes size, seed, asked"):
        policy(file, "Mine", sise=1)
    with pytest.raises(InvalidRequest, match=r"has no class 'Min'; did you mean Mine\?"):
        load_class(file, "Min")
    with pytest.raises(InvalidRequest, match="there is no such file"):
        load_class(tmp_path / "none.py", "Mine")
    file.write_text("1 / 0", encoding="utf-8")
    with pytest.raises(InvalidRequest, match="cannot be loaded: ZeroDivisionError"):
        load_class(file, "Mine")
