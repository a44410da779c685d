"""Lets models be tried in the process of the test, not in a child that takes a second to start.

What the child is for is tested with the registry.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantflux.learning.models import load


@pytest.fixture(scope="module", autouse=True)
def tried_here() -> Iterator[None]:
    def tried(folder: Path, kind: str, rows: np.ndarray, **limits: Any) -> np.ndarray:
        return load(kind, folder, threads=1).predict(rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quantflux.learning.registry.gate.predictions_of", tried)
        yield
