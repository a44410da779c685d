"""Labels: by hand, beside pandas and scipy, and the same whenever the data end."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.core.errors import InvalidRequest, NotFound
from quantflux.core.panel import Panel
from quantflux.expressions.kernels.row_ranks import ROW_QUANTILE_BUCKET
from quantflux.expressions.kernels.rows import run_rows
from quantflux.factors.inputs import research_panel
from quantflux.factors.market_data import MarketData
from quantflux.factors.universe import Industries, Market
from quantflux.learning.labels import Labels, make_labels
from quantflux.learning.specification import LabelSpec
from quantflux.rules import OpenLocks
from tests.factors.markets import hand_panel, random_panel

NAN = float("nan")
EXPRESSION = "lead(ts_mean(close, 3), 4) / lead(open, 1) - 1"
RELATIVE = ("none", "market", "industry")
TRANSFORM = ("none", "rank", "zscore", "class")


def market_data(
    panel: Panel, up: np.ndarray, down: np.ndarray, codes: np.ndarray | None = None
) -> MarketData:
    locks = OpenLocks(up, down)
    industries = None if codes is None else Industries(codes, ("bank", "steel", "coal"))
    return MarketData(panel, Market.of(research_panel(panel), locks), locks, None, industries)


def plain_market(panel: Panel, *, down: np.ndarray | None = None, up: np.ndarray | None = None) -> MarketData:
    nobody = np.zeros(panel.shape, dtype=bool)
    return market_data(panel, nobody if up is None else up, nobody if down is None else down)


def random_market(seed: int, rows: int = 50, columns: int = 14) -> MarketData:
    """Suspensions, locks in a row, moves between industries, names of no industry, equal returns."""
    rng = np.random.default_rng(seed)
    panel = random_panel(rows, columns, seed)
    flat = {name: np.where(np.isnan(panel[name]), NAN, 10.0) for name in ("open", "close")}
    for name, values in flat.items():  # a fifth of the names share one price
        panel = panel.with_field(name, np.where(np.arange(columns) % 5 == 2, values, panel[name]))
    down = rng.random(panel.shape) < 0.15
    down[rows // 2 :, columns - 1] = True
    codes = rng.integers(-1, 3, panel.shape[1]) * np.ones(panel.shape, dtype=np.int16)
    codes[rows // 3 :, 4] = 1
    return market_data(panel, rng.random(panel.shape) < 0.1, down, codes.astype(np.int16))


def until(market: MarketData, row: int) -> MarketData:
    """The same market as known at the close of the day before a row."""
    panel = Panel(
        market.raw.times[:row], market.raw.symbols, {name: market.raw[name][:row] for name in market.raw}
    )
    codes = None if market.industries is None else market.industries.codes[:row]
    return market_data(panel, market.locks.up[:row], market.locks.down[:row], codes)


def column(labels: Labels) -> tuple[list[float], list[int]]:
    return labels.values[:, 0].tolist(), labels.known[:, 0].tolist()


def test_a_return_by_hand() -> None:
    panel = hand_panel(close=[[10.0], [11.0], [12.0], [13.0]], opening=[[9.0], [10.0], [12.5], [12.0]])

    labels = make_labels(LabelSpec(horizon=1), plain_market(panel))

    values, known = column(labels)
    np.testing.assert_allclose(values, [12.5 / 10 - 1, 12 / 12.5 - 1, NAN, NAN])
    assert known == [2, 3, 4, 4]
    assert (labels.reach, labels.classes) == (2, 0)


def test_the_label_of_a_suspended_name_is_known_when_it_trades_again() -> None:
    panel = hand_panel(
        close=[[10.0], [10.0], [12.0], [NAN], [NAN], [6.0], [6.0]],
        opening=[[10.0], [10.0], [11.0], [NAN], [NAN], [7.0], [6.5]],
    )

    values, known = column(make_labels(LabelSpec(horizon=2), plain_market(panel)))

    np.testing.assert_allclose(values, [7 / 10 - 1, 7 / 11 - 1, NAN, NAN, NAN, NAN, NAN])
    assert known == [5, 5, 7, 7, 7, 7, 7]  # row 2 would be bought on row 3, when it does not trade


def test_what_opens_at_a_limit_is_not_bought_or_sold_later() -> None:
    panel = hand_panel(close=[[10.0], [10.0], [9.0], [8.1], [7.5], [7.6]])
    up, down = np.zeros((2, 6, 1), dtype=bool)
    up[1], down[[2, 3]] = True, True

    values, known = column(make_labels(LabelSpec(horizon=1), plain_market(panel, up=up, down=down)))

    np.testing.assert_allclose(values, [NAN, 7.5 / 9 - 1, 7.5 / 8.1 - 1, 7.6 / 7.5 - 1, NAN, NAN])
    assert known == [6, 4, 4, 5, 6, 6]


def test_the_last_days_of_a_delisted_name_have_no_label() -> None:
    close = [[10.0, 5.0], [9.0, 5.0], [8.0, 5.0], [7.0, 5.0], [NAN, 5.0], [NAN, 5.0], [NAN, 5.0]]

    labels = make_labels(LabelSpec(horizon=2), plain_market(hand_panel(close)))

    values, known = column(labels)
    np.testing.assert_allclose(values, [7 / 9 - 1, NAN, NAN, NAN, NAN, NAN, NAN])
    assert known == [3, 7, 7, 7, 7, 7, 7]
    assert labels.known[:, 1].tolist() == [3, 4, 5, 6, 7, 7, 7]


def test_a_return_from_close_to_close_by_hand() -> None:
    panel = hand_panel(close=[[10.0], [11.0], [NAN], [13.0]])

    labels = make_labels(LabelSpec(horizon=1, entry="close"), plain_market(panel))

    values, known = column(labels)
    np.testing.assert_allclose(values, [0.1, 0.0, NAN, NAN])
    assert (known, labels.reach) == ([1, 2, 4, 4], 1)


def test_an_expression_by_hand() -> None:
    panel = hand_panel(close=[[10.0], [11.0], [NAN], [13.0], [26.0]])
    spec = LabelSpec(kind="expression", expression="lead(close, 2) / lead(close, 1) - 1")

    labels = make_labels(spec, plain_market(panel))

    values, known = column(labels)
    np.testing.assert_allclose(values, [NAN, NAN, 1.0, NAN, NAN])
    assert (known, labels.reach) == ([5, 5, 4, 5, 5], 2)


def test_a_stuck_name_is_placed_beside_those_on_time_and_does_not_keep_them_waiting() -> None:
    # Five names; the last one is locked when it should be sold, and falls by half until it can be.
    opens = [[10, 10, 10, 10, 10.0], [10, 10, 10, 10, 10], [10, 11, 12, 13, 8], [10, 10, 10, 10, 5]]
    down = np.zeros((4, 5), dtype=bool)
    down[2, 4] = True
    market = plain_market(hand_panel([[10.0] * 5] * 4, opens), down=down)

    def first_day(**spec: Any) -> list[float]:
        labels = make_labels(LabelSpec(horizon=1, **spec), market)
        assert labels.known[0].tolist() == [2, 2, 2, 2, 3]
        return [round(value, 9) for value in labels.values[0].tolist()]

    spread = round(float(np.std([0, 0.1, 0.2, 0.3], ddof=1)), 12)
    assert first_day() == [0.0, 0.1, 0.2, 0.3, -0.5]
    assert first_day(relative="market") == [-0.15, -0.05, 0.05, 0.15, -0.65]
    assert first_day(transform="rank") == [0.125, 0.375, 0.625, 0.875, 0.0]
    assert first_day(transform="zscore") == [round(x / spread, 9) for x in (-0.15, -0.05, 0.05, 0.15, -0.65)]
    assert first_day(transform="class", classes=2) == [0, 0, 1, 1, 0]


def test_a_return_beside_its_industry_by_hand() -> None:
    # Two banks, the only steel maker, two names of no industry; one of these becomes a bank on the second day.
    codes = np.array([[0, 0, 1, -1, -1], [0, 0, 1, 0, -1], [0, 0, 1, 0, -1]], dtype=np.int16)
    panel = hand_panel([[10.0] * 5, [11, 12, 13, 14, 15], [11, 12, 13, 28, 15]])
    nobody = np.zeros(panel.shape, dtype=bool)
    spec = LabelSpec(horizon=1, entry="close", relative="industry")

    labels = make_labels(spec, market_data(panel, nobody, nobody, codes))

    np.testing.assert_allclose(labels.values[0], [-0.05, 0.05, NAN, NAN, NAN], atol=1e-15)
    np.testing.assert_allclose(labels.values[1], [-1 / 3, -1 / 3, NAN, 2 / 3, NAN], atol=1e-15)
    assert labels.known[0].tolist() == [1, 1, 3, 3, 3]


def earned_slowly(market: Market, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Buy and sell cell by cell."""
    days, names = market.panel.shape
    values, known = np.full((days, names), NAN), np.full((days, names), days)
    for row, name in product(range(days - 1), range(names)):
        if not market.buyable[row + 1, name]:
            continue
        for day in range(row + 1 + horizon, days):
            if market.sellable[day, name]:
                values[row, name] = market.panel["open"][day, name] / market.panel["open"][row + 1, name] - 1
                known[row, name] = day
                break
    return values, known


