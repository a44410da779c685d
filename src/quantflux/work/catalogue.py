"""Every kind of long work, by name.

A subject's module in this package defines functions and a tuple `WORK` of them; it is named here once. It imports what
is slow to import inside its functions: the server reads this catalogue when it starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from quantflux.work.contract import Work

SUBJECTS: tuple[str, ...] = (
    "backtests",
    "factors",
    "models",
    "portfolios",
)
"""The modules of this package that have a `WORK`, one a line."""


def _gathered() -> Mapping[str, Work]:
    found: dict[str, Work] = {}
    for subject in SUBJECTS:
        for work in import_module(f"quantflux.work.{subject}").WORK:
            if work.name in found:
                raise ValueError(f"two kinds of work are called {work.name!r}")
            found[work.name] = work
    return MappingProxyType(found)


KINDS: Mapping[str, Work] = _gathered()
"""All work by name."""
