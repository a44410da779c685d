"""The compiled simulator against a slow one in plain Python, on random markets in which every rule bites."""

from __future__ import annotations

import numpy as np
import pytest

from quantflux.backtest.orders import Reason
from quantflux.backtest.run import Run
from quantflux.backtest.simulator import simulate
from tests.backtest.reference import Outcome, Reference
from tests.backtest.venues import random_decisions, random_execution, random_venue

CAPITAL = 60_000.0


def both(seed: int, *, minutes: bool) -> tuple[Run, Outcome]:
    venue = random_venue(seed, minutes=minutes)
    decisions, execution = random_decisions(seed, venue), random_execution(seed)
    run = simulate(venue, decisions, execution, CAPITAL)
    return run, Reference(venue, decisions, execution, CAPITAL).run()


def assert_same(run: Run, slow: Outcome) -> None:
    log = run.log
    assert [Reason(r).name for r in log.reason] == [Reason(e["reason"]).name for e in slow.log]
    for name in (
        "row",
        "column",
        "wanted",
        "filled",
        "price",
        "commission",
        "stamp_duty",
        "transfer_fee",
        "slippage",
    ):
        np.testing.assert_allclose(
            getattr(log, name), [entry[name] for entry in slow.log], rtol=1e-9, atol=1e-6, err_msg=name
        )
    np.testing.assert_allclose(run.cash, slow.cash, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(run.positions, slow.positions, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(run.dividends, slow.dividends, atol=1e-6)
    np.testing.assert_allclose(run.dividend_tax, slow.tax, atol=1e-6)
    for row, held in enumerate(slow.held):
        columns, shares = run.holdings.at(row)
        found = dict(zip(columns.tolist(), shares.tolist(), strict=True))
        assert found == pytest.approx(held, rel=1e-9)


@pytest.mark.parametrize("minutes", [False, True])
@pytest.mark.parametrize("start", range(0, 120, 30))
def test_it_does_what_the_slow_one_does(start: int, minutes: bool) -> None:
    for seed in range(start, start + 30):
        run, slow = both(seed, minutes=minutes)
        try:
            assert_same(run, slow)
        except AssertionError as error:
            error.add_note(f"seed {seed}")
            raise


def test_the_random_markets_make_every_rule_bite() -> None:
    found: set[int] = set()
    for seed in range(60):
        found |= set(both(seed, minutes=seed % 2 == 1)[0].log.reason.tolist())

    assert found == {int(reason) for reason in Reason}
