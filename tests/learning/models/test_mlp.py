"""Networks: every epoch takes the cells in another order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.neural_network import _multilayer_perceptron as inside

from tests.learning.models.fits import fit, samples


def orders(monkeypatch: pytest.MonkeyPatch, task: str) -> list[tuple[int, ...]]:
    """The orders in which a fit of four epochs takes the cells of its train sample."""
    found: list[tuple[int, ...]] = []
    shuffle = inside.shuffle

    def heard(cells: Any, **more: Any) -> Any:
        order = shuffle(cells, **more)
        found.append(tuple(order.tolist()))
        return order

    with monkeypatch.context() as patched:
        patched.setattr(inside, "shuffle", heard)
        fit("mlp", task, max_iter=4, early_stopping_rounds=0)
    return found


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_each_epoch_takes_the_cells_in_another_order_and_the_same_seed_in_the_same_ones(
    task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, again = orders(monkeypatch, task), orders(monkeypatch, task)

    assert len(one) == len(set(one)) == 4
    assert one == again


def test_the_same_seed_gives_the_same_bits_whatever_numpy_drew_before() -> None:
    features = samples("regression")[2].features()

    found = []
    for seed in (1, 2):
        np.random.seed(seed)  # the global state, which must not count
        found.append(fit("mlp", "regression", max_iter=3).predict(features))

    np.testing.assert_array_equal(found[0], found[1])
