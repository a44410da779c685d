"""The 158 features against a reference in pandas, and their spelling in Qlib's language and in ours."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantflux.expressions import parse
from quantflux.expressions.evaluate import evaluate
from quantflux.expressions.nodes import lookback_of
from quantflux.factors.libraries import load_library
from tests.factors.libraries.alpha158_reference import WINDOWS, alpha158
from tests.factors.libraries.market import market

BARS = ["open", "high", "low", "close", "vwap", "volume"]

RETURN = "(close - delay(close, 1))"
CHANGE = "(volume - delay(volume, 1))"
HEAVY = "(abs(close / delay(close, 1) - 1) * volume)"
RISES = "fill_after(close > delay(close, 1), 0, close)"
FALLS = "fill_after(close < delay(close, 1), 0, close)"
NATIVE = {
    "KMID": "(close - open) / open",
    "KUP2": "(high - max(open, close)) / (high - low + 1e-12)",
    "KLOW": "(min(open, close) - low) / open",
    "KSFT2": "(2 * close - high - low) / (high - low + 1e-12)",
    "VWAP0": "vwap / close",
    "ROC5": "delay(close, 5) / close",
    "MA5": "ts_mean(close, 5, 1) / close",
    "STD5": "ts_std(close, 5, 1) / close",
    "BETA5": "ts_slope(close, 5, 1) / close",
    "RSQR5": "ts_rsquare(close, 5, 1)",
    "RESI5": "ts_resid(close, 5, 1) / close",
    "MAX5": "ts_max(high, 5, 1) / close",
    "MIN5": "ts_min(low, 5, 1) / close",
    "QTLU5": "ts_quantile(close, 5, 0.8, 1) / close",
    "QTLD5": "ts_quantile(close, 5, 0.2, 1) / close",
    "RANK5": "ts_rank(close, 5, 1)",
    "RSV5": "(close - ts_min(low, 5, 1)) / (ts_max(high, 5, 1) - ts_min(low, 5, 1) + 1e-12)",
    "IMAX5": "ts_argmax(high, 5, 1, gaps=1) / 5",
    "IMIN5": "ts_argmin(low, 5, 1, gaps=1) / 5",
    "IMXD5": "(ts_argmax(high, 5, 1, gaps=1) - ts_argmin(low, 5, 1, gaps=1)) / 5",
    "CORR5": "ts_corr(close, log(volume + 1), 5, 1, floor=2e-5)",
    "CORD5": "ts_corr(close / delay(close, 1), log(volume / delay(volume, 1) + 1), 5, 1, floor=2e-5)",
    "CNTP5": f"ts_mean({RISES}, 5, 1)",
    "CNTN5": f"ts_mean({FALLS}, 5, 1)",
    "CNTD5": f"ts_mean({RISES}, 5, 1) - ts_mean({FALLS}, 5, 1)",
    "SUMP5": f"ts_sum(max({RETURN}, 0), 5, 1) / (ts_sum(abs({RETURN}), 5, 1) + 1e-12)",
    "SUMN5": f"ts_sum(max(delay(close, 1) - close, 0), 5, 1) / (ts_sum(abs({RETURN}), 5, 1) + 1e-12)",
    "VMA5": "ts_mean(volume, 5, 1) / (volume + 1e-12)",
    "VSTD5": "ts_std(volume, 5, 1) / (volume + 1e-12)",
    "WVMA5": f"ts_std({HEAVY}, 5, 1) / (ts_mean({HEAVY}, 5, 1) + 1e-12)",
    "VSUMP5": f"ts_sum(max({CHANGE}, 0), 5, 1) / (ts_sum(abs({CHANGE}), 5, 1) + 1e-12)",
}


def test_features_equal_the_reference():
    panel = market(110, 6, 4)
    library = load_library("alpha158")
    found = evaluate({factor.id: factor.node for factor in library}, panel)

    with np.errstate(all="ignore"):
        symbols = [alpha158(pd.DataFrame({n: panel[n][:, column] for n in BARS})) for column in range(6)]

    for factor in library:
        expected = np.column_stack([symbol[factor.id] for symbol in symbols])
        scale = np.nanmax(np.abs(expected))
        np.testing.assert_allclose(
            found[factor.id], expected, rtol=1e-9, atol=1e-12 * scale, err_msg=factor.id
        )


@pytest.mark.parametrize("name", NATIVE)
def test_the_native_spelling_means_the_same(name):
    assert load_library("alpha158")[name].node is parse(NATIVE[name])


def test_there_are_the_158_of_qlib_in_its_order():
    ids = [factor.id for factor in load_library("alpha158")]
    families = [name.rstrip("0123456789") for name in ids[13 :: len(WINDOWS)]]

    assert len(ids) == 158
    assert " ".join(ids[:13]) == "KMID KLEN KMID2 KUP KUP2 KLOW KLOW2 KSFT KSFT2 OPEN0 HIGH0 LOW0 VWAP0"
    assert " ".join(families) == (
        "ROC MA STD BETA RSQR RESI MAX MIN QTLU QTLD RANK RSV IMAX IMIN IMXD CORR CORD CNTP CNTN CNTD SUMP SUMN SUMD"
        " VMA VSTD WVMA VSUMP VSUMN VSUMD"
    )
    assert ids[13:18] == ["ROC5", "ROC10", "ROC20", "ROC30", "ROC60"]


def test_what_counts_truths_looks_back_without_end():
    # A comparison is false, not missing, from the symbol's first bar on: that is known of the whole past alone.
    unbounded = {f.id.rstrip("0123456789") for f in load_library("alpha158") if lookback_of(f.node) is None}

    assert {"CNTP", "CNTN", "CNTD"} <= unbounded <= {"CNTP", "CNTN", "CNTD", "IMAX", "IMIN", "IMXD"}
