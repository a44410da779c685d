"""Panels and promises that the tests of extremes, ordering, deviation and recursive kernels share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from quantflux.expressions.kernels.contract import Kernel, run_whole

CHUNKS = (1, 7, 64, 300)


def panel(seed: int = 0, rows: int = 320, width: int = 37) -> np.ndarray:
    """Random walks with gaps, and one symbol of each awkward kind; more symbols than are taken abreast."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, width)).cumsum(axis=0)
    x[random.random(x.shape) < 0.03] = np.nan
    x[:, 1] = random.integers(0, 4, rows)  # ties
    x[:, 2] = 3.3  # constant
    x[: rows // 3, 3] = np.nan  # listed late
    x[rows // 2 :, 4] = np.nan  # delisted
    for start in range(10, rows, 45):  # suspended for longer than a window, and for a moment
        x[start : start + 25, 5] = np.nan
    x[::2, 6] = np.nan
    x[:, 7] = np.nan
    x[:, 8] = np.where(np.arange(rows) == 50, 1.5, np.nan)  # one number
    x[:, 9] = np.arange(rows)  # rising: the newest is the largest
    x[:, 10] = -np.arange(rows)
    x[:, 11] = random.choice([-0.0, 0.0, 1.0, np.nan], rows)  # zeros of both signs
    x[:, 12] = 1e9 + random.normal(size=rows)
    x[: rows // 4, 13] = np.nan  # listed late, with gaps and ties
    x[rows // 4 :, 13] = random.choice([1.0, 2.0, np.nan], rows - rows // 4)
    return x


def assert_same_bits(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal NaN masks, and equal bits elsewhere: 0.0 is not -0.0."""
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(found[numbers].view(np.int64), expected[numbers].view(np.int64))


def assert_close(
    found: np.ndarray, expected: np.ndarray | pd.DataFrame, rtol: float = 1e-12, atol: float = 0
) -> None:
    """Equal NaN masks, and values within a tolerance."""
    np.testing.assert_allclose(found, np.asarray(expected), rtol=rtol, atol=atol, equal_nan=True)


def assert_any_chunking_gives_the_same_bits(
    kernel: Kernel, *inputs: np.ndarray, parameters: tuple[float, ...] = ()
) -> None:
    """Chunks, other symbols beside, more past than needed: nothing changes a symbol's numbers."""
    whole = run_whole(kernel, *inputs, parameters=parameters)
    for chunk in CHUNKS:
        for found, expected in zip(
            run_whole(kernel, *inputs, parameters=parameters, chunk=chunk), whole, strict=True
        ):
            assert_same_bits(found, expected)
    width = inputs[0].shape[1]
    for some in ([4], list(range(5)), list(range(width - 1, 2, -3))):
        subset = run_whole(kernel, *(x[:, some] for x in inputs), parameters=parameters, chunk=100)
        for found, expected in zip(subset, whole, strict=True):
            assert_same_bits(found, expected[:, some])


def assert_offsets_are_kept(kernel: Kernel, *inputs: np.ndarray, parameters: tuple[float, ...] = ()) -> None:
    """Every array may hold more rows before the chunk than the kernel needs, and keeps what is not the chunk."""
    rows, width = inputs[0].shape
    past = kernel.history(*parameters)
    arguments: list[object] = []
    for extra, x in enumerate(inputs, start=3):
        padding = np.vstack([np.full((extra, width), 7.7), np.full((past, width), np.nan)])
        arguments += [np.vstack([padding, x, np.full((2, width), 8.8)]), extra + past]
    outputs = [np.full((rows + 11, width), 9.9) for _ in range(kernel.outputs)]
    for extra, out in enumerate(outputs, start=5):
        arguments += [out, extra]
    kernel.function(*arguments, np.zeros((kernel.state_rows(*parameters), width)), rows, 0, *parameters)
    for extra, found, expected in zip(
        range(5, 11), outputs, run_whole(kernel, *inputs, parameters=parameters), strict=False
    ):
        assert_same_bits(found[extra : extra + rows], expected)
        assert (found[:extra] == 9.9).all()
        assert (found[extra + rows :] == 9.9).all()


def assert_nothing_comes_from_nothing(kernel: Kernel, parameters: tuple[float, ...] = ()) -> None:
    """Without a number so far, outputs are NaN and the state is as it started."""
    rows, width, past = 70, 5, kernel.history(*parameters)
    arguments: list[object] = []
    for _ in range(kernel.inputs):
        arguments += [np.full((past + rows, width), np.nan), past]
    outputs = [np.zeros((rows, width)) for _ in range(kernel.outputs)]
    for out in outputs:
        arguments += [out, 0]
    state = np.zeros((kernel.state_rows(*parameters), width))

    kernel.function(*arguments, state, rows, 1000, *parameters)

    assert all(np.isnan(out).all() for out in outputs)
    assert_same_bits(state, np.zeros_like(state))


def assert_compiles_once(kernel: Kernel, parameters: tuple[float, ...] = ()) -> None:
    """The signature that the descriptor compiles is the one that calls use."""
    kernel.compile()
    run_whole(kernel, *[np.ones((3, 2))] * kernel.inputs, parameters=parameters)

    assert len(kernel.function.signatures) == 1
    assert all(type(value) is kind for value, kind in zip(parameters, kernel.parameters, strict=True))
    assert kernel.cost(*parameters) > 0


def run_interpreted(
    kernel: Kernel, *inputs: np.ndarray, parameters: tuple[float, ...] = (), chunk: int = 0
) -> list[np.ndarray]:
    """As `run_whole`, with the kernel's Python instead of its machine code."""
    with np.errstate(all="ignore"):
        return run_whole(
            replace(kernel, function=kernel.function.py_func), *inputs, parameters=parameters, chunk=chunk
        )


def windows(x: np.ndarray, window: int, least: int, answer: Callable[[np.ndarray], float]) -> np.ndarray:
    """Return `answer` of the numbers of each trailing window, one window at a time; NaN below `least` numbers."""
    out = np.full(x.shape, np.nan)
    for t, j in np.ndindex(*x.shape):
        inside = x[max(t - window + 1, 0) : t + 1, j]
        numbers = inside[~np.isnan(inside)]
        if len(numbers) >= least:
            out[t, j] = answer(numbers)
    return out