@pytest.mark.parametrize("horizon", [1, 4])
def test_returns_agree_with_a_search(horizon: int) -> None:
    market = random_market(5, rows=70)

    labels = make_labels(LabelSpec(horizon=horizon), market)

    values, known = earned_slowly(market.market, horizon)
    np.testing.assert_allclose(labels.values, values, rtol=1e-12)
    np.testing.assert_array_equal(labels.known, known)
    late = known - np.arange(70)[:, None] > labels.reach
    assert (late & (known < 70)).sum() > 50  # else it would prove little


def described(base: pd.DataFrame, values: np.ndarray, spec: LabelSpec) -> pd.DataFrame:
    """A day's values as pandas describes those on time (`base`), and scipy places the others beside them."""
    count = base.notna().sum(axis=1)
    all_names = pd.DataFrame(values)
    if spec.transform == "none":
        return all_names
    if spec.transform == "zscore":
        away = all_names.sub(base.mean(axis=1), axis=0)
        return away.div(base.std(axis=1), axis=0).where(count.ge(2), axis=0)
    out = pd.DataFrame(np.full(values.shape, NAN))
    least = 2 if spec.transform == "rank" else spec.classes
    for row, name in np.argwhere(~np.isnan(values)):
        known = base.loc[row].dropna()
        if len(known) < least:
            continue
        percent = scipy.stats.percentileofscore(known, values[row, name], kind="mean")
        twice = Fraction(round(percent * 2 * len(known) / 100), 2 * len(known))
        out.loc[row, name] = (
            float(twice) if spec.transform == "rank" else min(int(twice * spec.classes), spec.classes - 1)
        )
    ranked = base.rank(axis=1).sub(0.5).div(count, axis=0).where(count.ge(least), axis=0)
    if spec.transform == "rank":
        np.testing.assert_allclose(out.where(base.notna()), ranked, rtol=1e-12)
    return out


