"""The 101 alphas against a reference in pandas, written from the paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest

from quantflux.core.panel import Panel
from quantflux.expressions import Node
from quantflux.expressions.evaluate import evaluate
from quantflux.expressions.nodes import fields_of, lookback_of
from quantflux.factors.libraries import load_library
from tests.factors.libraries import alpha101_reference as reference
from tests.factors.libraries.market import market

ROWS, COLUMNS = 420, 40

TIES = {
    13: "ranks of five days have few different covariances, so many symbols tie in the rank of them",
    15: "the same, of correlations over three days",
    16: "the same as 13",
    45: "a correlation over two days is 1 or -1, so all symbols tie in the rank of it",
    92: "a decay of truths over 14 days often stands still, so days tie in the rank of it",
    96: "a correlation over three days of ranks among four and seven is one of a few",
    98: "the rank in six days of one of eight places is one of a few, so symbols tie in the rank of it",
}
"""Alphas in which rounding decides who of many equals comes first, here and in the reference alike."""

FEW = 0.03
"""Largest share of values that may hang on rounding in the other alphas."""


@pytest.fixture(scope="module")
def panel() -> Panel:
    return market(ROWS, COLUMNS, 3)


@pytest.fixture(scope="module")
def found(panel: Panel) -> Panel:
    return evaluate(nodes(), panel)


def nodes() -> dict[str, Node]:
    return {factor.id: factor.node for factor in load_library("alpha101")}


def alphas_of(panel: Panel) -> reference.Alphas:
    fields = {name: pd.DataFrame(panel[name]) for name in panel.fields if name != "industry"}
    return reference.Alphas(fields, pd.Series(panel["industry"][0]))


def differ(one: np.ndarray, two: np.ndarray, tolerance: float) -> np.ndarray:
    """Tell which cells differ, the scale of the alpha being that of its largest value."""
    scale = np.nanmax(np.abs(one), initial=0.0)
    with np.errstate(invalid="ignore"):
        apart = np.abs(one - two) > tolerance * np.maximum(np.abs(one), 1e-3 * scale)
    return apart | (np.isnan(one) != np.isnan(two))


def shaken(panel: Panel, number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[np.ndarray]:
    """Yield the alpha of the reference with other rounding errors.

    At first whatever is equal but for rounding is made equal. Then follow pairs of errors that are each other's
    opposite, so that any two equals stand in one order in the first of a pair and in the other in the second.
    """

    def computed(rounded: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        monkeypatch.setattr(reference, "rounded", rounded)
        return alphas_of(panel).alpha(number).to_numpy()

    yield computed(lambda x, size: np.round(x, 11))
    for seed in range(30):
        for sign in (1e-13, -1e-13):
            rng = np.random.default_rng(seed)
            yield computed(lambda x, size, rng=rng, sign=sign: x + sign * size * rng.standard_normal(x.shape))


@pytest.mark.parametrize("number", range(1, 102))
def test_alpha_equals_the_reference(number, panel, found, monkeypatch):
    values = found[f"alpha{number:03}"]
    expected = alphas_of(panel).alpha(number).to_numpy()
    wrong = differ(expected, values, 1e-6)
    assert np.isfinite(expected).sum() > 1_000

    # What differs may only be what differs in the reference too, if it rounds otherwise.
    if wrong.any():
        unexplained = wrong.copy()
        for other in shaken(panel, number, monkeypatch):
            unexplained &= ~differ(expected, other, 1e-7)
            if not unexplained.any():
                break
        assert not unexplained.any()
        assert number in TIES or wrong.mean() < FEW * np.isfinite(expected).mean()


def test_ties_are_named_only_where_rounding_decides(panel, found):
    for number in TIES:
        assert differ(alphas_of(panel).alpha(number).to_numpy(), found[f"alpha{number:03}"], 1e-6).any()


def test_the_past_never_changes():
    panel = market(330, 12, 8)
    whole = evaluate(nodes(), panel)
    shorter = evaluate(nodes(), panel.select(end=panel.times[299]))

    for name in nodes():
        np.testing.assert_array_equal(shorter[name], whole[name][:300], err_msg=name)


def test_alphas_look_back_on_a_year_at_most():
    assert max(lookback_of(node) or 0 for node in nodes().values()) == 251


def test_alphas_read_what_the_paper_names():
    fields = {"open", "high", "low", "close", "vwap", "volume", "amount", "cap", "industry"}

    assert set(fields_of(*nodes().values())) == fields


def test_formulas_by_hand():
    days = np.datetime64("2024-01-01") + np.arange(3)
    fields = {
        "open": np.array([[10.0, 20.0], [11.0, 19.0], [10.0, 21.0]]),
        "high": np.array([[12.0, 21.0], [11.0, 20.0], [12.0, 22.0]]),
        "low": np.array([[9.0, 18.0], [9.0, 18.0], [9.0, 20.0]]),
        "close": np.array([[11.0, 19.0], [10.0, 20.0], [11.0, 21.0]]),
        "volume": np.array([[100.0, 300.0], [200.0, 100.0], [100.0, 200.0]]),
        "vwap": np.array([[10.0, 20.0], [10.0, 19.0], [12.0, 20.0]]),
    }
    names = ("alpha012", "alpha041", "alpha042", "alpha101")
    library = load_library("alpha101")

    found = evaluate({name: library[name].node for name in names}, Panel(days, ["A", "B"], fields))

    # Volume up, down; down, up. Close -1, +1; +1, +1.
    np.testing.assert_array_equal(found["alpha012"], [[np.nan, np.nan], [1, 1], [1, -1]])
    np.testing.assert_allclose(found["alpha041"][2], [np.sqrt(108) - 12, np.sqrt(440) - 20])
    # vwap - close: -1 and 1; 0 and -1; 1 and -1. The second symbol is the dearer one throughout.
    np.testing.assert_allclose(found["alpha042"], [[1, 1], [2, 0.5], [2, 0.5]])
    np.testing.assert_allclose(found["alpha101"][0], [1 / 3.001, -1 / 3.001])
