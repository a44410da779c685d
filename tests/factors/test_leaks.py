"""What sees the future on the data of an installation is found, be it an expression, a function or a field."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest, NotFound
from quantflux.core.panel import Panel
from quantflux.data.access import DataAccessLayer
from quantflux.data.adapters.memory import open_store
from quantflux.data.schema import DAILY
from quantflux.expressions import parse
from quantflux.factors import leaks
from quantflux.factors.fields import FieldSet, load_fields
from quantflux.factors.leaks import check_on_data, check_python_on_data
from tests.factors.fields.conftest import CLOCK, market_tables
from tests.factors.stored.markets import EVERY_FAMILY, NAMES, Market, bars, expressions


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    return Market(tmp_path_factory.mktemp("market")).start(60)


@pytest.fixture(scope="module")
def everything() -> DataAccessLayer:
    """A market with every dataset."""
    store = open_store(clock=CLOCK)
    for dataset, table in market_tables():
        store.write(dataset, table)
    return DataAccessLayer(store, clock=CLOCK)


@pytest.mark.parametrize("name", EVERY_FAMILY)
def test_expressions_of_the_past_pass(market: Market, name: str) -> None:
    found = check_on_data(expressions(EVERY_FAMILY)[name], market.data)

    assert found.leak is None
    assert found.horizon == 0
    assert found.values > 2 * 60 * len(NAMES)


def test_fields_of_every_source_pass(everything: DataAccessLayer) -> None:
    node = parse(
        "revenue_ttm / total_equity_average + pb + net_mf_amount + winner_rate + group_mean(vwap, industry)"
    )

    found = check_on_data(node, everything)

    assert found.leak is None


def test_a_label_looks_as_far_ahead_as_its_leads_say(market: Market) -> None:
    found = check_on_data(parse("lead(close, 5) / lead(open, 1) - 1"), market.data)

    assert (found.leak, found.horizon) == (None, 5)


def looking_ahead(field: str) -> Any:
    """Return a loader of which one field has the value of the next row."""

    def load(*arguments: Any, **options: Any) -> FieldSet:
        loaded = load_fields(*arguments, **options)
        values = np.full(loaded.panel.shape, np.nan)
        values[:-1] = loaded.panel[field][1:]
        return replace(loaded, panel=loaded.panel.with_field(field, values))

    return load


def test_a_field_that_looks_ahead_is_named(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "load_fields", looking_ahead("volume"))

    for found in (
        check_on_data(parse("ts_mean(volume, 5) / close"), market.data),
        check_python_on_data(
            lambda panel: panel["volume"] / panel["close"], ["close", "volume"], market.data
        ),
    ):
        assert found.leak is not None
        assert (found.leak.node, found.leak.test) == ("volume", "truncation")
        assert found.leak.time == found.leak.known_until
        assert np.isnan(found.leak.without_future)


def test_python_functions_of_the_past_pass(market: Market) -> None:
    def momentum(panel: Panel) -> np.ndarray:
        out = np.full(panel.shape, np.nan)
        out[5:] = panel["close"][5:] / panel["close"][:-5] - 1
        return out

    found = check_python_on_data(momentum, ["close"], market.data)

    assert found.leak is None and found.values > 0


def next_close(panel: Panel) -> np.ndarray:
    return np.roll(panel["close"], -1, axis=0)


def whole_sample(panel: Panel) -> np.ndarray:
    return (panel["close"] - np.nanmean(panel["close"])) / np.nanstd(panel["close"])


def backfilled(panel: Panel) -> np.ndarray:
    values = panel["close"].copy()
    for row in range(len(values) - 2, -1, -1):
        gap = np.isnan(values[row])
        values[row, gap] = values[row + 1, gap]
    return values


@pytest.mark.parametrize("function", [next_close, whole_sample, backfilled])
def test_python_functions_that_see_the_future_are_named(market: Market, function: Any) -> None:
    found = check_python_on_data(function, ["close"], market.data)

    assert found.leak is not None
    assert found.leak.node == function.__name__
    assert found.leak.time <= found.leak.known_until
    assert found.leak.symbol in NAMES


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda panel: panel["close"][:-1], r"must have the panel's shape \(60, 8\) .* had \(59, 8\)"),
        (lambda panel: panel["open"], "failed: NotFound: the panel has no field 'open'"),
        (lambda panel: 1 / 0, "failed: ZeroDivisionError"),
        (lambda panel: "nonsense", "failed: ValueError"),
        (lambda panel: panel["close"].sort(), "read-only"),
    ],
)
def test_functions_that_fail_say_so(market: Market, function: Any, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        check_python_on_data(function, ["close"], market.data)


def test_too_few_data(tmp_path: Path) -> None:
    market = Market(tmp_path)
    with pytest.raises(NotFound, match="holds no rows"):
        check_on_data(parse("close"), market.data)

    market.data.write(DAILY, bars(NAMES, range(3)))
    with pytest.raises(InvalidRequest, match="at least 4 days of data, found 3"):
        check_on_data(parse("close"), market.data)
    with pytest.raises(NotFound, match="clos"):
        check_python_on_data(next_close, ["clos"], market.data)