@pytest.mark.parametrize("relative", RELATIVE)
@pytest.mark.parametrize("transform", TRANSFORM)
def test_days_are_described_as_by_pandas(relative: str, transform: str) -> None:
    market = random_market(11)
    among = np.random.default_rng(2).random(market.raw.shape) < 0.8
    spec = LabelSpec(horizon=2, relative=relative, transform=transform)

    labels = make_labels(spec, market, among=among)

    values, known = earned_slowly(market.market, 2)
    on_time = among & (known == np.arange(50)[:, None] + 3)
    base = pd.DataFrame(np.where(on_time, values, NAN))
    mean = base.mean(axis=1).where(base.notna().sum(axis=1) >= 2)
    if relative == "market":
        values = values - mean.to_numpy()[:, None]
    elif relative == "industry":
        codes = market.industries.codes
        for row in range(50):
            groups = base.loc[row].groupby(codes[row])
            means = groups.mean().where(groups.count() >= 2).drop(index=-1, errors="ignore")
            values[row] -= means.reindex(codes[row]).to_numpy()
    expected = described(pd.DataFrame(np.where(on_time, values, NAN)), values, spec).to_numpy()
    np.testing.assert_allclose(labels.values, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(labels.known, np.where(np.isnan(expected), 50, known))
    assert labels.classes == (3 if transform == "class" else 0)
    assert np.isfinite(labels.values).sum() > 100


def test_classes_are_those_of_the_operator_bucket() -> None:
    rng = np.random.default_rng(1)
    panel = hand_panel(np.round(np.exp(rng.normal(0, 0.3, (40, 23))), 1).tolist())
    spec = LabelSpec(horizon=1, entry="close", transform="class", classes=7)

    labels = make_labels(spec, plain_market(panel))

    returns = make_labels(LabelSpec(horizon=1, entry="close"), plain_market(panel)).values
    np.testing.assert_array_equal(labels.values, run_rows(ROW_QUANTILE_BUCKET, returns, parameters=(7,)))


def test_a_day_with_too_few_names_or_no_spread_has_no_description() -> None:
    panel = hand_panel([[1.0, 1.0, NAN], [2.0, 2.0, 1.0], [4.0, NAN, 1.0], [4.0, 1.0, 1.0]])

    def values(**spec: Any) -> list[list[float]]:
        everybody = np.ones(panel.shape, dtype=bool)
        labels = make_labels(
            LabelSpec(horizon=1, entry="close", **spec), plain_market(panel), among=everybody
        )
        assert (np.isnan(labels.values) == (labels.known == 4)).all()
        return labels.values[:2].tolist()

    np.testing.assert_equal(values(transform="zscore")[0], [NAN, NAN, NAN])
    np.testing.assert_equal(values(transform="rank")[0], [0.5, 0.5, NAN])
    np.testing.assert_equal(values(transform="class")[0], [NAN, NAN, NAN])
    np.testing.assert_equal(values(relative="market")[0], [0.0, 0.0, NAN])
    np.testing.assert_equal(values(transform="class")[1], [2.0, 1.0, 1.0])


def specs() -> list[LabelSpec]:
    values: list[dict[str, Any]] = [
        {"horizon": 3},
        {"horizon": 2, "entry": "close"},
        {"kind": "expression", "expression": EXPRESSION},
    ]
    return [
        LabelSpec(**value, relative=relative, transform=transform)
        for value, relative, transform in product(values, RELATIVE, TRANSFORM)
    ]


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(specs()), st.integers(0, 2**32), st.integers(8, 49))
def test_a_known_label_never_changes(spec: LabelSpec, seed: int, cut: int) -> None:
    market = random_market(seed)

    whole = make_labels(spec, market)
    earlier = make_labels(spec, until(market, cut))

    then_known = whole.known[:cut] < cut
    np.testing.assert_array_equal(earlier.known < cut, then_known)
    np.testing.assert_array_equal(earlier.values, np.where(then_known, whole.values[:cut], NAN))
    np.testing.assert_array_equal(earlier.known, np.where(then_known, whole.known[:cut], cut))
    assert ((whole.known == 50) | (whole.known >= np.arange(50)[:, None] + whole.reach)).all()


