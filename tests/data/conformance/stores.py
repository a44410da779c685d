"""How a store joins the suite: a module `store_<name>.py` here, with a subclass of `StoreUnderTest` called `STORE`.

Nothing else needs an edit: modules are found by name. A test that asks for `subject` runs once per store, one that
asks for `subject` and `dataset` once per store and dataset. What a store cannot do is a `Gap`, by the test's name:

* `notimpl`: ours to write; `notyet`: the product behind it will learn it; `never`: with the reason why not.
* The test must then fail with exactly `raises`; when it starts to pass, the suite fails and the gap must go.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa
import pytest

from quantflux.core.clock import Clock
from quantflux.data.contract import MarketStore
from quantflux.data.schema import Dataset, datasets


@dataclass(frozen=True)
class Gap:
    """One case that a store does not pass."""

    kind: Literal["notimpl", "notyet", "never"]
    reason: str
    raises: type[BaseException]

    @property
    def mark(self) -> pytest.MarkDecorator:
        return pytest.mark.xfail(raises=self.raises, reason=f"{self.kind}: {self.reason}", strict=True)


class StoreUnderTest:
    """One store, with fresh and empty data behind it. Made once per test."""

    name: ClassVar[str]
    """Entry-point name; also the test's id."""

    entry_point: ClassVar[str] = ""
    """The entry-point name, where `name` is only the test's id."""

    marks: ClassVar[Sequence[pytest.MarkDecorator]] = ()
    gaps: ClassVar[Mapping[str, Gap]] = {}
    """By test function name, or by name and dataset as in `test_every_dataset[stock_chip]`."""

    datasets: ClassVar[Sequence[Dataset]] = tuple(datasets().values())
    """The datasets it can hold."""

    survives: ClassVar[bool] = True
    """Whether its data outlive the object: another process, or a second client, sees them."""

    model_examples: ClassVar[int] = 10
    """How many random histories the model test plays."""

    kill_rounds: ClassVar[int] = 5
    """How many writers the kill test kills."""

    def __init__(self, tmp_path: Path, request: pytest.FixtureRequest, clock: Clock) -> None:
        self.tmp_path = tmp_path
        self.request = request
        self.clock = clock

    def open(self) -> MarketStore:
        """Return a client of the data; called again, another client of the same data."""
        raise NotImplementedError

    def restart(self) -> None:
        """Kill and start again what holds the data, if that is a server. Clients are opened anew afterwards."""

    def renew(self) -> None:
        """Make the data behind it empty again; the model test does so before each history."""
        raise NotImplementedError

    def options(self) -> Mapping[str, Any]:
        """Return what `quantflux.data.stores.open_store` needs to open the same data in another process (JSON)."""
        raise NotImplementedError

    def representable(self, dataset: Dataset, table: pa.Table) -> pa.Table:
        """Return the table with values rounded or nulled to what the store's columns can hold."""
        return table


def all_stores() -> list[type[StoreUnderTest]]:
    """Return every store under test."""
    modules = sorted(Path(__file__).parent.glob("store_*.py"))
    return [import_module(f"tests.data.conformance.{path.stem}").STORE for path in modules]


def in_subprocess(module: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a module of the tests in another process."""
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
