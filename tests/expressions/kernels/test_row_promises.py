"""What `rows.py` promises, for every cross-section kernel."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from quantflux.expressions.kernels import row_groups, row_ranks, row_regression, row_sorting, rows
from quantflux.expressions.kernels.row_regression import group_residual, row_residual
from quantflux.expressions.kernels.rows import RowKernel, run_rows
from tests.expressions.kernels.row_samples import group_codes, rows_of_every_kind, weights

MODULES: tuple[ModuleType, ...] = (rows, row_sorting, row_ranks, row_groups, row_regression)
PARAMETERS: dict[str, tuple[float, ...]] = {
    "row_scale": (2.5,),
    "group_scale": (2.5,),
    "row_quantile_bucket": (5,),
    "row_winsorize": (0.05, 0.9),
    "row_winsorize_mad": (1.5,),
}
BY_ORDER = {
    "row_rank", "row_quantile_bucket", "row_median", "row_min", "row_max", "row_count",
    "row_winsorize", "row_winsorize_mad", "group_rank", "group_median", "group_count",
}  # fmt: skip

KERNELS = [value for module in MODULES for value in vars(module).values() if isinstance(value, RowKernel)]
KERNELS += [row_residual(2), group_residual(2)]
every_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)


def inputs_of(kernel: RowKernel) -> list[np.ndarray]:
    """Rows that a kernel of this name is made for."""
    exposures = [rows_of_every_kind(seed)[::-1].copy() for seed in range(3, 3 + kernel.gathered)]
    if kernel.name.startswith("group"):
        return [rows_of_every_kind(), group_codes(), *exposures]
    return [rows_of_every_kind(), *([weights()] if kernel is rows.ROW_WEIGHTED_MEAN else []), *exposures]


def result(kernel: RowKernel, inputs: list[np.ndarray], piece: int = 0) -> np.ndarray:
    """What the kernel makes of them."""
    return run_rows(kernel, *inputs, parameters=PARAMETERS.get(kernel.name, ()), piece=piece)


def test_no_kernel_is_left_out() -> None:
    assert len({kernel.name for kernel in KERNELS}) == len(KERNELS) == 26


@every_kernel
@pytest.mark.parametrize("piece", [1, 3, 5])
def test_rows_shared_out_differently_give_the_same_bits(kernel: RowKernel, piece: int) -> None:
    inputs = inputs_of(kernel)

    whole = result(kernel, inputs)

    assert result(kernel, inputs, piece).tobytes() == whole.tobytes()


@every_kernel
def test_symbols_may_stand_in_any_order(kernel: RowKernel) -> None:
    inputs = inputs_of(kernel)
    order = np.random.default_rng(9).permutation(inputs[0].shape[1])

    straight = result(kernel, inputs)[:, order]
    permuted = result(kernel, [x[:, order].copy() for x in inputs])

    tolerance = 0 if kernel.name in BY_ORDER else 1e-12
    scale = np.nanmax(np.abs(np.where(np.isfinite(inputs[0]), inputs[0], np.nan)), axis=1, initial=1)[:, None]
    np.testing.assert_allclose(permuted / scale, straight / scale, rtol=tolerance, atol=tolerance)


@every_kernel
def test_what_lacks_an_input_takes_no_part_and_is_missing(kernel: RowKernel) -> None:
    inputs = inputs_of(kernel)
    lacking = np.isnan(inputs).any(axis=0)
    others = [np.where(lacking & ~np.isnan(x), 1e6, x) for x in inputs]  # as a code, 1e6 is no group

    found = result(kernel, inputs)

    assert lacking.any() and np.isnan(found[lacking]).all()
    assert result(kernel, others).tobytes() == found.tobytes()


@every_kernel
def test_only_the_rows_asked_for_are_filled_from_their_offsets(kernel: RowKernel) -> None:
    inputs = inputs_of(kernel)
    whole = result(kernel, inputs)
    padded = [(np.vstack([np.full((n, x.shape[1]), 7.0), x]), n) for n, x in enumerate(inputs, start=1)]
    out = np.full((20, whole.shape[1]), -77.0)

    kernel.fill(padded, out, 4, 3, 8, *PARAMETERS.get(kernel.name, ()))

    assert out[7:12].tobytes() == whole[3:8].tobytes()
    assert (out[:7] == -77).all() and (out[12:] == -77).all()


@every_kernel
def test_inputs_are_left_alone(kernel: RowKernel) -> None:
    inputs = inputs_of(kernel)
    before = [x.tobytes() for x in inputs]

    result(kernel, inputs)

    assert [x.tobytes() for x in inputs] == before


@every_kernel
def test_one_symbol_and_no_symbol(kernel: RowKernel) -> None:
    for width in (0, 1):
        assert result(kernel, [x[:, :width].copy() for x in inputs_of(kernel)]).shape == (14, width)


@every_kernel
def test_the_interpreter_agrees_with_the_compiler(
    kernel: RowKernel, interpreted: Callable[[RowKernel], RowKernel]
) -> None:
    inputs = [x[:, :17].copy() for x in inputs_of(kernel)]
    compiled = result(kernel, inputs)

    with np.errstate(all="ignore"):
        plain = result(interpreted(kernel), inputs)

    np.testing.assert_allclose(plain, compiled, rtol=1e-12, atol=1e-12)


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> Callable[[RowKernel], RowKernel]:
    """Take the compiler out of a kernel and of all that it calls."""

    def without_compiler(kernel: RowKernel) -> RowKernel:
        for module in MODULES:
            for name, value in list(vars(module).items()):
                if hasattr(value, "py_func"):
                    monkeypatch.setattr(module, name, value.py_func)
        return RowKernel(kernel.name, kernel.function.py_func, kernel.inputs, kernel.gathered)

    return without_compiler
