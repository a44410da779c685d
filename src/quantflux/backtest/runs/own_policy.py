"""A policy of the user's own, from a Python file.

The class is made with the run file's parameters, and with `seed` if it takes one, anew for each simulation, so that
nothing it remembers of one is there in the next. It has a method `decide(view)` and may have `rows(times)`; without it,
the run file's schedule says when it is asked. Beside prices it is shown `view["chosen"]`, the names of the universe,
`view["score"]` if the run file has a score, and what the run file lists under `policy.fields`.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from quantflux.backtest.policies.contract import Past, View, Wanted
from quantflux.backtest.runs.run_file import PythonPolicy
from quantflux.core.errors import InvalidRequest, QuantfluxError


@dataclass(frozen=True)
class RicherView(View):
    """A view with further fields, of which the future is out of reach as well.

    Attributes
    ----------
    more : Past
    """

    more: Past

    def __getitem__(self, name: str) -> np.ndarray:
        if name in self.more.names:
            return self.more.until(name, self.row + 1)
        return super().__getitem__(name)

    def __iter__(self) -> Iterator[str]:
        yield from super().__iter__()
        yield from self.more.names

    def __len__(self) -> int:
        return super().__len__() + len(self.more.names)


class OwnPolicy:
    """Asks a class of the user's own.

    Parameters
    ----------
    made : type
    terms : PythonPolicy
    seed : int
    rows : array of int, shape (K,)
        When it is asked, if it has no `rows` itself.
    begin : int
        First row on which it may be asked.
    fields : mapping of str to array, shape (T, N)
        What it is shown beside prices.

    Raises
    ------
    InvalidRequest
        If the class has no `decide`, or cannot be made with these parameters.
    """

    def __init__(
        self,
        made: type,
        terms: PythonPolicy,
        *,
        seed: int,
        rows: np.ndarray,
        begin: int,
        fields: Mapping[str, np.ndarray],
    ) -> None:
        self._made, self._name = made, terms.of
        self._rows, self._begin, self._fields = rows, begin, fields
        self._parameters = dict(terms.parameters)
        accepted = _accepted(made)
        if "seed" in accepted and "seed" not in self._parameters:
            self._parameters["seed"] = seed
        if not callable(getattr(made, "decide", None)):
            raise InvalidRequest(f"{self._name} has no method decide(view), which every policy needs")
        self._start()

    @property
    def name(self) -> str:
        """What messages call it: `FILE.py:Class`."""
        return self._name

    @property
    def has_rows(self) -> bool:
        """Whether the class says itself when it is asked."""
        return callable(getattr(self._made, "rows", None))

    def rows(self, times: np.ndarray) -> np.ndarray:
        """Begin anew, and return the rows at whose close it is asked."""
        self._start()
        if not self.has_rows:
            return self._rows
        try:
            asked = np.asarray(self._policy.rows(times))
        except QuantfluxError:
            raise
        except Exception as error:
            raise InvalidRequest(f"{self._name}.rows failed: {type(error).__name__}: {error}") from error
        # What are no rows is left for the simulator to refuse.
        return asked[asked >= self._begin] if asked.dtype.kind in "iu" else asked

    def decide(self, view: View) -> Wanted:
        """Return what the class wants."""
        known = {field.name: getattr(view, field.name) for field in fields(View)}
        try:
            return self._policy.decide(RicherView(**known, more=self._more))  # type: ignore[no-any-return]
        except QuantfluxError:
            raise
        except Exception as error:
            day = view.times[-1]
            raise InvalidRequest(
                f"{self._name}.decide failed at the close of {day}: {type(error).__name__}: {error}"
            ) from error

    def _start(self) -> None:
        self._more = Past(self._fields)
        try:
            self._policy: Any = self._made(**self._parameters)
        except QuantfluxError:
            raise
        except Exception as error:
            given = ", ".join(self._parameters) or "none"
            raise InvalidRequest(
                f"{self._name} cannot be made with the parameters {given}: {type(error).__name__}: {error}; "
                f"it takes {', '.join(_accepted(self._made)) or 'none'}"
            ) from error


def load_class(path: Path, name: str) -> type:
    """Return a class of a Python file.

    Raises
    ------
    InvalidRequest
        If the file cannot be loaded, or has no such class.
    """
    module = _loaded(path)
    found = getattr(module, name, None)
    if not isinstance(found, type):
        classes = [key for key, value in vars(module).items() if isinstance(value, type)]
        near = get_close_matches(name, classes, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InvalidRequest(f"{path} has no class {name!r}{hint}")
    return found


def _loaded(path: Path) -> ModuleType:
    if not path.is_file():
        raise InvalidRequest(f"{path}: there is no such file")
    # Dataclasses look their module up by name, so it is known under one that no other file has.
    name = f"quantflux_policy_{sha256(str(path.absolute()).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InvalidRequest(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise InvalidRequest(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    return module


def _accepted(made: type) -> tuple[str, ...]:
    """Return the names of the arguments that a class is made with."""
    try:
        return tuple(inspect.signature(made).parameters)
    except (TypeError, ValueError):
        return ()
