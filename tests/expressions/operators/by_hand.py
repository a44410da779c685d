"""Cases worked by hand: one column over time, or one row of symbols."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from quantflux.core.errors import QuantfluxError
from quantflux.expressions import parse
from quantflux.expressions.evaluate import evaluate
from tests.expressions.reference.panels import panel_of

NAN = math.nan

Numbers = Sequence[float]
Case = tuple[str, Mapping[str, Numbers], Numbers]
"""The text of an expression, its fields, and what it should give."""


def over_time(text: str, fields: Mapping[str, Numbers]) -> list[float]:
    """Return what an expression makes of fields of one symbol, row by row."""
    panel = panel_of({name: np.array(values, dtype=float)[:, None] for name, values in fields.items()})
    return evaluate(parse(text), panel)["value"].ravel().tolist()


def across(text: str, fields: Mapping[str, Numbers]) -> list[float]:
    """Return what an expression makes of one row of symbols."""
    panel = panel_of({name: np.array(values, dtype=float)[None, :] for name, values in fields.items()})
    return evaluate(parse(text), panel)["value"].ravel().tolist()


def assert_equal(found: Sequence[float], expected: Numbers) -> None:
    """Assert that numbers are equal up to rounding, NaN in the same places."""
    assert found == pytest.approx(list(expected), rel=1e-12, abs=1e-12, nan_ok=True)


def operators_in(cases: Sequence[Case]) -> set[str]:
    """Return the names of the outermost operators of cases."""
    names = set()
    for text, _, _ in cases:
        try:
            names.add(parse(text).name)
        except QuantfluxError as error:
            raise AssertionError(f"{text}: {error}") from error
    return names
