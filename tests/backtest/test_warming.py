"""What was compiled beforehand is what simulations then run."""

from __future__ import annotations

import numpy as np

from quantflux.backtest.execution import Execution, Fill
from quantflux.backtest.kernels import loop, ranking
from quantflux.backtest.policies import TopRanked
from quantflux.backtest.simulator import simulate
from quantflux.backtest.warming import compile_kernels
from tests.backtest.venues import venue_of


def test_simulations_compile_nothing_more() -> None:
    compile_kernels()
    before = [set(kernel.signatures) for kernel in (loop.run_rows, ranking.pick_best)]
    closes = [[10.0, 20.0], [10.5, 19.0], [11.0, 18.5], [10.0, 18.0]]

    for amount in (None, [[1e6, 1e6]] * 4):
        venue = venue_of(closes, amount=amount)
        fill = Fill.OPEN if amount is None else Fill.VWAP
        score = np.asfortranarray(np.array(closes))
        simulate(venue, TopRanked(score, np.array([0, 2]), share=0.5, least=2), Execution(fill=fill))

    assert all(before)
    assert [set(kernel.signatures) for kernel in (loop.run_rows, ranking.pick_best)] == before
