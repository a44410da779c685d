"""Values turned round where a definition says that less is better, on the axes of a market."""

from __future__ import annotations

import numpy as np

from quantflux.core.panel import Panel
from quantflux.factors.definition import FactorDefinition
from quantflux.factors.orientation import oriented, turned_round
from quantflux.factors.universe import Market
from quantflux.rules import OpenLocks

FACTORS = [
    FactorDefinition("more", "close", orientation=1),
    FactorDefinition("less", "close", orientation=-1),
    FactorDefinition("unknown", "close"),
    FactorDefinition("absent", "close", orientation=-1),
]


def test_less_is_turned_round_and_laid_on_the_market():
    days = np.array(["2024-01-02", "2024-01-03", "2024-01-04"], dtype="datetime64[D]")
    prices = np.ones((3, 2))
    bars = Panel(days, ["000001.SZ", "600519.SH"], {"open": prices, "close": prices})
    market = Market.of(bars, OpenLocks(up=prices > 1, down=prices > 1))
    one = np.array([[1.0], [-2.0]], dtype=np.float32)
    values = Panel(days[1:], ["600519.SH"], dict.fromkeys(("more", "less", "unknown"), one))

    found = oriented(values, FACTORS, market)

    as_is = np.array([[np.nan, np.nan], [np.nan, 1.0], [np.nan, -2.0]])
    assert {name: array.dtype for name, array in found.items()} == dict.fromkeys(values, np.float64)
    np.testing.assert_array_equal(found["more"], as_is)
    np.testing.assert_array_equal(found["unknown"], as_is)
    np.testing.assert_array_equal(found["less"], -as_is)
    assert turned_round(FACTORS, found) == ["less"]
