"""Which parameter sets a run file's `[sweep]` asks for: every combination of the values of its keys.

A key is dotted, places in lists counted from 1: `policy.top`, `score.factors.2.weight`. Its values are a list, or a
table `{from = 10, to = 50, step = 10}`, both ends included. The last key changes fastest, so the order is that of an
odometer, and always the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from typing import Any

from quantflux.backtest.runs.files import run_of_values
from quantflux.backtest.runs.run_file import RunFile
from quantflux.core.document_problems import shown
from quantflux.core.errors import InvalidRequest

MOST_SETS = 10_000
_RANGE = {"from", "to", "step"}


@dataclass(frozen=True)
class ParameterSet:
    """One combination.

    Attributes
    ----------
    number : int
        Place in the sweep, from 1.
    values : mapping of str to object
        What the keys are set to.
    run : RunFile
        The run that they make.
    """

    number: int
    values: Mapping[str, Any]
    run: RunFile

    @property
    def label(self) -> str:
        """The values in words, such as `policy.top = 20, schedule = weekly`."""
        return ", ".join(f"{key} = {written(value)}" for key, value in self.values.items())


def parameter_sets(run: RunFile) -> tuple[ParameterSet, ...]:
    """Return every combination of a run's sweep.

    Raises
    ------
    InvalidRequest
        If there is no sweep, a key or value of it is wrong, or there are more than 10,000 combinations. Combinations
        that make no valid run are listed.

    Examples
    --------
    >>> run = run_of_values(
    ...     {
    ...         "score": "reversal_20",
    ...         "policy": {"kind": "ranked", "top": 50},
    ...         "sweep": {"policy": {"top": [20, 40]}, "schedule": ["weekly", "monthly"]},
    ...     },
    ...     "run",
    ... )
    >>> [each.label for each in parameter_sets(run)][:2]
    ['policy.top = 20, schedule = weekly', 'policy.top = 20, schedule = monthly']
    """
    grid = _flat(run.sweep)
    if not grid:
        raise InvalidRequest(
            f"{run.name} has no [sweep]; write keys and their values, such as: [sweep] policy.top = [20, 50, 100]"
        )
    values = {key: _values(key, given) for key, given in grid.items()}
    count = math.prod(len(each) for each in values.values())
    if count > MOST_SETS:
        sizes = " x ".join(str(len(each)) for each in values.values())
        raise InvalidRequest(f"the sweep has {sizes} = {count:,} sets, more than {MOST_SETS:,}")
    made, problems = [], dict[str, None]()
    for number, combination in enumerate(product(*values.values()), start=1):
        chosen = dict(zip(values, combination, strict=True))
        content = run.content()
        for key, value in chosen.items():
            _put(content, key, value)
        try:
            made.append(ParameterSet(number, chosen, run_of_values(content, "sweep", run.folder)))
        except InvalidRequest as error:
            problems[str(error)] = None
    if problems:
        raise InvalidRequest("\n".join(list(problems)[:20]))
    return tuple(made)


def written(value: Any) -> str:
    """Return a parameter as people write it."""
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else str(value)


def _flat(tree: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return dotted keys: an unquoted `policy.top` of TOML has come as a table within a table."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        place = f"{before}{key}"
        if isinstance(value, Mapping) and not (value.keys() and value.keys() <= _RANGE):
            flat |= _flat(value, f"{place}.")
        else:
            flat[place] = value
    return flat


def _values(key: str, given: Any) -> list[Any]:
    if isinstance(given, list) and given:
        return given
    if isinstance(given, Mapping) and given.keys() == _RANGE:
        return _range(key, given["from"], given["to"], given["step"])
    raise InvalidRequest(
        f"sweep.{key}: found {_told(given)}; valid is a list of values, or a table {{from = 10, to = 50, step = 10}}"
    )


def _told(given: Any) -> str:
    if isinstance(given, Mapping):
        return f"a table with {', '.join(given)}"
    return "an empty list" if given == [] else shown(given)


def _range(key: str, first: Any, last: Any, step: Any) -> list[Any]:
    """Return numbers from one to another, both included; whole ones if all three are."""
    numbers = (first, last, step)
    if any(isinstance(n, bool) or not isinstance(n, int | float) or not math.isfinite(n) for n in numbers):
        raise InvalidRequest(
            f"sweep.{key}: from, to and step are numbers; found {', '.join(map(shown, numbers))}"
        )
    if step == 0 or (last - first) / step < 0:
        raise InvalidRequest(f"sweep.{key}: a step of {step:g} does not lead from {first:g} to {last:g}")
    count = math.floor((last - first) / step + 1e-9) + 1
    if count > MOST_SETS:
        raise InvalidRequest(f"sweep.{key}: has {count:,} values, more than {MOST_SETS:,}")
    # Rounded, for 0.05 + 2 * 0.05 shall be 0.15 and not 0.15000000000000002.
    return [n if isinstance(n, int) else round(n, 12) for n in (first + i * step for i in range(count))]


def _put(content: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key; tables that are not there yet are made."""
    *parents, last = key.split(".")
    found: Any = content
    for part in parents:
        found = _within(found, part, key) if isinstance(found, list) else found.setdefault(part, {})
        if not isinstance(found, dict | list):
            raise InvalidRequest(f"sweep.{key}: {part} is no table, so it has no key {last}")
    if isinstance(found, list):
        _within(found, last, key)
        found[int(last) - 1] = deepcopy(value)
    else:
        found[last] = deepcopy(value)


def _within(items: list[Any], part: str, key: str) -> Any:
    if not part.isdecimal() or not 1 <= int(part) <= len(items):
        raise InvalidRequest(f"sweep.{key}: found {part}; valid is a place from 1 to {len(items)}")
    return items[int(part) - 1]
