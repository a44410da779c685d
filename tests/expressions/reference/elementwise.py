"""Elementwise operators: each cell by itself, in Python's floats."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from tests.expressions.reference.answers import Answer, Array

Function = Callable[..., Answer]


def _each(function: Callable[..., float], *operands: Array) -> Array:
    """Apply a function to each cell; missing where an operand is, and where it fails or is no finite number."""
    out = np.full(operands[0].shape, np.nan)
    for place in np.ndindex(*out.shape):
        values = [float(operand[place]) for operand in operands]
        if any(math.isnan(value) for value in values):
            continue
        try:
            result = function(*values)
        except (ValueError, OverflowError, ZeroDivisionError):
            continue
        if math.isfinite(result):
            out[place] = result
    return out


def _exact(function: Callable[..., float]) -> Function:
    return lambda *operands: Answer.exactly(_each(function, *operands))


def _transcendental(function: Callable[..., float]) -> Function:
    """Return the reference of a function that libraries round to some units in the last place."""
    return lambda *operands: Answer.nearly(_each(function, *operands), 1e-14)


def _signed_power(x: float, y: float) -> float:
    return ((x > 0) - (x < 0)) * math.pow(abs(x), y)


def where(condition: Array, x: Array, y: Array) -> Answer:
    """The operand that is not chosen may be missing."""
    out = np.full(condition.shape, np.nan)
    for place in np.ndindex(*out.shape):
        if not math.isnan(condition[place]):
            out[place] = x[place] if condition[place] != 0 else y[place]
    return Answer.exactly(out)


def clip(x: Array, low: float, high: float) -> Answer:
    return Answer.exactly(_each(lambda value: min(max(value, low), high), x))


def mask(x: Array, y: Array) -> Answer:
    return Answer.exactly(_each(lambda value, _: value, x, y))


REFERENCES: Mapping[str, Function] = {
    "add": _exact(lambda x, y: x + y),
    "sub": _exact(lambda x, y: x - y),
    "mul": _exact(lambda x, y: x * y),
    "div": _exact(lambda x, y: x / y),
    "max": _exact(max),
    "min": _exact(min),
    "gt": _exact(lambda x, y: float(x > y)),
    "ge": _exact(lambda x, y: float(x >= y)),
    "eq": _exact(lambda x, y: float(x == y)),
    "ne": _exact(lambda x, y: float(x != y)),
    "and_": _exact(lambda x, y: float(bool(x) and bool(y))),
    "or_": _exact(lambda x, y: float(bool(x) or bool(y))),
    "not_": _exact(lambda x: float(not x)),
    "neg": _exact(lambda x: -x),
    "abs": _exact(abs),
    "sign": _exact(lambda x: float((x > 0) - (x < 0))),
    "floor": _exact(lambda x: float(math.floor(x))),
    "sqrt": _exact(math.sqrt),
    "log": _transcendental(math.log),
    "exp": _transcendental(math.exp),
    "tanh": _transcendental(math.tanh),
    "power": _transcendental(math.pow),
    "signed_power": _transcendental(_signed_power),
    "clip": clip,
    "where": where,
    "mask": mask,
}
