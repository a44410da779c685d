"""Price limits: by hand, at every change of date, and against a slow exact reference on random bars."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.core.symbols import board_of
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.rules import (
    are_raw,
    limit_ratios,
    locked_at_open,
    price_limits,
    reference_prices,
    special_treatment,
)
from tests.rules.limit_reference import Day, limits_of


def two_days(
    symbol: str, close: float, opening: float, *, day: str = "2024-03-05", step: float | None = 1.0
) -> Panel:
    """A close, and the open of the next day; `step` is the change of the adjustment factor, None for none at all."""
    times = np.array([np.datetime64(day) - 1, np.datetime64(day)])
    closes = np.array([[close], [opening]])
    fields = {"open": closes, "close": closes}
    if step is not None:
        fields["adj_factor"] = np.array([[1.0], [step]])
    return Panel(times, [symbol], fields)


def limits(symbol: str, close: float, *, day: str = "2024-03-05", special: bool = False, step: float = 1.0):
    panel = two_days(symbol, close, close, day=day, step=step)
    found = price_limits(panel, np.full(panel.shape, special))
    return found.up[1, 0], found.down[1, 0]


def locked(panel: Panel, *, special: bool = False) -> str:
    locks = locked_at_open(panel, np.full(panel.shape, special))
    return {(True, False): "up", (False, True): "down"}.get(
        (bool(locks.up[-1, 0]), bool(locks.down[-1, 0])), ""
    )


@pytest.mark.parametrize(
    ("symbol", "day", "up", "down"),
    [
        ("600519.SH", "1996-12-13", np.nan, np.nan),
        ("600519.SH", "1996-12-16", 11.00, 9.00),
        ("000001.SZ", "2024-03-05", 11.00, 9.00),
        ("300750.SZ", "2020-08-21", 11.00, 9.00),
        ("300750.SZ", "2020-08-24", 12.00, 8.00),
        ("688981.SH", "2019-07-22", 12.00, 8.00),
        ("920047.BJ", "2021-11-15", 13.00, 7.00),
        ("900901.SH", "2024-03-05", 11.00, 9.00),
        ("510300.SH", "2024-03-05", np.nan, np.nan),
    ],
)
def test_the_limit_depends_on_board_and_date(symbol: str, day: str, up: float, down: float) -> None:
    np.testing.assert_array_equal(limits(symbol, 10.0, day=day), (up, down))


@pytest.mark.parametrize(
    ("symbol", "day", "up", "down"),
    [
        ("600519.SH", "1998-04-21", 11.00, 9.00),
        ("600519.SH", "1998-04-22", 10.50, 9.50),
        ("600519.SH", "2026-07-03", 10.50, 9.50),
        ("600519.SH", "2026-07-06", 11.00, 9.00),
        ("200011.SZ", "2026-07-03", 10.50, 9.50),
        ("200011.SZ", "2026-07-06", 11.00, 9.00),
        ("300750.SZ", "2020-08-21", 11.00, 9.00),
        ("300750.SZ", "2024-03-05", 12.00, 8.00),
        ("688981.SH", "2024-03-05", 12.00, 8.00),
        ("920047.BJ", "2024-03-05", 13.00, 7.00),
    ],
)
def test_special_treatment_narrows_the_main_board_until_2026(
    symbol: str, day: str, up: float, down: float
) -> None:
    assert limits(symbol, 10.0, day=day, special=True) == (up, down)


@pytest.mark.parametrize(
    ("symbol", "special", "close", "up", "down"),
    [
        # 10.05 x 1.1 = 11.055 and 10.05 x 0.9 = 9.045: half a cent goes up, whatever the binary fractions say.
        ("600000.SH", False, 10.05, 11.06, 9.05),
        ("600000.SH", False, 8.15, 8.97, 7.34),  # 8.965, 7.335
        ("600000.SH", False, 3.33, 3.66, 3.00),  # 3.663, 2.997
        ("600000.SH", False, 1705.35, 1875.89, 1534.82),  # 1875.885, 1534.815
        ("600000.SH", True, 2.30, 2.42, 2.19),  # 2.415, 2.185
        ("600000.SH", True, 1.23, 1.29, 1.17),  # 1.2915, 1.1685
        ("688001.SH", False, 33.33, 40.00, 26.66),  # 39.996, 26.664
        # Beijing cuts off: 3.57 x 1.3 = 4.641, 3.57 x 0.7 = 2.499; 9.99 x 1.3 = 12.987, 9.99 x 0.7 = 6.993.
        ("920047.BJ", False, 3.57, 4.64, 2.50),
        ("920047.BJ", False, 9.99, 12.98, 7.00),
        ("920047.BJ", False, 36.17, 47.02, 25.32),  # as quoted for 920222 on 2026-07-01
        ("900901.SH", False, 0.455, 0.501, 0.410),  # 0.5005, 0.4095 US dollars, in steps of 0.001
        # A limit is at least a tick away, and never below one.
        ("600000.SH", True, 0.09, 0.10, 0.08),
        ("600000.SH", True, 0.01, 0.02, 0.01),
    ],
)
def test_limits_are_rounded_to_the_tick(
    symbol: str, special: bool, close: float, up: float, down: float
) -> None:
    assert limits(symbol, close, special=special) == (up, down)


def test_the_reference_is_adjusted_and_rounded_on_the_ex_date() -> None:
    assert limits("600000.SH", 20.0, step=2.0) == (11.00, 9.00)  # one share became two: reference 10
    # Ten cents of dividend on 10.13 and 3 new shares for 10: (10.13 - 0.10) / 1.3 = 7.7154 -> 7.72.
    assert limits("600000.SH", 10.13, step=10.13 / (10.03 / 1.3)) == (8.49, 6.95)  # 8.492, 6.948


def test_a_suspension_carries_the_reference_over_ex_rights_within_it() -> None:
    times = np.arange("2024-03-04", "2024-03-08", dtype="datetime64[D]")
    prices = np.array([[20.0], [np.nan], [np.nan], [9.0]])
    factors = {
        "told every day": np.array([[1.0], [1.0], [2.0], [2.0]]),
        "told with bars": np.array([[1.0], [np.nan], [np.nan], [2.0]]),
    }

    for factor in factors.values():
        panel = Panel(times, ["600000.SH"], {"close": prices, "adj_factor": factor})

        assert reference_prices(panel)[3, 0] == 10.0
        assert price_limits(panel).up[3, 0] == 11.0


@pytest.mark.parametrize(
    ("symbol", "listed", "free"),
    [
        ("600001.SH", "2023-04-06", 1),
        ("600001.SH", "2023-04-10", 5),
        ("300751.SZ", "2020-08-20", 1),
        ("300751.SZ", "2020-08-24", 5),
        ("688981.SH", "2019-07-22", 5),
        ("920047.BJ", "2024-03-04", 1),
        ("200011.SZ", "2024-03-04", 1),
    ],
)
def test_a_new_name_is_free_by_the_rule_of_its_day_of_listing(symbol: str, listed: str, free: int) -> None:
    times = np.arange(np.datetime64(listed) - 1, np.datetime64(listed) + 8)
    close = np.full((len(times), 1), 10.0)
    close[0] = np.nan
    panel = Panel(times, [symbol], {"close": close, "adj_factor": np.ones_like(close)})

    up = price_limits(panel).up.ravel()

    # The first bar has no close before it, free or not.
    assert np.isnan(up[: 1 + free]).all() and not np.isnan(up[1 + free :]).any()


def test_a_suspension_does_not_use_up_free_days() -> None:
    close = np.array([[np.nan], [10], [np.nan], [np.nan], [10], [10], [10], [10], [10]], dtype=float)
    times = np.arange("2024-03-01", "2024-03-10", dtype="datetime64[D]")

    up = price_limits(Panel(times, ["600000.SH"], {"close": close, "adj_factor": close * 0 + 1})).up.ravel()

    assert np.isnan(up[:8]).all() and up[8] == 11.0


def test_a_name_known_to_be_listed_before_is_not_new() -> None:
    close = np.array([[np.nan], [10.0], [10.0]])
    times = np.arange("2024-03-04", "2024-03-07", dtype="datetime64[D]")
    panel = Panel(times, ["600000.SH"], {"close": close, "adj_factor": close * 0 + 1})

    assert np.isnan(price_limits(panel).up[2, 0])
    assert price_limits(panel, listed=np.array(["1999-11-10"], dtype="datetime64[D]")).up[2, 0] == 11.0
    assert np.isnan(price_limits(panel, listed=np.array(["NaT"], dtype="datetime64[D]")).up[2, 0])


def test_a_name_listed_on_the_first_row_is_new() -> None:
    close = np.full((7, 1), 10.0)
    times = np.arange("2024-03-04", "2024-03-11", dtype="datetime64[D]")
    panel = Panel(times, ["600000.SH"], {"close": close, "adj_factor": np.ones_like(close)})

    up = price_limits(panel, listed=times[:1]).up.ravel()

    assert np.isnan(up[:5]).all() and up[5:].tolist() == [11.0, 11.0]
    assert (
        price_limits(panel, listed=times[1:2]).up[1, 0] == 11.0
    )  # it traded before: the day of listing is wrong


@pytest.mark.parametrize(("listed", "new"), [("2025-04-01", False), ("2025-09-20", True)])
def test_a_first_bar_long_after_the_listing_is_not_that_of_a_new_name(listed: str, new: bool) -> None:
    """Such as a code that took the place of another, within the panel."""
    times = np.arange("2025-10-06", "2025-10-12", dtype="datetime64[D]")
    close = np.array([[np.nan, 5.0]] * 2 + [[10.0, 5.0]] * 4)
    early = Panel(
        np.insert(times, 0, np.datetime64("2025-03-03")),
        ["600000.SH", "600001.SH"],
        {"close": np.vstack((close[:1], close)), "adj_factor": np.ones((7, 2))},
    )

    up = price_limits(early, listed=np.array([listed, "NaT"], dtype="datetime64[D]")).up[:, 0]

    assert np.isnan(up[4]) == new


@pytest.mark.parametrize(("day", "free"), [("2020-12-30", False), ("2020-12-31", True), ("2024-03-05", True)])
def test_the_first_day_of_a_delisting_period_is_free(day: str, free: bool) -> None:
    times = np.datetime64(day) + np.arange(-1, 4)
    close = np.array([[2.0], [np.nan], [1.0], [0.9], [0.8]])
    close[1] = np.nan  # the period begins with a day without trade
    panel = Panel(times, ["600000.SH"], {"close": close, "adj_factor": np.ones_like(close)})
    delisting = np.array([[False], [True], [True], [True], [True]])

    up = price_limits(panel, delisting=delisting).up.ravel()

    assert np.isnan(up[2]) == free
    assert up[3:].tolist() == [1.1, 0.99]


def random_bars(
    seed: int, days: np.ndarray, symbols: list[str]
) -> tuple[Panel, np.ndarray, dict[str, list[Day]]]:
    """Random walks with suspensions, listings, ex-rights, special treatment and delisting, twice: float and exact."""
    rng = np.random.default_rng(seed)
    shape = (len(days), len(symbols))
    close, factor = np.full(shape, np.nan), np.ones(shape)
    special, delisting = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    exact: dict[str, list[Day]] = {}
    for column, symbol in enumerate(symbols):
        per_yuan = 1000 if symbol.startswith("900") else 100
        ticks, shares = int(rng.integers(3, 5_000)), Fraction(1)
        born = int(rng.choice([0, 0, 3, 6, 9]))
        leaves = int(rng.integers(len(days) // 2, 2 * len(days)))
        treated = rng.integers(0, len(days), 2)
        exact[symbol] = []
        for row, day in enumerate(days):
            if rng.random() < 0.1:
                shares *= rng.choice([Fraction(2), Fraction(6, 5), Fraction(101, 100), Fraction(13, 10)])
            ticks = max(1, int(ticks * rng.uniform(0.9, 1.11)))
            traded = row >= born and rng.random() < 0.85
            special[row, column] = treated.min() <= row < treated.max()
            delisting[row, column] = row >= leaves
            factor[row, column] = float(shares)
            if traded:
                close[row, column] = ticks / per_yuan
            paid = Fraction(ticks, per_yuan) if traded else None
            exact[symbol].append(
                Day(
                    day.astype(object), paid, shares, bool(special[row, column]), bool(delisting[row, column])
                )
            )
    return Panel(days, symbols, {"close": close, "adj_factor": factor}), np.stack([special, delisting]), exact


@pytest.mark.parametrize(
    "span",
    [
        ("2020-08-03", "2020-09-11"),
        ("2020-12-14", "2021-01-15"),
        ("2023-03-20", "2023-04-28"),
        ("2026-06-15", "2026-07-24"),
    ],
)
def test_limits_are_those_of_the_exact_reference(span: tuple[str, str]) -> None:
    days = np.arange(*span, dtype="datetime64[D]")
    heads = ["600", "000", "300", "688", "900", "200"]
    ends = ["SH", "SZ", "SZ", "SH", "SH", "SZ"]
    if span[0] > "2021-11-15":
        heads, ends = [*heads, "920"], [*ends, "BJ"]
    symbols = sorted(
        f"{head}{i:03d}.{end}" for head, end in zip(heads, ends, strict=True) for i in range(11, 21)
    )
    panel, (special, delisting), exact = random_bars(7, days, symbols)

    found = price_limits(panel, special, delisting=delisting)

    for column, symbol in enumerate(symbols):
        tick = Fraction(1, 1000 if symbol.startswith("900") else 100)
        expected = limits_of(board_of(symbol).value, tick, exact[symbol])
        up = [np.nan if pair[0] is None else float(pair[0]) for pair in expected]
        down = [np.nan if pair[1] is None else float(pair[1]) for pair in expected]
        np.testing.assert_array_equal(found.up[:, column], up, symbol)
        np.testing.assert_array_equal(found.down[:, column], down, symbol)


def test_the_future_never_changes_the_past() -> None:
    days = np.arange("2023-03-20", "2023-04-28", dtype="datetime64[D]")
    panel, (special, delisting), _ = random_bars(3, days, ["300001.SZ", "600000.SH", "688001.SH"])

    whole = price_limits(panel, special, delisting=delisting)

    for end in (2, 11, 25):
        start = price_limits(panel.select(end=days[end - 1]), special[:end], delisting=delisting[:end])
        np.testing.assert_array_equal(start.up, whole.up[:end])
        np.testing.assert_array_equal(start.down, whole.down[:end])


@pytest.mark.parametrize(("opening", "expected"), [(11.00, "up"), (10.99, ""), (9.00, "down"), (9.01, "")])
def test_an_open_at_its_limit_is_locked(opening: float, expected: str) -> None:
    assert locked(two_days("600519.SH", 10.0, opening)) == expected


def test_float32_bars_meet_their_limit() -> None:
    fields = {
        name: values.astype(np.float32)
        for name, values in two_days("600519.SH", 1705.35, 1875.89).fields.items()
    }
    panel = Panel(np.arange("2024-03-04", "2024-03-06", dtype="datetime64[D]"), ["600519.SH"], fields)

    assert locked(panel) == "up"


def test_prices_that_lost_their_ticks_are_compared_as_returns() -> None:
    assert locked(two_days("600000.SH", 10.0, 10.992, step=None)) == "up"
    assert locked(two_days("600000.SH", 10.0, 10.97, step=None)) == ""
    assert locked(two_days("600000.SH", 10.0, 9.008, step=None)) == "down"


def test_a_vendors_adjusted_prices_are_told_by_their_ticks() -> None:
    assert are_raw(two_days("600000.SH", 10.03, 11.05))
    assert are_raw(two_days("900901.SH", 0.455, 0.501))
    assert not are_raw(two_days("600000.SH", 10.031847, 11.052193))  # for all its factor of 1
    assert not are_raw(two_days("600000.SH", 10.03, 11.05, step=None))
    assert not are_raw(two_days("600000.SH", float("nan"), float("nan")))


def test_ratios_alone_follow_board_date_and_status() -> None:
    days = np.array(["2026-07-03", "2026-07-06"], dtype="datetime64[D]")
    special = np.array([[True, True, False], [True, True, False]])

    ratios = limit_ratios(days, ["600000.SH", "300001.SZ", "600001.SH"], special)

    assert ratios.tolist() == [[0.05, 0.2, 0.1], [0.1, 0.2, 0.1]]


def test_bars_that_are_not_daily_and_arrays_of_another_shape_are_refused() -> None:
    panel = two_days("600000.SH", 10.0, 10.0)
    minutes = Panel(
        np.array(["2024-03-05T09:31:00"], dtype="datetime64[s]"), ["600000.SH"], {"close": np.ones((1, 1))}
    )

    with pytest.raises(InvalidRequest, match="price limits are those of days"):
        price_limits(minutes)
    with pytest.raises(InvalidRequest, match=r"special must have shape \(2, 1\).*had \(1, 1\)"):
        price_limits(panel, np.zeros((1, 1), dtype=bool))
    with pytest.raises(InvalidRequest, match=r"listed must have shape \(1,\)"):
        price_limits(panel, listed=np.array(["NaT", "NaT"], dtype="datetime64[D]"))


def test_the_synthetic_market_keeps_within_its_limits_and_meets_them() -> None:
    market = SyntheticMarket(3, 60, date(2022, 1, 4), date(2023, 12, 29))
    raw = Panel.from_table(pa.concat_tables(market.daily_tables()))
    found = price_limits(raw, special_treatment(market.instruments(), raw.times, raw.symbols))
    # Its Beijing companies round half up, one tick further than the exchange.
    slack = np.where(np.char.endswith(raw.symbols, ".BJ"), 0.0101, 1e-6)

    assert not (raw["high"] > found.up + slack).any()
    assert not (raw["low"] < found.down - slack).any()
    assert found.at_up(raw["close"]).sum() > 100
    assert found.at_down(raw["close"]).sum() > 50
