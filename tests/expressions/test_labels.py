"""Labels: what is shifted to the past and back is what NumPy finds by looking ahead."""

from __future__ import annotations

import random

import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.expressions import functions as fn
from quantflux.expressions import parse
from quantflux.expressions.labels import Lead, evaluate_label, horizon_of, shifted
from quantflux.expressions.nodes import Family, Field, Node, lookback_of
from quantflux.expressions.program.lowering import lower
from tests.expressions.program.runs import compute
from tests.expressions.reference.comparison import same_bits
from tests.expressions.reference.evaluator import evaluate_slowly
from tests.expressions.reference.panels import tame_panel, whole_panel
from tests.expressions.strategies import Shape, random_expression

CLOSE, OPEN = Field("close"), Field("open")


@pytest.fixture(scope="module")
def panel() -> Panel:
    return tame_panel(5, 60, 9)


def ahead(values: np.ndarray, rows: int) -> np.ndarray:
    """Return the values of so many rows later; NaN behind the last."""
    out = np.full(values.shape, np.nan)
    out[: len(values) - rows] = values[rows:]
    return out


def test_the_return_of_the_next_days(panel: Panel) -> None:
    close = panel["close"]

    found = evaluate_label(Lead(CLOSE, 5) / Lead(CLOSE, 1) - 1, panel)

    np.testing.assert_array_equal(found, ahead(close, 5) / ahead(close, 1) - 1)


def test_a_label_may_mix_the_future_with_today_and_the_past(panel: Panel) -> None:
    close, opened = panel["close"], panel["open"]
    before = np.full(close.shape, np.nan)
    before[2:] = close[:-2]

    found = evaluate_label((Lead(CLOSE, 3) - OPEN) / fn.delay(CLOSE, 2), panel)

    np.testing.assert_array_equal(found, (ahead(close, 3) - opened) / before)


def test_leads_of_leads_add_up(panel: Panel) -> None:
    inner = Lead(Lead(CLOSE, 2) / CLOSE, 3)

    assert horizon_of(inner) == 5
    np.testing.assert_array_equal(
        evaluate_label(inner, panel), ahead(ahead(panel["close"], 2) / panel["close"], 3)
    )


def test_a_rank_of_future_returns_is_among_those_of_the_same_row(panel: Panel) -> None:
    label = fn.rank(Lead(CLOSE, 4) / CLOSE)

    np.testing.assert_array_equal(evaluate_label(label, panel), evaluate_slowly(label, panel.fields))


@pytest.mark.parametrize(
    "around", [lambda x: fn.ts_mean(x, 20, least=1), lambda x: fn.ema(x, 7), lambda x: fn.rsi(x, 6), fn.rank]
)
def test_leading_and_looking_back_change_places(panel: Panel, around: object) -> None:
    assert callable(around)
    np.testing.assert_array_equal(
        evaluate_label(around(Lead(CLOSE, 5)), panel), evaluate_label(Lead(around(CLOSE), 5), panel)
    )


def test_a_factor_is_a_label_without_horizon(panel: Panel) -> None:
    factor = fn.rank(fn.ts_mean(CLOSE, 5))

    assert horizon_of(factor) == 0
    assert shifted(factor) == (factor, 0)
    np.testing.assert_array_equal(evaluate_label(factor, panel), compute([factor], panel)[0])


@pytest.mark.parametrize("rows", [60, 200])
def test_a_horizon_beyond_the_data_has_no_values(panel: Panel, rows: int) -> None:
    assert np.isnan(evaluate_label(Lead(CLOSE, rows), panel)).all()


def test_random_labels_of_whole_numbers_have_the_references_bits() -> None:
    """Away from the first rows, where windows reach behind the first value that is led."""
    kept = {
        "add",
        "sub",
        "max",
        "min",
        "gt",
        "neg",
        "delay",
        "ts_sum",
        "ts_max",
        "ts_min",
        "row_sum",
        "where",
        "lead",
    }
    every = {operator.name for operator in Shape().operators()}
    shape = Shape(excluded=tuple(every - kept), depth=4, windows=(1, 4), numbers=(0.0, 1.0, 3.0))
    rng = random.Random(3)

    seen = 0
    for seed in range(60):
        panel = whole_panel(seed, 60, 4)
        label = random_expression(rng, shape)
        if label.family is Family.INPUT or horizon_of(label) == 0:
            continue
        seen += 1
        found, expected = evaluate_label(label, panel), evaluate_slowly(label, panel.fields)
        assert same_bits(found[16:-16], expected[16:-16]), label
    assert seen > 8


def test_a_shifted_label_is_an_expression_of_the_past() -> None:
    node, horizon = shifted(fn.rank(Lead(CLOSE, 5) / Lead(OPEN, 1) - 1) * CLOSE)

    lower({"label": node})
    assert (horizon, lookback_of(node)) == (5, 5)


def test_horizons_count_through_definitions() -> None:
    assert horizon_of(fn.delta(Lead(CLOSE, 4), 2)) == 4
    assert horizon_of(fn.macd(Lead(CLOSE, 4)) + Lead(OPEN, 9)) == 9


def refused(node: Node) -> str:
    with pytest.raises(InvalidRequest) as error:
        lower({"x": node})
    return str(error.value)


def test_no_factor_can_hold_a_lead() -> None:
    assert refused(Lead(CLOSE, 1)) == "lead cannot be part of a factor: it looks into the future"
    assert "looks into the future" in refused(fn.ts_mean(fn.rank(Lead(CLOSE, 1) / CLOSE), 5))
    assert "looks into the future" in refused(fn.rsi(parse("lead(close, 2)"), 14))


def test_a_number_has_no_future() -> None:
    with pytest.raises(InvalidRequest, match="was given a number"):
        Lead(3, 1)


def test_a_lead_looks_at_least_one_row_ahead() -> None:
    with pytest.raises(InvalidRequest, match="rows must be 1 to 5000, was 0"):
        Lead(CLOSE, 0)


def test_a_horizon_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="at most 5000 rows ahead, was 5001"):
        shifted(Lead(Lead(CLOSE, 5000), 1))
