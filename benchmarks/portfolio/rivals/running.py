"""The main of an optimiser's driver: options, the scene, and the conversation with the benchmark."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.portfolio.rivals.scene import Scene
from benchmarks.rivals.protocol import claim_output, serve


class WeightsDriver:
    """An optimiser as a function from the scene to weights."""

    def __init__(self, version: str, solve: Callable[[], np.ndarray]) -> None:
        self.expressions: dict[str, str] = {}
        self.about: dict[str, Any] = {"version": version}
        self._solve = solve
        self._weights = np.empty(0)

    def compute(self) -> None:
        """Solve the problem."""
        self._weights = self._solve()

    def drop(self) -> None:
        """Forget the weights."""
        self._weights = np.empty(0)

    def answer(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the weights."""
        yield "weights", self._weights


def main(version: str, prepare: Callable[[Scene], Callable[[], np.ndarray]]) -> None:
    """Serve what `prepare` makes of the scene."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scene", type=Path, required=True)
    chosen = parser.parse_args()
    output = claim_output()
    start = time.perf_counter()
    serve(WeightsDriver(version, prepare(Scene(chosen.scene))), output, time.perf_counter() - start)
