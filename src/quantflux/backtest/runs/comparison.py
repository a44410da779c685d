"""Several runs beside each other: that they can be compared, and in what they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from quantflux.backtest.runs.run_file import RunFile
from quantflux.core.errors import InvalidRequest


def check_comparable(runs: Sequence[RunFile]) -> None:
    """Refuse runs over different days, or with equal names: their figures would be set side by side all the same.

    Raises
    ------
    InvalidRequest
        If there are fewer than two, or naming what differs.
    """
    if len(runs) < 2:
        raise InvalidRequest(f"comparing takes at least two run files, {len(runs)} was given")
    names = [run.name for run in runs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidRequest(f"two runs are called {twice[0]!r}; give each run file a name of its own")
    spans = {f"{run.start or 'the first day'} to {run.end or 'the last day'}": run.name for run in runs}
    if len(spans) > 1:
        told = "; ".join(f"{name}: {span}" for span, name in spans.items())
        raise InvalidRequest(
            f"runs that are compared cover the same days, these do not ({told}); give --start and --end for all"
        )


def differing(runs: Sequence[RunFile]) -> dict[str, tuple[Any, ...]]:
    """Return the keys in which runs differ, names aside, with the value of each run; None where it has none.

    Examples
    --------
    >>> from quantflux.backtest.runs.files import run_of_values
    >>> base = {"score": "close", "policy": {"kind": "ranked", "top": 5}}
    >>> one, two = run_of_values(base, "a"), run_of_values({**base, "schedule": 5}, "b")
    >>> differing([one, two])
    {'schedule': (None, 5)}
    """
    contents = [_flat(run.content()) for run in runs]
    keys = dict.fromkeys(key for content in contents for key in content)
    values = {key: tuple(content.get(key) for content in contents) for key in keys if key != "name"}
    return {key: each for key, each in values.items() if any(value != each[0] for value in each)}


def _flat(tree: Any, before: str = "") -> dict[str, Any]:
    """Return dotted keys, places in lists counted from 1."""
    if isinstance(tree, Mapping):
        items = [(str(key), value) for key, value in tree.items()]
    elif isinstance(tree, list) and any(isinstance(value, dict) for value in tree):
        items = [(str(place), value) for place, value in enumerate(tree, start=1)]
    else:
        return {before: tree}
    flat: dict[str, Any] = {}
    for key, value in items:
        flat |= _flat(value, f"{before}.{key}" if before else key)
    return flat
