"""From what is meant to how it is computed: nodes become steps.

1. Composite operators are replaced by their definitions (`expanded_all`).
2. Every node is turned into steps by the rule of its class (`_RULES`); one kernel serves all operators that it has
   an output for, so that mean and sum, or slope, R squared and residual of one window cost one pass.
3. A delay is no step: it is a value read further back.

A node's steps never depend on which other expressions are wanted, so a factor has the same bits in any company.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.kernels import (
    correlation,
    deviation,
    elementwise,
    extremes,
    moments,
    ordering,
    recursive,
    regression,
    row_groups,
    row_ranks,
    row_regression,
    rows,
    sums,
)
from quantflux.expressions.kernels.contract import Kernel
from quantflux.expressions.kernels.rows import RowKernel
from quantflux.expressions.nodes import Constant, Field, Node, topological
from quantflux.expressions.operators import cross_section as x
from quantflux.expressions.operators import elementwise as e
from quantflux.expressions.operators import recursive as r
from quantflux.expressions.operators import rolling as w
from quantflux.expressions.operators.composite import Composite, expanded
from quantflux.expressions.program.steps import Call, Fill, Graph, Load, RowCall, Ufunc, Value

_Node = TypeVar("_Node", bound=Node)
Rule = Callable[[Graph, Node, Sequence[Value]], Value]

MAX_NODES = 20_000
"""Most nodes of all expressions of one program together."""


def lower(expressions: Mapping[str, Node]) -> tuple[Graph, dict[str, Value]]:
    """Return the steps of some expressions, and by name the value that each of them is."""
    plain = dict(zip(expressions, expanded_all(list(expressions.values())), strict=True))
    graph = Graph()
    values: dict[Node, Value] = {}
    for node in topological(plain.values()):
        values[node] = _rule_of(node)(graph, node, [values[i] for i in node.inputs])
    return graph, {name: values[node] for name, node in plain.items()}


def expanded_all(roots: Sequence[Node]) -> list[Node]:
    """Return expressions with every composite operator replaced by its definition."""
    current = list(roots)
    while True:
        order = topological(current)
        if len(order) > MAX_NODES:
            raise InvalidRequest(
                f"the expressions have {len(order):,} parts, more than {MAX_NODES:,}; compute fewer at once"
            )
        if not any(isinstance(node, Composite) for node in order):
            return current
        made: dict[Node, Node] = {}
        for node in order:
            inputs = tuple(made[i] for i in node.inputs)
            kept = node if inputs == node.inputs else type(node).interned(inputs, node.parameters)
            made[node] = expanded(kept)
        current = [made[root] for root in current]


def _rule_of(node: Node) -> Rule:
    rule = _RULES.get(type(node))
    if rule is None:
        raise InvalidRequest(
            f"{node.name} cannot be part of a factor"
            + (": it looks into the future" if node.name == "lead" else "")
        )
    return rule


def _field(graph: Graph, node: Node, _: Sequence[Value]) -> Value:
    assert isinstance(node, Field)  # noqa: S101 - the table says so
    return graph.add(Load(node.field))


def _constant(graph: Graph, node: Node, _: Sequence[Value]) -> Value:
    assert isinstance(node, Constant)  # noqa: S101 - the table says so
    return graph.add(Fill(node.value))


def _delay(_: Graph, node: Node, inputs: Sequence[Value]) -> Value:
    return inputs[0].delayed(int(node.parameters[0]))


def _binary(what: int) -> Rule:
    return lambda graph, _, inputs: graph.add(Call(elementwise.BINARY, (what,)), *inputs)


def _unary(what: int) -> Rule:
    return lambda graph, _, inputs: graph.add(Call(elementwise.UNARY, (what,)), *inputs)


def _ufunc(function: Callable[..., object]) -> Rule:
    return lambda graph, _, inputs: graph.add(
        Call(elementwise.UNARY, (elementwise.FINITE,)), graph.add(Ufunc(function), *inputs)
    )


def _power(graph: Graph, _: Node, inputs: Sequence[Value]) -> Value:
    return _power_of(graph, *inputs)


def _power_of(graph: Graph, base: Value, exponent: Value) -> Value:
    power = graph.add(
        Call(elementwise.UNARY, (elementwise.FINITE,)), graph.add(Ufunc(np.power), base, exponent)
    )
    # NumPy says 1 for anything to the power of 0, and for 1 to that of anything, missing values included.
    for operand in (base, exponent):
        if not isinstance(graph.steps[operand.step].action, Fill):
            power = graph.add(Call(elementwise.BINARY, (elementwise.MASK,)), power, operand)
    return power


def _signed_power(graph: Graph, _: Node, inputs: Sequence[Value]) -> Value:
    base, exponent = inputs
    size = graph.add(Call(elementwise.UNARY, (elementwise.ABSOLUTE,)), base)
    sign = graph.add(Call(elementwise.UNARY, (elementwise.SIGN,)), base)
    power = _power_of(graph, size, exponent)
    return graph.add(Call(elementwise.BINARY, (elementwise.MULTIPLY,)), sign, power)


def _call(kernel: Kernel, output: int = 0) -> Rule:
    """Return the rule of an operator whose parameters are the kernel's."""
    return lambda graph, node, inputs: graph.add(Call(kernel, node.parameters), *inputs, output=output)


