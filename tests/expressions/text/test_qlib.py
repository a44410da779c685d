"""Qlib's spelling: what each function becomes, and that what it becomes has Qlib's rule for gaps.

For the second, expressions are computed twice on series with gaps: by pandas as `qlib/data/ops.py` does it, and by
our definitions, written out below number by number.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from quantflux.core.errors import ExpressionError
from quantflux.expressions import Constant, Field, Node, parse, to_text
from quantflux.expressions.nodes import fields_of, topological
from quantflux.expressions.text import qlib

MEANINGS = {
    "$close": "close",
    "$close/$open": "close / open",
    "-1*$close": "-1 * close",
    "Ref($close, 1)": "delay(close, 1)",
    "Ref(Ref($close, 1), 2)": "delay(close, 3)",
    "Delta($close, 5)": "delta(close, 5)",
    "Mean($close, 20)": "ts_mean(close, 20, least=1)",
    "Sum($close, 20)": "ts_sum(close, 20, least=1)",
    "Std($close, 20)": "ts_std(close, 20, least=1)",
    "Var($close, 20)": "ts_var(close, 20, least=1)",
    "Skew($close, 20)": "ts_skew(close, 20, least=1)",
    "Kurt($close, 20)": "ts_kurt(close, 20, least=1)",
    "Max($high, 20)": "ts_max(high, 20, least=1)",
    "Min($low, 20)": "ts_min(low, 20, least=1)",
    "IdxMax($high, 20)": "ts_argmax(high, 20, least=1, gaps=1)",
    "IdxMin($low, 20)": "ts_argmin(low, 20, least=1, gaps=1)",
    "IdxMin($low/2, 20)": "mask(ts_argmin(fill_after(low / 2, -1e300, low), 20, least=1), ts_count(low / 2, 20))",
    "Med($close, 20)": "ts_median(close, 20, least=1)",
    "Mad($close, 20)": "ts_mad(close, 20, least=1)",
    "Rank($close, 20)": "ts_rank(close, 20, least=1)",
    "Quantile($close, 20, 0.8)": "ts_quantile(close, 20, 0.8, least=1)",
    "Slope($close, 20)": "ts_slope(close, 20, least=1)",
    "Rsquare($close, 20)": "ts_rsquare(close, 20, least=1)",
    "Resi($close, 20)": "ts_resid(close, 20, least=1)",
    "Count($close, 20)": "fill_after(ts_count(close, 20), 0, close)",
    "EMA($close, 20)": "ema(close, 20, adjust=1)",
    "EMA($close, 0.1)": "ema(close, 19, adjust=1)",
    "EMA($close, 0.5)": "ema(close, 3, adjust=1)",
    "Corr($close, Log($volume+1), 20)": "ts_corr(close, log(volume + 1), 20, least=1, floor=2e-5)",
    "Cov($close, $open, 20)": "ts_cov(close, open, 20, least=1)",
    "Abs($close)": "abs(close)",
    "Sign($close)": "sign(close)",
    "Log($close)": "log(close)",
    "Power($close, 2)": "close ** 2",
    "$close**2": "close ** 2",
    "Add($close, 1)": "close + 1",
    "Sub($close, $open)": "close - open",
    "Mul(2, $close)": "2 * close",
    "Div($close, $open)": "close / open",
    "Greater($close, $open)": "max(close, open)",
    "Less($close, 0)": "min(close, 0)",
    "Gt($close, $open)": "fill_after(close > open, 0, close)",
    "Ge($close, $open)": "fill_after(close >= open, 0, close)",
    "Lt($close, $open)": "fill_after(open > close, 0, close)",
    "Le($close, $open)": "fill_after(open >= close, 0, close)",
    "Eq($close, $open)": "fill_after(close == open, 0, close)",
    "Ne($close, $open)": "fill_after(close != open, 1, close)",
    "$close>Ref($open, 1)": "fill_after(close > delay(open, 1), 0, close)",
    "$close<$open": "fill_after(open > close, 0, close)",
    "2<$open": "fill_after(open > 2, 0, open)",
    "$close!=$open": "fill_after(close != open, 1, close)",
    "And($close>1, $open>1)": "fill_after(close > 1, 0, close) & fill_after(open > 1, 0, open)",
    "($close>1) | ($open>1)": "fill_after(close > 1, 0, close) | fill_after(open > 1, 0, open)",
    "Or($close>1, $open>1)": "fill_after(close > 1, 0, close) | fill_after(open > 1, 0, open)",
    "Not($close>1)": "!fill_after(close > 1, 0, close)",
    "If($close>$open, $close, 0)": "where(fill_after(close > open, 0, close), close, 0)",
    "If(1, $close, $open)": "where(1, close, open)",
    "If($close, 1, $open)": "where(fill_after(close, 1, close), 1, open)",
    # Our own names keep their meaning among Qlib's; a comparison in such a text is Qlib's.
    "rank(Mean($close, 5))": "rank(ts_mean(close, 5, least=1))",
    "Rank($close, 5) - rank($close)": "ts_rank(close, 5, least=1) - rank(close)",
    "max($high, 5)": "max(high, 5)",
    "ts_mean($close, 5) / close": "ts_mean(close, 5) / close",
    "gt($close, open)": "close > open",
    "$close > open ? 1 : 0": "where(fill_after(close > open, 0, close), 1, 0)",
}


@pytest.mark.parametrize("text", MEANINGS)
def test_a_function_becomes_ours(text: str) -> None:
    node = parse(text)

    assert node is parse(MEANINGS[text])
    assert parse(to_text(node)) is node


def test_every_function_is_tried() -> None:
    tried = set(MEANINGS) | set(COMPUTED)

    assert [name for name in qlib.FUNCTIONS if not any(f"{name}(" in text for text in tried)] == []


def test_the_dialect_can_be_asked_for() -> None:
    assert parse("Mean(close, 5)", dialect="qlib") is parse("Mean($close, 5)")
    assert parse("close > open", dialect="qlib") is parse("$close > $open")
    assert parse("close > open") is (Field("close") > Field("open"))


@pytest.mark.parametrize("name", sorted(qlib.UNSUPPORTED))
def test_what_has_no_counterpart_says_what_to_do(name: str) -> None:
    with pytest.raises(ExpressionError, match=f"Qlib's {name} is not supported") as caught:
        parse(f"{name}($close, 1)")

    assert len(caught.value.hint) > 10


# One of each shape of Alpha158 and Alpha360; {d} is a window.
ALPHA158 = """
($close-$open)/$open
($high-$low)/$open
($close-$open)/($high-$low+1e-12)
($high-Greater($open, $close))/$open
($high-Greater($open, $close))/($high-$low+1e-12)
(Less($open, $close)-$low)/$open
(Less($open, $close)-$low)/($high-$low+1e-12)
(2*$close-$high-$low)/$open
(2*$close-$high-$low)/($high-$low+1e-12)
$open/$close
$vwap/$close
Ref($close, {d})/$close
Ref($vwap, {d})/$close
Ref($volume, {d})/($volume+1e-12)
$volume/($volume+1e-12)
Mean($close, {d})/$close
Std($close, {d})/$close
Slope($close, {d})/$close
Rsquare($close, {d})
Resi($close, {d})/$close
Max($high, {d})/$close
Min($low, {d})/$close
Quantile($close, {d}, 0.8)/$close
Quantile($close, {d}, 0.2)/$close
Rank($close, {d})
($close-Min($low, {d}))/(Max($high, {d})-Min($low, {d})+1e-12)
IdxMax($high, {d})/{d}
IdxMin($low, {d})/{d}
(IdxMax($high, {d})-IdxMin($low, {d}))/{d}
Corr($close, Log($volume+1), {d})
Corr($close/Ref($close,1), Log($volume/Ref($volume, 1)+1), {d})
Mean($close>Ref($close, 1), {d})
Mean($close<Ref($close, 1), {d})
Mean($close>Ref($close, 1), {d})-Mean($close<Ref($close, 1), {d})
Sum(Greater($close-Ref($close, 1), 0), {d})/(Sum(Abs($close-Ref($close, 1)), {d})+1e-12)
Sum(Greater(Ref($close, 1)-$close, 0), {d})/(Sum(Abs($close-Ref($close, 1)), {d})+1e-12)
(Sum(Greater($close-Ref($close, 1), 0), {d})-Sum(Greater(Ref($close, 1)-$close, 0), {d}))/(Sum(Abs($close-Ref($close, 1)), {d})+1e-12)
Mean($volume, {d})/($volume+1e-12)
Std($volume, {d})/($volume+1e-12)
Std(Abs($close/Ref($close, 1)-1)*$volume, {d})/(Mean(Abs($close/Ref($close, 1)-1)*$volume, {d})+1e-12)
Sum(Greater($volume-Ref($volume, 1), 0), {d})/(Sum(Abs($volume-Ref($volume, 1)), {d})+1e-12)
(Sum(Greater($volume-Ref($volume, 1), 0), {d})-Sum(Greater(Ref($volume, 1)-$volume, 0), {d}))/(Sum(Abs($volume-Ref($volume, 1)), {d})+1e-12)
""".strip().split("\n")  # noqa: E501


@pytest.mark.parametrize("shape", ALPHA158)
@pytest.mark.parametrize("window", [5, 10, 20, 30, 60])
def test_every_shape_of_alpha158_is_read_and_written(shape: str, window: int) -> None:
    text = shape.format(d=window)
    node = parse(text, fields={"open", "high", "low", "close", "vwap", "volume"})

    assert parse(to_text(node)) is node
    assert set(fields_of(node)) == {
        name for name in ("open", "high", "low", "close", "vwap", "volume") if f"${name}" in text
    }


# Qlib's rules, computed.

NAN = math.nan
Frame = dict[str, pd.Series]


def weighted(x: np.ndarray) -> float:
    weights = np.arange(len(x)) + 1
    return float(np.nanmean(weights / weights.sum() * x))


def roll(x: pd.Series, rows: int) -> pd.api.typing.Rolling:
    return x.rolling(rows, min_periods=1)


COMPUTED: dict[str, Callable[[Frame], pd.Series]] = {
    "$close > $open": lambda f: f["close"] > f["open"],
    "$open <= $close": lambda f: f["open"] <= f["close"],
    "$close == $open": lambda f: f["close"] == f["open"],
    "$close != $open": lambda f: f["close"] != f["open"],
    "Ne($close, Ref($close, 1))": lambda f: f["close"] != f["close"].shift(1),
    "Mean($close>Ref($close, 1), 3)": lambda f: roll(
        (f["close"] > f["close"].shift(1)).astype(float), 3
    ).mean(),
    "Mean($close<Ref($close, 1), 3)": lambda f: roll(
        (f["close"] < f["close"].shift(1)).astype(float), 3
    ).mean(),
    "Sum(Not($close>$open), 4)": lambda f: roll((~(f["close"] > f["open"])).astype(float), 4).sum(),
    "And($close>$open, Lt($close, 5))": lambda f: (f["close"] > f["open"]) & (f["close"] < 5),
    "Or($close>$open, $close!=5)": lambda f: (f["close"] > f["open"]) | (f["close"] != 5),
    "If($close>$open, $close, Ref($open, 1))": lambda f: pd.Series(
        np.where(f["close"] > f["open"], f["close"], f["open"].shift(1))
    ),
    "If($close-$open, 1, 2)": lambda f: pd.Series(np.where((f["close"] - f["open"]).astype(bool), 1, 2)),
    "Count($close, 3)": lambda f: roll(f["close"], 3).count(),
    "Count(Ref($close, 2)/$open, 4)": lambda f: roll(f["close"].shift(2) / f["open"], 4).count(),
    "IdxMax($close, 3)": lambda f: roll(f["close"], 3).apply(lambda x: x.argmax() + 1, raw=True),
    "IdxMin(Ref($close, 2), 4)": lambda f: roll(f["close"].shift(2), 4).apply(
        lambda x: x.argmin() + 1, raw=True
    ),
    "IdxMax($close-Ref($open, 1), 5)": lambda f: roll(f["close"] - f["open"].shift(1), 5).apply(
        lambda x: x.argmax() + 1, raw=True
    ),
    "WMA($close, 1)": lambda f: roll(f["close"], 1).apply(weighted, raw=True),
    "WMA($close, 4)": lambda f: roll(f["close"], 4).apply(weighted, raw=True),
    "WMA(Ref($close, 1)*$open, 5)": lambda f: roll(f["close"].shift(1) * f["open"], 5).apply(
        weighted, raw=True
    ),
    "Mean(Sum($close, 3), 3)": lambda f: roll(roll(f["close"], 3).sum(), 3).mean(),
}


@pytest.mark.parametrize("text", COMPUTED)
def test_gaps_are_treated_as_in_qlib(text: str) -> None:
    rng = random.Random(7)
    node = parse(text)
    for _ in range(40):
        rows, unlisted = rng.randint(1, 14), rng.randint(0, 3)
        series = {
            name: [NAN if rng.random() < 0.3 else float(rng.randint(1, 9)) for _ in range(rows)]
            for name in ("close", "open")
        }
        series["close"][0] = series["open"][0] = 4.0  # the day of listing

        wanted = COMPUTED[text]({name: pd.Series(x) for name, x in series.items()}).astype(float).tolist()
        found = computed(node, {name: [NAN] * unlisted + x for name, x in series.items()})

        assert found[:unlisted] == pytest.approx([NAN] * unlisted, nan_ok=True)
        assert found[unlisted:] == pytest.approx(wanted, nan_ok=True, rel=1e-12), series


def computed(root: Node, fields: dict[str, list[float]]) -> list[float]:
    """The values of an expression for one symbol, from the definitions of its operators."""
    values: dict[Node, list[float]] = {}
    length = len(next(iter(fields.values())))
    for node in topological([root]):
        if isinstance(node, Field):
            values[node] = fields[node.field]
        elif isinstance(node, Constant):
            values[node] = [node.value] * length
        else:
            inputs = [values[i] for i in node.inputs]
            values[node] = [value_at(node, inputs, row) for row in range(length)]
    return values[root]


ELEMENTWISE: dict[str, Callable[..., float]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "gt": lambda x, y: float(x > y),
    "ge": lambda x, y: float(x >= y),
    "eq": lambda x, y: float(x == y),
    "ne": lambda x, y: float(x != y),
    "and_": lambda x, y: float(bool(x) and bool(y)),
    "or_": lambda x, y: float(bool(x) or bool(y)),
    "not_": lambda x: float(not x),
}


def value_at(node: Node, inputs: list[list[float]], row: int) -> float:
    now = [x[row] for x in inputs]
    if node.name in ELEMENTWISE:
        return NAN if any(map(math.isnan, now)) else ELEMENTWISE[node.name](*now)
    if node.name == "where":
        return NAN if math.isnan(now[0]) else now[1] if now[0] else now[2]
    if node.name == "fill_after":
        known = any(not math.isnan(x) for x in inputs[1][: row + 1])
        return float(node.parameters[0]) if math.isnan(now[0]) and known else now[0]
    if node.name == "mask":
        return NAN if math.isnan(now[1]) else now[0]
    if node.name == "delay":
        before = row - int(node.parameters[0])
        return inputs[0][before] if before >= 0 else NAN
    rows = int(node.parameters[0])
    window = {k: inputs[0][row - k] for k in range(min(rows, row + 1)) if not math.isnan(inputs[0][row - k])}
    least = int(node.parameters[1]) if len(node.parameters) > 1 else 1
    if len(window) < least:
        return NAN
    if node.name in {"ts_argmax", "ts_argmin"}:
        return position(node, inputs[0], row)
    weights = {k: rows - k if node.name == "decay_linear" else 1 for k in window}
    if node.name == "ts_count":
        return float(len(window))
    total = sum(weights[k] * x for k, x in window.items())
    return total if node.name == "ts_sum" else total / sum(weights.values())


def position(node: Node, x: list[float], row: int) -> float:
    rows, _, gaps = map(int, node.parameters)
    listed = next(k for k, value in enumerate(x) if not math.isnan(value))
    oldest = max(row - rows + 1, listed)
    sign = 1 if node.name == "ts_argmax" else -1
    missing = math.inf if gaps else -math.inf
    seen = [missing if math.isnan(value) else sign * value for value in x[oldest : row + 1]]
    return float(1 + seen.index(max(seen)))
