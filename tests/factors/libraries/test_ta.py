"""The indicator library: what its definitions promise as a set. The operators have tests of their own."""

from __future__ import annotations

import numpy as np
import pytest

from quantflux.core.panel import Panel
from quantflux.expressions import Node
from quantflux.expressions.evaluate import evaluate
from quantflux.factors.libraries import load_library
from tests.factors.libraries.market import market

PRICES = ("open", "high", "low", "close")


def nodes() -> dict[str, Node]:
    return {factor.id: factor.node for factor in load_library("ta")}


@pytest.fixture(scope="module")
def panel() -> Panel:
    return market(160, 10, 12)


@pytest.fixture(scope="module")
def found(panel: Panel) -> Panel:
    return evaluate(nodes(), panel)


def test_indicators_compare_between_symbols_of_any_price_and_volume(panel, found):
    # Factors of two change no digit, so that nothing but units can differ.
    fields = {n: v * 8 if n in PRICES else v * 1024 for n, v in panel.fields.items()}
    other = evaluate(nodes(), Panel(panel.times, panel.symbols, fields))

    for name in nodes():
        np.testing.assert_allclose(other[name], found[name], rtol=1e-12, err_msg=name)


def test_every_indicator_has_values_wherever_a_symbol_has_traded_long_enough(panel, found):
    # The first half of the symbols trades every day.
    for name in nodes():
        assert np.isfinite(found[name][100:, :5]).mean() > 0.99, name


def test_bounded_indicators_keep_their_bounds(found):
    bounds = dict.fromkeys(
        ("rsi_6", "rsi_12", "rsi_24", "kdj_k_9", "kdj_d_9", "stoch_k_14", "mfi_14", "psy_12"), (0, 100)
    )
    bounds |= {
        "ultimate_osc": (0, 100),
        "wr_14": (-100, 0),
        "adx_14": (0, 100),
        "aroon_25": (-100, 100),
        "cmf_20": (-1, 1),
    }

    for name, (low, high) in bounds.items():
        values = found[name][np.isfinite(found[name])]
        assert low - 1e-9 <= values.min() < values.max() <= high + 1e-9, name
