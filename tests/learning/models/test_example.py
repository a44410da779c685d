"""The example of a model file shows the values that hold where nothing is said."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

from quantflux.learning.models import defaults
from quantflux.learning.specification import specification_of

EXAMPLE: dict[str, Any] = tomllib.loads(
    files("quantflux.learning.specification").joinpath("example.toml").read_text("utf-8")
)
# These must be given, or the example says beside them what holds instead.
GIVEN = {"id", "name", "parameters", "features.names", "universe.start", "universe.end", "universe.where"}


def test_parameters_are_the_kind_s_own() -> None:
    own = defaults(EXAMPLE["kind"])

    assert EXAMPLE["parameters"] == {name: own[name] for name in EXAMPLE["parameters"]}


def test_all_other_values_are_what_a_model_has_that_says_nothing() -> None:
    bare = specification_of({"id": "m", "features": EXAMPLE["features"]["names"]}).to_dict()
    shown = _flat(EXAMPLE)
    held = {
        name: value for name, value in shown.items() if name.partition(".")[0] not in GIVEN | {"universe"}
    }
    held = {name: value for name, value in held.items() if name not in GIVEN}

    assert len(held) > 15
    assert held == {name: _flat(bare)[name] for name in held}


def _flat(values: dict[str, Any], head: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{head}{name}.") if isinstance(value, dict) else {f"{head}{name}": value}
    return found
