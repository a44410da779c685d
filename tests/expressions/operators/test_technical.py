"""Indicators against TA-Lib, a slow reference in plain Python, and cases by hand."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable

import numpy as np
import pytest
import talib

from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.expressions import parse
from quantflux.expressions.evaluate import evaluate
from quantflux.expressions.nodes import OPERATORS, lookback_of
from quantflux.expressions.operators.technical.indicator import Indicator
from quantflux.expressions.program.run import Shape
from tests.expressions.operators import technical_reference as reference

NAN = math.nan
FIELDS = ("open", "high", "low", "close", "volume")

WINDOWS = {
    "dema": (6,), "tema": (5,), "trix": (4,), "bias": (6,), "bbi": (), "macd": (5, 9), "macd_signal": (5, 9, 4),
    "macd_hist": (5, 9, 4), "ppo": (5, 9), "boll_middle": (10,), "boll_upper": (10, 2.5), "boll_lower": (10, 2.5),
    "boll_width": (10, 2.0), "percent_b": (10, 2.0), "true_range": (), "atr": (7,), "natr": (7,), "plus_di": (6,),
    "minus_di": (6,), "dx": (6,), "adx": (6,), "adxr": (6,), "aroon_up": (9,), "aroon_down": (9,), "aroon_osc": (9,),
    "momentum": (4,), "roc": (4,), "rsi": (6,), "cmo": (6,), "stoch_fast_k": (8,), "stoch_fast_d": (8, 3),
    "stoch_slow_k": (8, 4), "stoch_slow_d": (8, 4, 3), "kdj_k": (9, 3), "kdj_d": (9, 3, 4), "kdj_j": (9, 3, 4),
    "wr": (8,), "cci": (10,), "ultimate_osc": (3, 6, 11), "psy": (7,), "ar": (8,), "br": (8,), "cr": (8,), "obv": (),
    "pvt": (), "ad_line": (), "adosc": (3, 8), "cmf": (8,), "mfi": (7,), "vr": (8,), "emv": (6,),
}  # fmt: skip
"""Short windows, so that they are full between gaps."""

WARM_UP = 700
"""Rows after which the seed of a Wilder's mean of 14 has faded below 1e-20."""

