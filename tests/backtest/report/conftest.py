"""Studies of a small market, made once."""

from __future__ import annotations

import numpy as np
import pytest

from quantflux.backtest.execution import Execution
from quantflux.backtest.simulator import simulate
from quantflux.backtest.study import Study, Trials, study
from quantflux.factors.universe import Industries
from tests.backtest.markets import everything, venue, weekly

NASTY = "</script><script>alert(1)</script>"


@pytest.fixture(scope="session")
def busy() -> Study:
    """A study with everything a report can show, and names that mean something to charts and to HTML."""
    market = venue()
    index = 3000 * np.cumprod(1 + np.random.default_rng(1).normal(0.0002, 0.01, len(market)))
    labels = ["$up", "#1 & <b>steel</b>", "@real", "", NASTY] * 8
    return study(
        market,
        weekly(1),
        execution=Execution(impact=0.3),
        name="$noise<i>",
        benchmarks={"equal": simulate(market, everything(), Execution.ideal()).equity, NASTY: index},
        industries=Industries.of(labels),
        trials=Trials(20),
    )


@pytest.fixture(scope="session")
def plain() -> Study:
    """A study without benchmark and industries, in an ideal world: no rule holds."""
    return study(venue(), weekly(2), execution=Execution.ideal(), name="plain")
