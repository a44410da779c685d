"""The columnar store in the suite."""

from __future__ import annotations

from collections.abc import Mapping

from quantflux.data.adapters.columnar import ColumnarStore, open_store
from tests.data.conformance.stores import StoreUnderTest


class ColumnarUnderTest(StoreUnderTest):
    name = "columnar"
    kill_rounds = 10
    _folders = 0

    def open(self) -> ColumnarStore:
        return open_store(clock=self.clock, **self.options())

    def options(self) -> Mapping[str, str]:
        return {"path": str(self.tmp_path / f"store-{self._folders}")}

    def renew(self) -> None:
        self._folders += 1


STORE = ColumnarUnderTest