ORACLES: dict[str, Callable[..., np.ndarray]] = {
    "dema(close, 12)": lambda o, h, lo, c, v: talib.DEMA(c, 12),
    "tema(close, 12)": lambda o, h, lo, c, v: talib.TEMA(c, 12),
    "trix(close, 12)": lambda o, h, lo, c, v: talib.TRIX(c, 12),
    "bias(close, 6)": lambda o, h, lo, c, v: 100 * (c / talib.SMA(c, 6) - 1),
    "macd(close)": lambda o, h, lo, c, v: talib.MACD(c)[0],
    "macd_signal(close)": lambda o, h, lo, c, v: talib.MACD(c)[1],
    "macd_hist(close)": lambda o, h, lo, c, v: 2 * talib.MACD(c)[2],
    "ppo(close)": lambda o, h, lo, c, v: talib.PPO(c, 12, 26, 1),
    "boll_middle(close)": lambda o, h, lo, c, v: talib.BBANDS(c, 20)[1],
    # TA-Lib's deviation divides by n, ours by n - 1.
    "boll_upper(close)": lambda o, h, lo, c, v: talib.BBANDS(c, 20, 2 * math.sqrt(20 / 19), 2)[0],
    "boll_lower(close)": lambda o, h, lo, c, v: talib.BBANDS(c, 20, 2, 2 * math.sqrt(20 / 19))[2],
    "true_range(high, low, close)": lambda o, h, lo, c, v: talib.TRANGE(h, lo, c),
    "atr(high, low, close)": lambda o, h, lo, c, v: talib.ATR(h, lo, c, 14),
    "natr(high, low, close)": lambda o, h, lo, c, v: talib.NATR(h, lo, c, 14),
    "plus_di(high, low, close)": lambda o, h, lo, c, v: talib.PLUS_DI(h, lo, c, 14),
    "minus_di(high, low, close)": lambda o, h, lo, c, v: talib.MINUS_DI(h, lo, c, 14),
    "dx(high, low, close)": lambda o, h, lo, c, v: talib.DX(h, lo, c, 14),
    "adx(high, low, close)": lambda o, h, lo, c, v: talib.ADX(h, lo, c, 14),
    "adxr(high, low, close)": lambda o, h, lo, c, v: talib.ADXR(h, lo, c, 14),
    "aroon_up(high)": lambda o, h, lo, c, v: talib.AROON(h, lo, 14)[1],
    "aroon_down(low)": lambda o, h, lo, c, v: talib.AROON(h, lo, 14)[0],
    "aroon_osc(high, low)": lambda o, h, lo, c, v: talib.AROONOSC(h, lo, 14),
    "momentum(close)": lambda o, h, lo, c, v: talib.MOM(c, 10),
    "roc(close)": lambda o, h, lo, c, v: talib.ROC(c, 10),
    "rsi(close)": lambda o, h, lo, c, v: talib.RSI(c, 14),
    "cmo(close)": lambda o, h, lo, c, v: talib.CMO(c, 14),
    "stoch_fast_k(high, low, close)": lambda o, h, lo, c, v: talib.STOCHF(h, lo, c, 5, 3)[0],
    "stoch_fast_d(high, low, close)": lambda o, h, lo, c, v: talib.STOCHF(h, lo, c, 5, 3)[1],
    "stoch_slow_k(high, low, close)": lambda o, h, lo, c, v: talib.STOCH(h, lo, c, 5, 3, 0, 3)[0],
    "stoch_slow_d(high, low, close)": lambda o, h, lo, c, v: talib.STOCH(h, lo, c, 5, 3, 0, 3)[1],
    "wr(high, low, close)": lambda o, h, lo, c, v: talib.WILLR(h, lo, c, 14),
    "cci(high, low, close)": lambda o, h, lo, c, v: talib.CCI(h, lo, c, 14),
    "ultimate_osc(high, low, close)": lambda o, h, lo, c, v: talib.ULTOSC(h, lo, c, 7, 14, 28),
    "obv(close, volume)": lambda o, h, lo, c, v: talib.OBV(c, v) - v[0],
    "ad_line(high, low, close, volume)": lambda o, h, lo, c, v: talib.AD(h, lo, c, v),
    "adosc(high, low, close, volume)": lambda o, h, lo, c, v: talib.ADOSC(h, lo, c, v, 3, 10),
    "mfi(high, low, close, volume)": lambda o, h, lo, c, v: talib.MFI(h, lo, c, v, 14),
}


