"""Judges the answers of rivals before their times are printed.

* Alpha158 and its 14 members: against `reference` on some symbols, those with late listings, delistings and suspensions
  among them. Qlib and we must agree in every row from listing to delisting, gaps included. KunQuant knows no partial
  windows, so it is judged where all windows are full.
* Alpha101: on a market without gaps, after the longest windows are full, each rival against the others. Where ranks are
  taken of numbers that differ by rounding alone, no two programs agree; those factors are named and not judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.factors.agreement import compare
from benchmarks.factors.reference import evaluate
from benchmarks.rivals.protocol import Market

RTOL, ATOL = 1e-4, 1e-5
"""How close is equal: Qlib answers in 4-byte floats and takes some steps in them."""

FEW = 1e-3
"""The part of a factor's cells that may differ: windows in which hardly anything varies."""

LONGEST = 61
"""Rows that the longest window of Alpha158 looks at, the day before it included."""

WARM_UP = 420
"""Rows after which every window of Alpha101 is full, nested ones too."""


@dataclass(frozen=True)
class Verdict:
    """How many factors of a rival were found equal, and which were not: the part of their cells that differs."""

    total: int
    differing: dict[str, float] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The verdict for a table."""
        named = ", ".join(list(self.differing)[:4]) + (" ..." if len(self.differing) > 4 else "")
        return f"{self.total - len(self.differing)} of {self.total}" + (f", not {named}" if named else "")

    def insist(self, label: str) -> None:
        """Raise unless all are equal."""
        if self.differing:
            raise RuntimeError(f"{label} disagrees with the reference: {self.differing}")


class Alpha158Judge:
    """The reference's answers for some symbols.

    Parameters
    ----------
    expressions : mapping of str to str
        Qlib's expressions by name.
    wanted : int
        How many symbols, about.

    Attributes
    ----------
    columns : array of int
        The symbols' places in the market.
    listed, traded, full : array of bool, shape (T, number of symbols)
        From listing to delisting; on days with a trade; where all windows are full of trades.
    """

    def __init__(self, market: Market, expressions: Mapping[str, str], wanted: int = 24) -> None:
        fields = {name: market.field(name) for name in ("open", "high", "low", "close", "volume", "vwap")}
        traded = np.isfinite(fields["close"])
        self.columns = _symbols_to_judge(traded, wanted)
        self.traded = traded[:, self.columns]
        self.listed = np.zeros((len(traded), len(self.columns)), np.bool_)
        self.full = _full_windows(traded[:, self.columns])
        self.values = {name: np.full(self.listed.shape, np.nan) for name in expressions}
        for place, column in enumerate(self.columns):
            rows = np.flatnonzero(traded[:, column])
            span = slice(rows[0], rows[-1] + 1)
            self.listed[span, place] = True
            series = {name: pd.Series(np.array(values[span, column])) for name, values in fields.items()}
            for name, text in expressions.items():
                self.values[name][span, place] = evaluate(text, series)

    def judge(self, folder: Path, where: NDArray[np.bool_]) -> Verdict:
        """Compare a rival's saved answer, where symbols were `listed` or `traded`, or windows are `full`."""
        differing = {}
        for name, wanted in self.values.items():
            found = np.load(folder / f"{name}.npy", mmap_mode="r")[:, self.columns]
            wrong = compare(found, wanted, where, rtol=RTOL, atol=ATOL).share_wrong()
            if wrong > FEW:
                differing[name] = wrong
        return Verdict(len(self.values), differing)


def _symbols_to_judge(traded: NDArray[np.bool_], wanted: int) -> NDArray[np.int64]:
    """Return symbols listed late, delisted, often suspended, and others, in their order."""
    late, gone = np.flatnonzero(~traded[0]), np.flatnonzero(~traded[-1])
    most_gaps = np.argsort(traded.mean(axis=0) + 2.0 * (~traded[0] | ~traded[-1]))
    evenly = np.arange(0, traded.shape[1], max(traded.shape[1] // max(wanted // 2, 1), 1))
    parts = (late[: wanted // 6], gone[: wanted // 6], most_gaps[: wanted // 6], evenly)
    return np.unique(np.concatenate(parts))


def _full_windows(traded: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where a symbol traded on every day that the longest window looks at."""
    count = np.cumsum(np.vstack([np.zeros((1, traded.shape[1]), np.int64), traded]), axis=0)
    full = np.zeros_like(traded)
    full[LONGEST - 1 :] = count[LONGEST:] - count[:-LONGEST] == LONGEST
    return full


def judge_each_other(ours: Path, others: Sequence[Path], names: Sequence[str]) -> tuple[Verdict, list[str]]:
    """Judge our answer where the others agree among themselves.

    Returns
    -------
    Verdict
        Of ours.
    list of str
        Factors on which the others differ from each other.
    """
    differing, open_ones = {}, []
    for name in names:
        answers = [np.load(folder / f"{name}.npy")[WARM_UP:] for folder in others]
        found = np.load(ours / f"{name}.npy")[WARM_UP:]
        if any(_wrong(answer, answers[0]) > FEW for answer in answers[1:]):
            open_ones.append(name)
            continue
        wrong = max(_wrong(found, answer) for answer in answers)
        if wrong > FEW:
            differing[name] = wrong
    return Verdict(len(names) - len(open_ones), differing), open_ones


def _wrong(found: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    return compare(found, wanted, rtol=RTOL, atol=ATOL).share_wrong()
