"""The parts of risk factors against pandas and cases by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.expressions import parse
from quantflux.expressions.evaluate import evaluate
from quantflux.expressions.program.run import Shape

NAN = np.nan
TEXTS = {
    "std": "ewm_std(x, 30, 5)",
    "beta": "ewm_beta(x, y, 30, 5)",
    "rest": "ewm_resid_std(x, y, 30, 5)",
    "standard": "standardize(x, weight, 3)",
}


def panel_of(**fields: np.ndarray) -> Panel:
    rows, columns = next(iter(fields.values())).shape
    days = np.datetime64("2024-01-01") + np.arange(rows)
    return Panel(days, [f"{600000 + i}.SH" for i in range(columns)], fields)


def random_panel() -> Panel:
    rng = np.random.default_rng(4)
    y = rng.normal(0, 0.01, (150, 6))
    x = 0.7 * y + rng.normal(0, 0.02, y.shape)
    x[rng.random(x.shape) < 0.05] = NAN
    y[rng.random(y.shape) < 0.05] = NAN
    x[:50, 0] = NAN
    return panel_of(x=x, y=y, weight=rng.lognormal(3, 1, x.shape))


def test_weighted_moments_equal_pandas():
    panel = random_panel()
    x, y = (pd.DataFrame(panel[name]) for name in ("x", "y"))
    both = x.notna() & y.notna()

    found = evaluate({name: parse(text) for name, text in TEXTS.items()}, panel)

    alone = x.ewm(span=30, min_periods=5)
    x, y = x.where(both), y.where(both)
    pair, other = x.ewm(span=30, min_periods=5), y.ewm(span=30, min_periods=5)
    joint, spread = pair.cov(y, bias=True), other.var(bias=True)
    rest = np.sqrt(pair.var(bias=True) - joint**2 / spread)
    np.testing.assert_allclose(found["std"], alone.std(bias=True).ffill(), rtol=1e-9)
    np.testing.assert_allclose(found["beta"], (joint / spread).ffill(), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found["rest"], rest.ffill(), rtol=1e-8)


def test_a_series_that_follows_the_other_has_its_beta_and_leaves_nothing():
    y = np.random.default_rng(5).normal(0, 0.01, (60, 2))
    panel = panel_of(x=3 * y + 0.001, y=y)

    found = evaluate({name: parse(TEXTS[name]) for name in ("beta", "rest")}, panel)

    np.testing.assert_allclose(found["beta"][10:], 3.0, rtol=1e-10)
    np.testing.assert_allclose(found["rest"][10:], 0.0, atol=1e-8)


def test_standard_exposures_by_hand():
    # The median of 1, 2, 3, 4, 100 is 3 and their median distance from it 1: 100 is cut to 3 + 2 x 1.4826.
    # The last symbol but one has no weight, the last no value.
    x = np.array([[1.0, 2.0, 3.0, 4.0, 100.0, 7.0, NAN]])
    weight = np.array([[4.0, 1.0, 1.0, 1.0, 1.0, NAN, 9.0]])
    cut = np.array([1.0, 2.0, 3.0, 4.0, 3 + 2 * 1.4826])

    found = evaluate(parse("standardize(x, weight, 2)"), panel_of(x=x, weight=weight))["value"][0]

    expected = (cut - (cut @ weight[0, :5]) / 8) / cut.std(ddof=1)
    np.testing.assert_allclose(found, [*expected, NAN, NAN], rtol=1e-12)


def test_the_market_has_no_exposure_and_symbols_a_deviation_of_one():
    panel = random_panel()

    found = evaluate(parse(TEXTS["standard"]), panel)["value"]

    weight = np.where(np.isnan(found), 0.0, panel["weight"])
    np.testing.assert_allclose(np.nansum(found * weight, axis=1), 0.0, atol=1e-9)
    np.testing.assert_allclose(np.nanstd(found, axis=1, ddof=1), 1.0, rtol=1e-12)


def test_the_past_never_changes_and_any_cut_gives_the_same_bits():
    panel = random_panel()
    nodes = {name: parse(text) for name, text in TEXTS.items()}
    whole = evaluate(nodes, panel)

    shorter = evaluate(nodes, panel.select(end=panel.times[99]))
    pieces = evaluate(nodes, panel, shape=Shape(chunk=7, block=4))

    for name in nodes:
        np.testing.assert_array_equal(shorter[name], whole[name][:100])
        np.testing.assert_array_equal(pieces[name], whole[name])


@pytest.mark.parametrize("text", ["ewm_beta(x, 1, 30)", "standardize(x, 1)", "ewm_std(3, 30)"])
def test_numbers_are_refused(text):
    with pytest.raises(InvalidRequest, match="needs something that changes, was given a number"):
        parse(text)
