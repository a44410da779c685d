"""The 101 alphas against a reference in pandas, written from the paper."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantflux.core.panel import Panel
from quantflux.expressions import Node
from quantflux.expressions import functions as fn
from quantflux.expressions.evaluate import evaluate
from quantflux.expressions.nodes import fields_of, lookback_of, rebuilt, topological
from quantflux.expressions.operators.rolling import Correlation, Covariance, DecayLinear
from quantflux.factors.libraries import load_library
from tests.factors.libraries import alpha101_operators as operators
from tests.factors.libraries.alpha101_reference import Alphas
from tests.factors.libraries.market import market

ROWS, COLUMNS = 420, 40

TIES = {
    13: "ranks of five days have few different covariances",
    15: "ranks of three days have few different correlations",
    16: "ranks of five days have few different covariances",
    45: "correlations over two days are 1 or -1",
    **dict.fromkeys((31, 92, 98), "decays of whole numbers and of ranks among few days are often equal"),
    **dict.fromkeys((50, 68, 75, 81), "correlations of ranks are equal where the ranks moved alike"),
    **dict.fromkeys(
        (76, 78, 85, 88, 94, 96, 97), "correlations of ranks in time, among few days, are often equal"
    ),
}
"""Alphas that rank numbers which are equal but for rounding: who comes first is chance, here and in the reference."""


@pytest.fixture(scope="module")
def panel() -> Panel:
    return market(ROWS, COLUMNS, 3)


@pytest.fixture(scope="module")
def found(panel: Panel) -> Panel:
    return evaluate(nodes(), panel)


@pytest.fixture(scope="module")
def found_rounding(panel: Panel) -> Panel:
    return evaluate({f"alpha{n:03}": rounding(nodes()[f"alpha{n:03}"]) for n in TIES}, panel)


def nodes() -> dict[str, Node]:
    return {factor.id: factor.node for factor in load_library("alpha101")}


def alphas_of(panel: Panel) -> Alphas:
    fields = {name: pd.DataFrame(panel[name]) for name in panel.fields if name != "industry"}
    return Alphas(fields, pd.Series(panel["industry"][0]))


def differ(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Tell which cells differ by more than 1e-8 of the value, or of a thousandth of the largest."""
    scale = np.nanmax(np.abs(one), initial=0.0)
    with np.errstate(invalid="ignore"):
        apart = np.abs(one - two) > 1e-8 * np.maximum(np.abs(one), 1e-3 * scale)
    return apart | (np.isnan(one) != np.isnan(two))


def rounding(root: Node) -> Node:
    """Return the expression with its correlations, covariances and decays rounded to ten digits."""
    made: dict[Node, Node] = {}
    for node in topological([root]):
        inputs = tuple(made[i] for i in node.inputs)
        kept = rebuilt(node, inputs) if inputs != node.inputs else node
        inexact = isinstance(node, Correlation | Covariance | DecayLinear)
        made[node] = fn.floor(kept * 1e10 + 0.5) / 1e10 if inexact else kept
    return made[root]


@pytest.mark.parametrize("number", [n for n in range(1, 102) if n not in TIES])
def test_alpha_equals_the_reference(number, panel, found):
    expected = alphas_of(panel).alpha(number).to_numpy()

    assert not differ(expected, found[f"alpha{number:03}"]).any()
    assert np.isfinite(expected).sum() > 1_000


@pytest.mark.parametrize("number", TIES)
def test_alpha_with_ties_equals_the_reference_when_both_round(
    number, panel, found, found_rounding, monkeypatch
):
    monkeypatch.setattr(operators, "rounded", lambda x: np.round(x, 10))

    expected = alphas_of(panel).alpha(number).to_numpy()

    assert (
        differ(expected, found_rounding[f"alpha{number:03}"]).sum() <= 2
    )  # what lies on the edge of rounding
    assert np.isfinite(expected).sum() > 1_000


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