def bars(rows: int, columns: int, seed: int, *, gaps: bool) -> Panel:
    """Random bars; with gaps: prices in cents, suspensions, days without a range, a late listing, a delisting."""
    rng = np.random.default_rng(seed)
    close = 20 * np.exp(np.cumsum(rng.normal(0, 0.02, (rows, columns)), axis=0))
    opened = close * np.exp(rng.normal(0, 0.01, close.shape))
    high = np.maximum(close, opened) * (1 + rng.exponential(0.005, close.shape))
    low = np.minimum(close, opened) * (1 - rng.exponential(0.005, close.shape))
    volume = rng.integers(1, 90_000, close.shape) * 100.0
    fields = dict(zip(FIELDS, (opened, high, low, close, volume), strict=True))
    if gaps:
        fields = {
            name: values if name == "volume" else np.round(values, 2) for name, values in fields.items()
        }
        locked = rng.random(close.shape) < 0.03
        for name in ("open", "high", "low"):
            fields[name] = np.where(locked, fields["close"], fields[name])
        gap = rng.random(close.shape) < 0.02
        gap[rows // 2 : rows // 2 + 12, 2] = True
        gap[: rows // 3, 0] = True
        gap[2 * rows // 3 :, 1] = True
        fields = {name: np.where(gap, np.nan, values) for name, values in fields.items()}
    days = np.datetime64("2020-01-01") + np.arange(rows)
    return Panel(days, [f"{600000 + i}.SH" for i in range(columns)], fields)


def text_of(name: str) -> str:
    inputs = [i.name if i.name in FIELDS else "close" for i in OPERATORS[name].arguments][: inputs_of(name)]
    return f"{name}({', '.join([*inputs, *map(str, WINDOWS[name])])})"


def inputs_of(name: str) -> int:
    return len(OPERATORS[name].arguments) - len(WINDOWS[name])


def test_every_indicator_is_tested():
    indicators = {name for name, operator in OPERATORS.items() if issubclass(operator, Indicator)}

    assert indicators == set(WINDOWS)
    assert all(OPERATORS[name].__doc__ for name in indicators)


def test_indicators_equal_talib_once_the_seeds_have_faded():
    panel = bars(1000, 3, 5, gaps=False)
    found = evaluate({text: parse(text) for text in ORACLES}, panel)

    for text, oracle in ORACLES.items():
        for column in range(3):
            expected = oracle(*(np.ascontiguousarray(panel[name][:, column]) for name in FIELDS))
            scale = np.abs(expected[WARM_UP:]).max()
            np.testing.assert_allclose(
                found[text][WARM_UP:, column], expected[WARM_UP:], rtol=1e-9, atol=1e-11 * scale, err_msg=text
            )


@pytest.mark.parametrize(
    "text",
    [
        "dema(close, 12)",
        "trix(close, 12)",
        "atr(high, low, close)",
        "rsi(close)",
        "adosc(high, low, close, volume)",
    ],
)
def test_seeds_are_those_of_talib_from_the_first_row(text):
    panel = bars(80, 1, 6, gaps=False)

    found = evaluate(parse(text), panel)["value"][:, 0]

    expected = ORACLES[text](*(np.ascontiguousarray(panel[name][:, 0]) for name in FIELDS))
    known = ~np.isnan(expected)
    np.testing.assert_allclose(found[known], expected[known], rtol=1e-9)


def test_indicators_equal_the_slow_reference_with_gaps():
    panel = bars(240, 6, 7, gaps=True)
    found = evaluate({name: parse(text_of(name)) for name in WINDOWS}, panel)

    for name, windows in WINDOWS.items():
        function = getattr(reference, name)
        inputs = [i.name if i.name in FIELDS else "close" for i in OPERATORS[name].arguments][
            : inputs_of(name)
        ]
        for column in range(6):
            series = [[None if math.isnan(x) else x for x in panel[i][:, column].tolist()] for i in inputs]
            expected = np.array([NAN if x is None else x for x in function(*series, *windows)])
            scale = np.nanmax(np.abs(expected), initial=0.0)
            np.testing.assert_allclose(
                found[name][:, column], expected, rtol=1e-9, atol=1e-11 * scale, err_msg=f"{name} {column}"
            )
            assert np.isfinite(expected).sum() > 20, f"{name} is hardly tested"


def test_the_past_never_changes_and_any_cut_gives_the_same_bits():
    panel = bars(200, 7, 8, gaps=True)
    nodes = {name: parse(text_of(name)) for name in WINDOWS}
    whole = evaluate(nodes, panel)

    shorter = evaluate(nodes, Panel(panel.times[:131], panel.symbols, {f: panel[f][:131] for f in FIELDS}))
    pieces = evaluate(nodes, panel, shape=Shape(chunk=7, block=3))
    threads = evaluate(nodes, panel, shape=Shape(chunk=64, block=2, threads=2))

    for name in nodes:
        np.testing.assert_array_equal(shorter[name], whole[name][:131], err_msg=name)
        np.testing.assert_array_equal(pieces[name], whole[name], err_msg=name)
        np.testing.assert_array_equal(threads[name], whole[name], err_msg=name)


def value_of(text: str, **fields: list[float]) -> list[float]:
    rows = len(next(iter(fields.values())))
    panel = Panel(
        np.datetime64("2024-01-01") + np.arange(rows),
        ["600000.SH"],
        {name: np.array(values, dtype=np.float64)[:, None] for name, values in fields.items()},
    )
    return evaluate(parse(text), panel)["value"][:, 0].tolist()


def assert_rows(found: list[float], expected: list[float]) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_rsi_by_hand():
    # Changes 1, -1, 2, 1. The first two give gains and losses of 1/2; then (1/2 + 2)/2 and 1/4; then 9/8 and 1/8.
    assert_rows(value_of("rsi(close, 2)", close=[10, 11, 10, 12, 13]), [NAN, NAN, 50, 100 * 5 / 6, 90])


def test_rsi_counts_the_jump_over_a_gap():
    # As for 10, 11, 10, 12 without the missing row.
    assert_rows(value_of("rsi(close, 2)", close=[10, 11, 10, NAN, 12]), [NAN, NAN, 50, NAN, 100 * 5 / 6])


def test_rsi_of_a_price_that_stands_still_is_missing():
    assert_rows(value_of("rsi(close, 2)", close=[10, 10, 10, 10]), [NAN] * 4)


def test_kdj_by_hand():
    bar = {"high": [4, 6, 6, 8], "low": [2, 2, 4, 4], "close": [3, 5, 5, 8]}

    # Ranges of two days: 2..6, 2..6, 4..8: RSV 75, 75, 100. K starts at 75, then 75, then 75 + 25/3.
    assert_rows(value_of("kdj_k(high, low, close, 2, 3)", **bar), [NAN, 75, 75, 250 / 3])
    assert_rows(value_of("kdj_d(high, low, close, 2, 3, 3)", **bar), [NAN, 75, 75, 75 + 25 / 9])
    assert_rows(value_of("kdj_j(high, low, close, 2, 3, 3)", **bar), [NAN, 75, 75, 250 - 150 - 50 / 9])


def test_macd_by_hand():
    close = [1, 2, 3, 5]

    # Means of 2, weight 2/3: 1.5, 2.5, 25/6. Means of 3, weight 1/2: 2, 3.5.
    assert_rows(value_of("macd(close, 2, 3)", close=close), [NAN, NAN, 0.5, 25 / 6 - 3.5])
    assert_rows(value_of("macd_signal(close, 2, 3, 2)", close=close), [NAN, NAN, NAN, 7 / 12])
    assert_rows(value_of("macd_hist(close, 2, 3, 2)", close=close), [NAN, NAN, NAN, 2 * (2 / 3 - 7 / 12)])


def test_bands_by_hand():
    close = [1, 3, 7]

    # Sample deviation of a and b: |a - b| / sqrt(2).
    root = math.sqrt(2)
    assert_rows(value_of("boll_upper(close, 2, 2)", close=close), [NAN, 2 + 2 * root, 5 + 4 * root])
    assert_rows(value_of("percent_b(close, 2, 2)", close=close), [NAN, *[0.5 + 1 / (4 * root)] * 2])
    assert_rows(value_of("boll_width(close, 2, 2)", close=close), [NAN, 2 * root, 8 * root / 5])


def test_directional_movement_by_hand():
    bar = {"high": [10, 12, 12, 15], "low": [8, 9, 7, 11], "close": [9, 11, 8, 14]}

    # Upward 2, 0, 3; downward 0, 2, 0; true ranges 3, 5, 7. Wilder's means of two: 1, 2; 1, 1/2; 4, 11/2.
    assert_rows(value_of("true_range(high, low, close)", **bar), [NAN, 3, 5, 7])
    assert_rows(value_of("atr(high, low, close, 2)", **bar), [NAN, NAN, 4, 5.5])
    assert_rows(value_of("plus_di(high, low, close, 2)", **bar), [NAN, NAN, 25, 200 / 5.5])
    assert_rows(value_of("minus_di(high, low, close, 2)", **bar), [NAN, NAN, 25, 50 / 5.5])
    assert_rows(value_of("dx(high, low, close, 2)", **bar), [NAN, NAN, 0, 60])
    assert_rows(value_of("adx(high, low, close, 2)", **bar), [NAN, NAN, NAN, 30])


def test_aroon_takes_the_oldest_of_equal_extremes():
    assert_rows(value_of("aroon_up(high, 2)", high=[1, 3, 3, 2, 5]), [NAN, NAN, 50, 0, 100])
    assert_rows(value_of("aroon_down(low, 2)", low=[1, 3, 1, 1, 5]), [NAN, NAN, 0, 50, 0])


def test_volume_by_hand():
    bar = {"close": [10, 11, 11, 9], "volume": [100, 200, 300, 400]}

    # Rising 200, level 300, falling 400.
    assert_rows(value_of("obv(close, volume)", **bar), [NAN, 200, 200, -200])
    assert_rows(value_of("vr(close, volume, 3)", **bar), [NAN, NAN, NAN, 100 * (400 + 300) / (800 + 300)])
    assert_rows(value_of("psy(close, 3)", close=bar["close"]), [NAN, NAN, NAN, 100 / 3])


def test_a_day_without_a_range_adds_nothing_to_the_accumulation_line():
    bar = {"high": [12, 10, 12], "low": [8, 10, 8], "close": [11, 10, 8], "volume": [10, 50, 20]}

    assert_rows(value_of("ad_line(high, low, close, volume)", **bar), [5, 5, -15])
    assert_rows(value_of("cmf(high, low, close, volume, 2)", **bar), [NAN, 5 / 60, -20 / 70])


def test_pressure_by_hand():
    bar = {"open": [9, 11, 10], "high": [11, 12, 12], "low": [8, 9, 9], "close": [10, 11, 9]}

    # Above and below the previous close: 2, 1 and 1, 2. Of the middle before (9.5, 10.5): 2.5, 1.5 and 0.5, 1.5.
    assert_rows(
        value_of("ar(open, high, low, 2)", **{k: bar[k] for k in ("open", "high", "low")}), [NAN, 100, 100]
    )
    assert_rows(
        value_of("br(high, low, close, 2)", **{k: bar[k] for k in ("high", "low", "close")}), [NAN, NAN, 100]
    )
    assert_rows(value_of("cr(high, low, 2)", high=bar["high"], low=bar["low"]), [NAN, NAN, 200])


def test_what_looks_back_on_a_window_says_so():
    assert lookback_of(parse("boll_upper(close, 20)")) == 19
    assert lookback_of(parse("roc(ts_mean(close, 5), 10)")) == 14
    assert lookback_of(parse("rsi(close, 14)")) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("macd(close, 26, 12)", "macd: fast must be less than slow, were 26 and 12"),
        ("ultimate_osc(high, low, close, 7, 28, 28)", "ultimate_osc: medium must be less than long"),
        ("rsi(close, 0)", "rsi: window must be 1 to"),
        ("rsi(5, 14)", "x must change over time, was the number 5"),
        ("boll_upper(close, 1)", "ts_std needs a window of at least 2 rows"),
        ("kdj_k(high, low, 9)", "close must change over time, was the number 9"),
    ],
)
def test_what_makes_no_sense_is_refused(text, problem):
    with pytest.raises(InvalidRequest, match=problem):
        parse(text)


def test_the_reference_has_no_function_that_is_not_an_indicator():
    own = {
        n for n, f in inspect.getmembers(reference, inspect.isfunction) if f.__module__ == reference.__name__
    }
    helpers = {
        "each",
        "rolling",
        "before",
        "previous",
        "smoothed",
        "wilder",
        "ema",
        "chinese_sma",
        "running_sum",
    }
    helpers |= {"mean", "deviation", "moving", "summed"}

    assert {name for name in own if not name.startswith("_")} - helpers == set(WINDOWS)