def test_an_expression_reads_the_fields_it_is_given() -> None:
    market = random_market(3)
    cap = np.random.default_rng(4).random((51, 13))
    days = np.append(market.raw.times, market.raw.times[-1] + 1)
    fields = Panel(days, market.raw.symbols[1:], {"cap": cap})
    spec = LabelSpec(kind="expression", expression="lead(cap, 3) - cap")

    labels = make_labels(spec, market, fields)

    expected = np.full((50, 14), NAN)
    expected[:47, 1:] = cap[3:50] - cap[:47]
    np.testing.assert_array_equal(labels.values, expected)
    with pytest.raises(NotFound, match="cap"):
        make_labels(spec, market)


def test_what_cannot_be_made_is_refused() -> None:
    market = plain_market(random_panel(20, 5))

    with pytest.raises(
        InvalidRequest, match="none are stored; import some, or take labels relative to the market"
    ):
        make_labels(LabelSpec(relative="industry"), market)
    with pytest.raises(InvalidRequest, match=r"the market's shape \(20, 5\), had \(20, 4\)"):
        make_labels(LabelSpec(), market, among=np.ones((20, 4), dtype=bool))
    past = LabelSpec.model_construct(kind="expression", expression="close / delay(close, 1)")
    with pytest.raises(InvalidRequest, match=r"must look ahead by lead\(\), but 'close / delay"):
        make_labels(past, market)
    with pytest.raises(InvalidRequest, match="needs one, such as: lead"):
        make_labels(LabelSpec.model_construct(kind="expression", expression=None), market)


def test_a_horizon_beyond_the_data_is_all_unknown() -> None:
    market = random_market(1, rows=8)

    for spec in (LabelSpec(horizon=9), LabelSpec(horizon=9, entry="close", transform="rank")):
        labels = make_labels(spec, market)
        assert np.isnan(labels.values).all() and (labels.known == 8).all()
