"""What a named factor may be."""

from __future__ import annotations

import pytest

from quantflux.core.errors import ExpressionError, InvalidRequest
from quantflux.factors.definition import FactorDefinition


def test_the_text_is_read_when_first_asked_for():
    factor = FactorDefinition("broken", "ts_men(close, 5)")

    with pytest.raises(ExpressionError, match="ts_mean"):
        _ = factor.node


def test_equal_definitions_are_equal_whether_read_or_not():
    one, two = FactorDefinition("f", "close / open"), FactorDefinition("f", "close / open")
    read = one.node

    assert one == two and hash(one) == hash(two)
    assert two.node is read


@pytest.mark.parametrize("name", ["", "1day", "momentum-20", "x" * 65, "momentum 20", "动量"])
def test_odd_names_are_refused(name):
    with pytest.raises(InvalidRequest, match="up to 64 letters, digits and underscores"):
        FactorDefinition(name, "close")


@pytest.mark.parametrize(
    ("wrong", "problem"), [({"orientation": 2}, "orientation is 1"), ({"version": 0}, "versions start at 1")]
)
def test_odd_facts_are_refused(wrong, problem):
    with pytest.raises(InvalidRequest, match=problem):
        FactorDefinition("f", "close", **wrong)
