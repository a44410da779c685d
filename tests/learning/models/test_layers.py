"""Networks: what comes out, and what each input adds, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

from quantflux.learning.models.layers import Layers


def test_a_network_worked_by_hand() -> None:
    # h1 = relu(x1 - x2 + 1), h2 = relu(2 x1), out = h1 + 3 h2 - 1.  At (0, 0): h1 = 1, h2 = 0, out = 0.
    layers = Layers(
        (np.array([[1.0, 2.0], [-1.0, 0.0]]), np.array([[1.0], [3.0]])),
        (np.array([1.0, 0.0]), np.array([-1.0])),
        "relu",
    )
    inputs = np.array([[2.0, 1.0], [1.0, 4.0], [-1.0, 0.0]])

    # (2, 1): h1 from 1 to 2, all of its change of +1 passed on; h2 from 0 to 4. Out 2 + 12 - 1 = 13:
    #   x1 adds 2 * 1 + 4 * 3 = 14, x2 adds -1.
    # (1, 4): h1 before relu from 1 to -2, after from 1 to 0: a third is passed on; h2 from 0 to 2. Out 0 + 6 - 1 = 5:
    #   x1 adds 1/3 + 6, x2 adds -4/3.
    # (-1, 0): h1 from 1 to 0, h2 stays 0. Out -1: x1 adds -1.
    np.testing.assert_allclose(layers.outputs(inputs), [[13.0], [5.0], [-1.0]])
    np.testing.assert_allclose(
        layers.added(inputs)[:, 0], [[14.0, -1.0, 0.0], [19 / 3, -4 / 3, 0.0], [-1.0, 0.0, 0.0]], atol=1e-12
    )


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("network", [MLPRegressor, MLPClassifier])
def test_outputs_are_those_of_scikit_learn(activation: str, network: type) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 4))
    y = np.digitize(x[:, 0], [-0.5, 0.5]) if network is MLPClassifier else x[:, 0]
    theirs = network(hidden_layer_sizes=(7, 5), activation=activation, random_state=1)
    for _ in range(3):
        theirs.partial_fit(x, y, **({"classes": [0, 1, 2]} if network is MLPClassifier else {}))

    ours = Layers(tuple(theirs.coefs_), tuple(theirs.intercepts_), activation)

    found = ours.outputs(x)
    if network is MLPClassifier:
        power = np.exp(found)
        np.testing.assert_allclose(
            power / power.sum(axis=1, keepdims=True), theirs.predict_proba(x), atol=1e-12
        )
    else:
        np.testing.assert_allclose(found[:, 0], theirs.predict(x), atol=1e-12)
    np.testing.assert_allclose(ours.added(x).sum(axis=2), found, atol=1e-9)
