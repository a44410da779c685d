"""Runs every test of this folder on every store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quantflux.core.clock import FixedClock
from quantflux.data.contract import MarketStore
from quantflux.data.schema import Dataset
from tests.data.conformance.stores import StoreUnderTest, all_stores


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "subject" not in metafunc.fixturenames:
        return
    name = metafunc.function.__name__
    if "dataset" in metafunc.fixturenames:
        cases = [
            pytest.param(kind, data, id=f"{kind.name}-{data.name}", marks=_marks(kind, name, data))
            for kind in all_stores()
            for data in kind.datasets
        ]
        metafunc.parametrize(("subject", "dataset"), cases, indirect=["subject"])
    else:
        cases = [pytest.param(kind, id=kind.name, marks=_marks(kind, name)) for kind in all_stores()]
        metafunc.parametrize("subject", cases, indirect=True)


def _marks(kind: type[StoreUnderTest], test: str, data: Dataset | None = None) -> list[pytest.MarkDecorator]:
    names = [test] if data is None else [test, f"{test}[{data.name}]"]
    return [*kind.marks, *(kind.gaps[name].mark for name in names if name in kind.gaps)]


@pytest.fixture
def subject(request: pytest.FixtureRequest, tmp_path: Path, clock: FixedClock) -> StoreUnderTest:
    """One store with nothing in it."""
    kind: type[StoreUnderTest] = request.param
    return kind(tmp_path, request, clock)


@pytest.fixture
def store(subject: StoreUnderTest) -> Iterator[MarketStore]:
    """A client of the store under test."""
    client = subject.open()
    yield client
    client.close()
