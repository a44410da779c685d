"""Gaps are filled from above, as pandas does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantflux.core.gaps import carried_forward


@pytest.mark.parametrize("shape", [(50, 7), (1, 3), (0, 3), (5, 0)])
def test_gaps_are_filled_by_the_last_value_above(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    values = np.where(rng.random(shape) < 0.4, np.nan, rng.normal(size=shape))
    values.flags.writeable = False

    filled = carried_forward(values)

    assert np.array_equal(filled, pd.DataFrame(values).ffill().to_numpy(), equal_nan=True)
    assert filled.dtype == values.dtype


def test_single_precision_and_other_orders_of_memory_are_kept() -> None:
    values = np.asfortranarray(np.array([[1, 2], [np.nan, 3], [np.nan, np.nan]], dtype=np.float32))

    filled = carried_forward(values)

    assert filled.dtype == np.float32
    assert filled.tolist() == [[1, 2], [1, 3], [1, 3]]