def _count(graph: Graph, node: Node, inputs: Sequence[Value]) -> Value:
    return graph.add(Call(sums.ROLLING_SUM, (node.parameters[0], 1)), *inputs, output=2)


def _covariance(graph: Graph, node: Node, inputs: Sequence[Value]) -> Value:
    return graph.add(Call(correlation.ROLLING_CORRELATION, (*node.parameters, 0.0)), *inputs, output=1)


def _row(kernel: RowKernel) -> Rule:
    return lambda graph, node, inputs: graph.add(RowCall(kernel, node.parameters), *inputs)


def _gathered(kernel_of: Callable[[int], RowKernel], beside: int) -> Rule:
    """Return the rule of a row kernel that takes any number of exposures beside its first inputs."""
    return lambda graph, _, inputs: graph.add(RowCall(kernel_of(len(inputs) - beside)), *inputs)


def _enough(graph: Graph, value: Value, x_: Value, window: int, least: int) -> Value:
    """Return a value where x has at least `least` numbers in the window; one number is implied by the value."""
    if least == 1:
        return value
    count = graph.add(Call(sums.ROLLING_SUM, (window, 1)), x_, output=2)
    return graph.add(Call(extremes.MASK_BY_COUNT, (least,)), value, count)


def _extreme(step: Kernel) -> Rule:
    def rule(graph: Graph, node: Node, inputs: Sequence[Value]) -> Value:
        window, least = (int(p) for p in node.parameters)
        value = inputs[0]
        for lag in extremes.doubling_steps(window):
            value = graph.add(Call(step, (lag,)), value)
        return _enough(graph, value, inputs[0], window, least)

    return rule


def _arg_extreme(step: Kernel, plain: Kernel) -> Rule:
    def rule(graph: Graph, node: Node, inputs: Sequence[Value]) -> Value:
        window, least, gaps = (int(p) for p in node.parameters)
        value = graph.add(Call(extremes.ARG_START, (gaps,)), inputs[0])
        place = Value(value.step, 1)
        for lag in extremes.doubling_steps(window):
            value = graph.add(Call(step, (lag,)), value, place)
            place = Value(value.step, 1)
        known = inputs[0]  # with gaps, the extreme itself may be a missing value: ask the skipping kernel
        for lag in extremes.doubling_steps(window):
            known = graph.add(Call(plain, (lag,)), known)
        known = _enough(graph, known, inputs[0], window, least)
        return graph.add(Call(extremes.ARG_INDEX, (window,)), place, known)

    return rule


def _ema(graph: Graph, node: Node, inputs: Sequence[Value]) -> Value:
    span, adjust, least = node.parameters
    return graph.add(Call(recursive.EWM, (2.0 / (span + 1.0), adjust, least)), *inputs)


def _sma(graph: Graph, node: Node, inputs: Sequence[Value]) -> Value:
    n, m = node.parameters
    return graph.add(Call(recursive.SEEDED_EWM, (m / n, 1)), *inputs)


def _wilder(graph: Graph, node: Node, inputs: Sequence[Value]) -> Value:
    window = int(node.parameters[0])
    return graph.add(Call(recursive.SEEDED_EWM, (1.0 / window, window)), *inputs)


def _seeded_ema(graph: Graph, node: Node, inputs: Sequence[Value]) -> Value:
    window = int(node.parameters[0])
    return graph.add(Call(recursive.SEEDED_EWM, (2.0 / (window + 1.0), window)), *inputs)


def _quantile(graph: Graph, node: Node, inputs: Sequence[Value]) -> Value:
    window, q, least = node.parameters
    return _quantile_of(graph, inputs[0], window, least, float(q))


def _median(graph: Graph, node: Node, inputs: Sequence[Value]) -> Value:
    window, least = node.parameters
    return _quantile_of(graph, inputs[0], window, least, 0.5)


def _quantile_of(graph: Graph, x_: Value, window: float, least: float, q: float) -> Value:
    # The kernel reads two quantiles of one sorted window: the one asked for and its mirror, which is often wanted too.
    mirror = round(1.0 - q, 12)
    low, high = sorted((q, mirror))
    call = Call(ordering.ROLLING_QUANTILES, (window, least, low, high))
    return graph.add(call, x_, output=0 if q <= mirror else 1)


def _fill_after(graph: Graph, node: Node, inputs: Sequence[Value]) -> Value:
    return graph.add(Call(recursive.FILL_AFTER, node.parameters), *inputs)


