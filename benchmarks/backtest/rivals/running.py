"""The main of a rival's driver: options, the scene, and the conversation with the benchmark."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.backtest.rivals.scene import Scene
from benchmarks.rivals.protocol import claim_output, serve


class EquityDriver:
    """A rival's backtest as a function from the scene to the account's value at each close, from the first trade on."""

    def __init__(self, version: str, backtest: Callable[[], np.ndarray]) -> None:
        self.expressions: dict[str, str] = {}
        self.about: dict[str, Any] = {"version": version}
        self._backtest = backtest
        self._equity = np.empty(0)

    def compute(self) -> None:
        """Run the backtest."""
        self._equity = self._backtest()

    def drop(self) -> None:
        """Forget the result."""
        self._equity = np.empty(0)

    def answer(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the equity."""
        yield "equity", self._equity


def main(version: str, prepare: Callable[[Scene, Path], Callable[[], np.ndarray]]) -> None:
    """Serve what `prepare` makes of the scene and of a folder for files of the rival's own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scene", type=Path, required=True)
    parser.add_argument("--files", type=Path, required=True)
    chosen = parser.parse_args()
    output = claim_output()
    start = time.perf_counter()
    chosen.files.mkdir(parents=True, exist_ok=True)
    backtest = prepare(Scene(chosen.scene), chosen.files)
    serve(EquityDriver(version, backtest), output, time.perf_counter() - start)
