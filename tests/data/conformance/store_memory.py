"""The memory store in the suite."""

from __future__ import annotations

from quantflux.data.adapters.memory import MemoryStore, open_store
from tests.data.conformance.stores import StoreUnderTest


class MemoryUnderTest(StoreUnderTest):
    name = "memory"
    survives = False

    def open(self) -> MemoryStore:
        if not hasattr(self, "_store"):
            self._store = open_store(clock=self.clock)
        return self._store

    def renew(self) -> None:
        self._store = open_store(clock=self.clock)


STORE = MemoryUnderTest
