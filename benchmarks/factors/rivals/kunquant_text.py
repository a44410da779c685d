"""Writes KunQuant's graphs down as text, so that others can be asked for exactly what KunQuant computes.

KunQuant's Alpha101 is not the paper's: it compares volume in shares, rounds windows to the nearest number, and mends
gaps in places of its own. The text is in calls alone (`ts_mean(close, 5)`), with the names that quantflux has.
"""

from __future__ import annotations

from KunQuant.Op import ConstantOp, Input, OpBase

_CALLS = {
    "Rank": "rank", "Scale": "scale", "Abs": "abs", "Sign": "sign", "Log": "log", "Pow": "power", "Max": "max",
    "Min": "min", "Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "And": "and_", "Or": "or_", "Not": "not_",
    "Select": "where", "BackRef": "delay",
    "WindowedAvg": "ts_mean", "WindowedSum": "ts_sum", "WindowedStddev": "ts_std", "WindowedMin": "ts_min",
    "WindowedMax": "ts_max", "WindowedProduct": "ts_product", "WindowedCorrelation": "ts_corr",
    "WindowedCovariance": "ts_cov", "TsArgMax": "ts_argmax", "TsArgMin": "ts_argmin", "DecayLinear": "decay_linear",
}  # fmt: skip
_WITH_NUMBER = {"AddConst": "add", "SubConst": "sub", "MulConst": "mul", "DivConst": "div"}
_COMPARISONS = {
    "Equals": "eq({0}, {1})", "GreaterThan": "gt({0}, {1})", "GreaterEqual": "ge({0}, {1})",
    "LessThan": "gt({1}, {0})", "LessEqual": "ge({1}, {0})",
    "GreaterThanConst": "gt({0}, {1})", "LessThanConst": "gt({1}, {0})",
}  # fmt: skip


def text_of(op: OpBase, memory: dict[OpBase, str]) -> str:
    """Return an operator and all below it as text; `memory` holds what was written before."""
    if op not in memory:
        memory[op] = _text_of(op, [text_of(below, memory) for below in op.inputs])
    return memory[op]


def _text_of(op: OpBase, inputs: list[str]) -> str:
    kind = type(op).__name__
    if isinstance(op, Input):
        return str(op.attrs["name"])
    if isinstance(op, ConstantOp):
        return _number(op.attrs["value"])
    if kind == "TsRank":  # counts from 1 to the window, not to 1
        window = op.attrs["window"]
        return f"mul(ts_rank({inputs[0]}, {window}), {window})"
    if kind == "SetInfOrNanToValue":
        return f"fill_after({inputs[0]}, {_number(op.attrs['value'])}, close)"
    if kind in _WITH_NUMBER:
        pair = [inputs[0], _number(op.attrs["value"])]
        return f"{_WITH_NUMBER[kind]}({', '.join(reversed(pair) if op.attrs.get('swap') else pair)})"
    if kind in _COMPARISONS:  # false where something is missing
        number = [_number(op.attrs["value"])] if kind.endswith("Const") else []
        return f"fill_after({_COMPARISONS[kind].format(*inputs, *number)}, 0, close)"
    window = [str(op.attrs["window"])] if "window" in op.attrs else []
    return f"{_CALLS[kind]}({', '.join(inputs + window)})"


def _number(value: float) -> str:
    return repr(int(value) if float(value).is_integer() else float(value))
