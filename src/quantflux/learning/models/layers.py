"""The layers of a neural network: what comes out, and what each input adds to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

_FUNCTIONS: Mapping[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]] = {
    "relu": (lambda x: np.maximum(x, 0.0), lambda x: (x > 0).astype(np.float64)),
    "tanh": (np.tanh, lambda x: 1.0 - np.tanh(x) ** 2),
}
ACTIVATIONS = tuple(_FUNCTIONS)

_SAME = 1e-9  # inputs nearer than this change an output by its slope


@dataclass(frozen=True, eq=False)
class Layers:
    """Weights and biases, from the inputs up.

    Attributes
    ----------
    weights : tuple of array of float64, shape (inputs, outputs)
    biases : tuple of array of float64, shape (outputs,)
    activation : str
        Of the hidden layers, one of `ACTIVATIONS`; the last layer has none.
    """

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    activation: str

    def outputs(self, inputs: np.ndarray) -> np.ndarray:
        """Return what comes out, shape (K, outputs)."""
        return self._hidden(inputs)[-1]

    def added(self, inputs: np.ndarray) -> np.ndarray:
        """Return what each input adds to what inputs of 0 give, by DeepLIFT's rescale rule.

        Returns
        -------
        array of float64, shape (K, outputs, inputs + 1)
            Last what inputs of 0 give. The sum is what comes out.
        """
        function, slope = _FUNCTIONS[self.activation]
        there, nothing = self._hidden(inputs), self._hidden(np.zeros((1, inputs.shape[1])))
        # Output per unit of a layer's inputs, from the top down: shape (K, inputs of the layer, outputs).
        per_unit = np.broadcast_to(self.weights[-1], (len(inputs), *self.weights[-1].shape))
        for weight, own, usual in zip(self.weights[-2::-1], there[-2::-1], nothing[-2::-1], strict=True):
            change = own - usual
            near = np.abs(change) < _SAME
            steep = np.where(
                near, slope(usual), (function(own) - function(usual)) / np.where(near, 1.0, change)
            )
            per_unit = np.matmul(weight, steep[:, :, None] * per_unit)
        parts = (per_unit * inputs[:, :, None]).swapaxes(1, 2)
        base = np.broadcast_to(nothing[-1][:, :, None], (len(inputs), parts.shape[1], 1))
        return np.concatenate([parts, base], axis=2)

    def _hidden(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Return what each layer gives before its activation."""
        function = _FUNCTIONS[self.activation][0]
        found = [inputs @ self.weights[0] + self.biases[0]]
        for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            found.append(function(found[-1]) @ weight + bias)
        return found