_RULES: Mapping[type[Node], Rule] = {
    Field: _field,
    Constant: _constant,
    e.Add: _binary(elementwise.ADD),
    e.Subtract: _binary(elementwise.SUBTRACT),
    e.Multiply: _binary(elementwise.MULTIPLY),
    e.Divide: _binary(elementwise.DIVIDE),
    e.Larger: _binary(elementwise.LARGER),
    e.Smaller: _binary(elementwise.SMALLER),
    e.Greater: _binary(elementwise.GREATER),
    e.GreaterEqual: _binary(elementwise.GREATER_EQUAL),
    e.Equal: _binary(elementwise.EQUAL),
    e.Unequal: _binary(elementwise.UNEQUAL),
    e.And: _binary(elementwise.AND),
    e.Or: _binary(elementwise.OR),
    e.Mask: _binary(elementwise.MASK),
    e.Not: _unary(elementwise.NOT),
    e.Negative: _unary(elementwise.NEGATIVE),
    e.Absolute: _unary(elementwise.ABSOLUTE),
    e.Sign: _unary(elementwise.SIGN),
    e.Floor: _unary(elementwise.FLOOR),
    e.Power: _power,
    e.SignedPower: _signed_power,
    e.Log: _ufunc(np.log),
    e.Exp: _ufunc(np.exp),
    e.SquareRoot: _ufunc(np.sqrt),
    e.Tanh: _ufunc(np.tanh),
    e.Clip: _call(elementwise.CLIP),
    e.Where: _call(elementwise.WHERE),
    w.Delay: _delay,
    w.Sum: _call(sums.ROLLING_SUM, 0),
    w.Mean: _call(sums.ROLLING_SUM, 1),
    w.Count: _count,
    w.Variance: _call(moments.ROLLING_MOMENTS, 0),
    w.StandardDeviation: _call(moments.ROLLING_MOMENTS, 1),
    w.Skewness: _call(moments.ROLLING_SHAPE, 0),
    w.Kurtosis: _call(moments.ROLLING_SHAPE, 1),
    w.MeanAbsoluteDeviation: _call(deviation.ROLLING_MAD),
    w.Product: _call(deviation.ROLLING_PRODUCT),
    w.Maximum: _extreme(extremes.MAX_STEP),
    w.Minimum: _extreme(extremes.MIN_STEP),
    w.ArgMaximum: _arg_extreme(extremes.ARGMAX_STEP, extremes.MAX_STEP),
    w.ArgMinimum: _arg_extreme(extremes.ARGMIN_STEP, extremes.MIN_STEP),
    w.Rank: _call(ordering.ROLLING_RANK),
    w.Quantile: _quantile,
    w.Median: _median,
    w.Correlation: _call(correlation.ROLLING_CORRELATION, 0),
    w.Covariance: _covariance,
    w.Beta: _call(correlation.ROLLING_BETA, 0),
    w.BetaResidual: _call(correlation.ROLLING_BETA, 1),
    w.Slope: _call(regression.ROLLING_REGRESSION, 0),
    w.RSquare: _call(regression.ROLLING_REGRESSION, 1),
    w.Residual: _call(regression.ROLLING_REGRESSION, 2),
    w.DecayLinear: _call(regression.ROLLING_DECAY),
    r.ExponentialMean: _ema,
    r.SmoothedMean: _sma,
    r.SeededMean: _wilder,
    r.SeededExponentialMean: _seeded_ema,
    r.CumulativeSum: _call(recursive.CUMULATIVE_SUM),
    r.LastKnown: _call(recursive.LAST_KNOWN),
    r.FillAfter: _fill_after,
    x.RowRank: _row(row_ranks.ROW_RANK),
    x.RowBucket: _row(row_ranks.ROW_QUANTILE_BUCKET),
    x.RowZScore: _row(rows.ROW_ZSCORE),
    x.RowDemean: _row(rows.ROW_DEMEAN),
    x.RowScale: _row(rows.ROW_SCALE),
    x.RowWinsorize: _row(row_ranks.ROW_WINSORIZE),
    x.RowWinsorizeMad: _row(row_ranks.ROW_WINSORIZE_MAD),
    x.RowMean: _row(rows.ROW_MEAN),
    x.RowStd: _row(rows.ROW_STD),
    x.RowSum: _row(rows.ROW_SUM),
    x.RowCount: _row(rows.ROW_COUNT),
    x.RowMedian: _row(row_ranks.ROW_MEDIAN),
    x.RowMaximum: _row(rows.ROW_MAX),
    x.RowMinimum: _row(rows.ROW_MIN),
    x.RowWeightedMean: _row(rows.ROW_WEIGHTED_MEAN),
    x.Neutralize: _gathered(row_regression.row_residual, 1),
    x.GroupNeutralize: _gathered(row_regression.group_residual, 2),
    x.GroupRank: _row(row_groups.GROUP_RANK),
    x.GroupZScore: _row(row_groups.GROUP_ZSCORE),
    x.GroupDemean: _row(row_groups.GROUP_DEMEAN),
    x.GroupScale: _row(row_groups.GROUP_SCALE),
    x.GroupMean: _row(row_groups.GROUP_MEAN),
    x.GroupSum: _row(row_groups.GROUP_SUM),
    x.GroupStd: _row(row_groups.GROUP_STD),
    x.GroupCount: _row(row_groups.GROUP_COUNT),
    x.GroupMedian: _row(row_groups.GROUP_MEDIAN),
}
