"""How the services' hooks speak through the line of a job."""

from __future__ import annotations

from collections.abc import Callable

from quantflux.factors.stored import Hooks as ValueHooks
from quantflux.jobs import Told

Step = Callable[[int, int], None]


def steps(told: Told, text: str) -> Step:
    """Return what tells a job's progress under a text."""
    return lambda done, total: told.progress(done, total, text)


def value_hooks(told: Told) -> ValueHooks:
    """Return hooks of a computation of factors."""
    return ValueHooks(
        compiled=steps(told, "compiling kernels"),
        progress=steps(told, "days computed"),
        cancelled=told.cancelled,
    )
