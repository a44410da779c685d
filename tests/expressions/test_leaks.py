"""Leaks of the future: seeded ones are found and named, and what is clean is left alone."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.expressions import functions as fn
from quantflux.expressions import leaks
from quantflux.expressions.labels import Lead
from quantflux.expressions.leaks import LeakCheck, check_expression, check_function
from quantflux.expressions.nodes import Field, Node
from tests.expressions.program.runs import rows_of
from tests.expressions.reference.panels import hard_panel, tame_panel
from tests.expressions.strategies import Shape, random_expression

Array = np.ndarray
Factor = Callable[[Array], Array]

CLOSE = Field("close")
PANEL = tame_panel(8, 80, 6)


def check(function: Factor) -> LeakCheck:
    return check_function(lambda panel: {"factor": function(panel["close"])}, PANEL)


def to_whole_mean(x: Array) -> Array:
    return np.asarray(x / np.nanmean(x, axis=0))


def next_row(x: Array) -> Array:
    return np.vstack([x[1:], np.full((1, x.shape[1]), np.nan)])


def filled_backwards(x: Array) -> Array:
    out = x.copy()
    for t in range(len(x) - 2, -1, -1):
        out[t] = np.where(np.isnan(out[t]), out[t + 1], out[t])
    return out


def centred_mean(x: Array) -> Array:
    out = x.copy()
    out[1:-1] = (x[:-2] + x[1:-1] + x[2:]) / 3
    return out


def with_length(x: Array) -> Array:
    return np.asarray(x * len(x))


def jump_alarm(x: Array) -> Array:
    """Whether the price will rise by half at once, which it never does in these data."""
    return (next_row(x) > 1.3 * x).astype(float)


@pytest.mark.parametrize(
    "function", [to_whole_mean, next_row, filled_backwards, centred_mean, with_length, jump_alarm]
)
def test_a_seeded_leak_is_found_and_named(function: Factor) -> None:
    found = check(function)

    assert found.leak is not None
    assert found.leak.node == "factor"
    assert found.leak.time <= found.leak.known_until
    assert found.leak.symbol in PANEL.symbols
    assert found.leak.with_future != found.leak.without_future


def test_a_leak_says_both_values() -> None:
    leak = check(to_whole_mean).leak

    assert leak is not None
    row, column = PANEL.row_of(leak.known_until), PANEL.column_of(leak.symbol)
    known = PANEL["close"][: row + 1]
    assert leak.test == "truncation"
    assert leak.with_future == to_whole_mean(PANEL["close"])[PANEL.row_of(leak.time), column]
    assert leak.without_future == to_whole_mean(known)[PANEL.row_of(leak.time), column]


def test_what_only_another_future_shows_is_found_by_perturbation() -> None:
    leak = check(jump_alarm).leak

    assert leak is not None
    assert leak.test == "perturbation"


def past_mean(x: Array) -> Array:
    return np.vstack([np.nanmean(x[max(t - 4, 0) : t + 1], axis=0) for t in range(len(x))])


def row_share(x: Array) -> Array:
    return np.asarray(x / np.nansum(x, axis=1, keepdims=True))


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
@pytest.mark.parametrize("function", [past_mean, row_share, np.log, np.negative])
def test_a_clean_function_is_left_alone(function: Factor) -> None:
    found = check(function)

    assert found.leak is None
    assert found.cuts == 6
    assert found.values > 2 * 6 * (80 // 3) * 6


def test_a_look_ahead_that_is_allowed_is_no_leak() -> None:
    def compute(panel: Panel) -> dict[str, Array]:
        return {"label": next_row(panel["close"])}

    assert check_function(compute, PANEL, allowed={"label": 1}).leak is None
    assert check_function(compute, PANEL, allowed={"label": 0}).leak is not None


def test_the_first_of_several_arrays_is_named() -> None:
    def compute(panel: Panel) -> dict[str, Array]:
        close = panel["close"]
        return {"clean": close, "seed": next_row(close), "tainted": next_row(close) + close}

    leak = check_function(compute, PANEL).leak

    assert leak is not None
    assert leak.node == "seed"


def test_values_that_were_worked_out_before_are_refused() -> None:
    """They cannot be seen to change, so their shape has to tell."""
    prepared = to_whole_mean(PANEL["close"])

    with pytest.raises(InvalidRequest, match=r"must have the panel's shape \(27, 6\)"):
        check_function(lambda _: {"factor": prepared}, PANEL)


def test_a_function_of_another_shape_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"factor must have the panel's shape \(80, 6\) .*, had \(6,\)"):
        check(lambda x: np.nanmean(x, axis=0))


def test_a_few_rows_show_nothing_and_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="at least 4 rows, the panel has 3"):
        check_expression(CLOSE, rows_of(PANEL, 0, 3))


@pytest.mark.parametrize("seed", range(3))
def test_random_factors_have_no_leak(seed: int) -> None:
    rng = random.Random(seed)
    node = random_expression(rng, Shape(excluded=("lead",), depth=3, windows=(1, 9)))

    found = check_expression(node, hard_panel(seed, 60, 5), cuts=2)

    assert (found.leak, found.horizon) == (None, 0)
    assert found.values > 0


def test_a_field_has_no_leak() -> None:
    assert check_expression(CLOSE, PANEL).leak is None


def test_an_expression_with_a_lead_is_a_label_and_may_look_as_far_as_it_says() -> None:
    found = check_expression(fn.rank(Lead(CLOSE, 5) / Lead(CLOSE, 1) - 1), PANEL)

    assert (found.leak, found.horizon) == (None, 5)


def test_the_part_where_the_future_comes_in_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the engine took a lead for a factor: neither what it is made of is named, nor what is made of it."""
    label: Node = fn.ts_mean(fn.rank(Lead(CLOSE + 1, 2) / CLOSE), 3)
    monkeypatch.setattr(leaks, "horizon_of", lambda _: 0)

    leak = check_expression(label, PANEL).leak

    assert leak is not None
    assert leak.node == "lead(close + 1, 2)"
