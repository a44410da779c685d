"""Scores, choices and screens on a small market, beside pandas working from the stored bars."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from quantflux.core.errors import InvalidRequest, NotFound, UnknownSymbol
from quantflux.data.contract import Query
from quantflux.data.schema import INSTRUMENTS, PREDICTIONS
from quantflux.platform import Platform
from quantflux.scoring.files import score_request, screen_request
from quantflux.scoring.scores import DayScores
from quantflux.scoring.service import ScoringService
from tests.scoring.markets import (
    COMPANIES,
    LAST,
    NEWCOMER,
    PREDICTED,
    SUSPENDED,
    TROUBLED,
    TROUBLED_LATER,
    bars,
    opened,
    wide,
)

DAY = date(2024, 3, 15)
REVERSAL, ILLIQUID = "reversal_20", "illiquidity_20"


@pytest.fixture
def service(market: Platform) -> ScoringService:
    return market.scoring


def ask(*factors: Any, **more: Any) -> Any:
    return score_request({"date": DAY, "factors": list(factors), **more})


def scored(scores: DayScores) -> pd.Series:
    found = pd.Series(scores.scores, index=scores.comparison.symbols.tolist())
    return found[scores.scored]


def compared(market: Platform, day: date = DAY) -> list[str]:
    """Who traded on the day and on 60 before, and is not under special treatment, by the stored rows."""
    frame = bars(market, day, 400)
    counts = frame[frame["trade_date"] < pd.Timestamp(day)].groupby("symbol").size()
    today = set(frame.loc[frame["trade_date"] == pd.Timestamp(day), "symbol"])
    rows = market.data.read(Query(INSTRUMENTS)).to_pylist()
    last = {
        row["symbol"]: row for row in sorted(rows, key=lambda r: r["valid_from"]) if row["valid_from"] <= day
    }
    special = {symbol for symbol, row in last.items() if row["status"] in ("st", "star_st")}
    return sorted(symbol for symbol in today if counts.get(symbol, 0) >= 60 and symbol not in special)


def zscored(values: pd.Series, k: float = 5.0) -> pd.Series:
    reach = 1.4826 * k * (values - values.median()).abs().median()
    moved = values.clip(values.median() - reach, values.median() + reach)
    return (moved - moved.mean()) / moved.std()


def by_hand(market: Platform, names: list[str], day: date = DAY) -> pd.DataFrame:
    """The two factors, from the bars: minus the return of 20 days, and |return| over amount of 20 days."""
    frame = bars(market, day)
    close = wide(frame.assign(close=frame["close"] * frame["adj_factor"]), "close")
    amount = wide(frame, "amount")
    reversal = 1 - close / close.shift(20)
    illiquid = (close.pct_change(fill_method=None).abs() / amount).rolling(20, min_periods=15).mean()
    return pd.DataFrame({REVERSAL: reversal.iloc[-1], ILLIQUID: illiquid.iloc[-1]}).loc[names]


def test_equal_scores_are_the_mean_z_score_of_those_compared(
    market: Platform, service: ScoringService
) -> None:
    made = service.score(ask(REVERSAL, ILLIQUID))

    names = compared(market)
    assert made.comparison.symbols[made.comparison.chosen[-1]].tolist() == names
    expected = by_hand(market, names).apply(zscored).fillna(0.0).mean(axis=1)
    pd.testing.assert_series_equal(
        scored(made), expected.loc[scored(made).index], check_names=False, rtol=1e-6
    )


def test_names_under_special_treatment_are_compared_only_when_asked_for(service: ScoringService) -> None:
    made = service.score(ask(REVERSAL))
    wide_open = service.score(ask(REVERSAL, universe={"special_treatment": True}))

    assert ("under special treatment", 1) in made.comparison.left_out
    assert TROUBLED not in scored(made).index and TROUBLED in scored(wide_open).index
    assert TROUBLED_LATER in scored(made).index  # what becomes of it a week later is not known yet
    assert wide_open.row(made.comparison.symbols.tolist().index(TROUBLED))["name"].startswith("ST")


def test_weights_and_directions_count(market: Platform, service: ScoringService) -> None:
    made = service.score(
        ask(
            {"factor": REVERSAL, "weight": 3},
            {"factor": ILLIQUID, "weight": 1, "orientation": -1},
            method="weighted",
        )
    )

    z = by_hand(market, compared(market)).apply(zscored).fillna(0.0)
    expected = 0.75 * z[REVERSAL] - 0.25 * z[ILLIQUID]
    pd.testing.assert_series_equal(
        scored(made), expected.loc[scored(made).index], check_names=False, rtol=1e-6
    )
    assert [each.weight for each in made.weights] == [0.75, 0.25]
    assert [each.orientation for each in made.weights] == [1, -1]


def test_a_factor_of_which_less_is_better_is_turned(tmp_path: Path) -> None:
    with opened(tmp_path) as platform:
        platform.factors.registry.define("gain_20", "close / delay(close, 20) - 1", orientation=-1)
        turned = platform.scoring.score(ask("gain_20"))
        plain = platform.scoring.score(ask(REVERSAL))

    np.testing.assert_allclose(turned.scores, plain.scores)
    np.testing.assert_allclose(turned.values, -plain.values)


def test_unknown_directions_are_told(service: ScoringService) -> None:
    told = service.score(ask("pe_ttm", "-pe_ttm")).notes

    assert any(note.startswith("whether more or less of pe_ttm is better is not known") for note in told)


@pytest.mark.parametrize("method", ["equal", "ic", "icir"])
def test_contributions_add_up_and_ranks_follow(service: ScoringService, method: str) -> None:
    made = service.score(ask(REVERSAL, ILLIQUID, "volatility_20", method=method))

    there = made.scored
    np.testing.assert_allclose(made.contributions.sum(axis=0)[there], made.scores[there])
    assert sum(abs(each.weight) for each in made.weights) == pytest.approx(1)
    series = scored(made)
    ranks = pd.Series(made.ranks, index=made.comparison.symbols.tolist())[there]
    pd.testing.assert_series_equal(
        ranks, series.rank(method="dense", ascending=False).astype("int64"), check_names=False
    )
    np.testing.assert_allclose(made.percentiles[there], 100 * series.rank(pct=True))


def test_ic_weights_come_from_rank_ics_known_by_the_day(market: Platform, service: ScoringService) -> None:
    horizon, window = 5, 30
    trailing = {"horizon": horizon, "window": window}
    made = service.score(ask(REVERSAL, ILLIQUID, method="ic", trailing=trailing))

    frame = bars(market, DAY, 330)
    frame = frame.assign(close=frame["close"] * frame["adj_factor"], open=frame["open"] * frame["adj_factor"])
    close, opening, amount = wide(frame, "close"), wide(frame, "open"), wide(frame, "amount")
    at_open = opening.where(close.notna(), close.ffill())
    ahead = at_open.shift(-horizon - 1) / opening.shift(-1) - 1
    reversal = 1 - close / close.shift(20)
    illiquid = (close.pct_change(fill_method=None).abs() / amount).rolling(20, min_periods=15).mean()
    days = close.index[-(horizon + window + 1) : -(horizon + 1)]  # the last is known at the close of the day
    means = []
    for factor in (reversal, illiquid):
        ics = []
        for day in days:
            names = compared(market, day.date())
            ics.append(factor.loc[day, names].corr(ahead.loc[day, names], method="spearman"))
        means.append(np.mean(ics))
    assert [each.days for each in made.weights] == [window, window]
    # Opens at the limit, which cannot be bought, are few: they alone are not in the reckoning here.
    np.testing.assert_allclose([each.rank_ic for each in made.weights], means, atol=0.02)
    shares = np.array([each.rank_ic for each in made.weights])
    np.testing.assert_allclose([each.weight for each in made.weights], shares / np.abs(shares).sum())


def after(day: date) -> Any:
    """Change every bar after a day."""

    def change(table: pa.Table) -> pa.Table:
        later = pc.greater(table.column("trade_date"), pa.scalar(day))
        for name in ("open", "high", "low", "close", "volume", "amount"):
            column = table.column(name)
            wild = pc.multiply(column, pa.scalar(3)).cast(column.type)
            place = table.schema.get_field_index(name)
            table = table.set_column(place, name, pc.if_else(later, wild, column))
        return table

    return change


@pytest.mark.parametrize("method", ["equal", "ic", "icir"])
def test_the_future_changes_nothing(market: Platform, tmp_path: Path, method: str) -> None:
    trailing = {} if method == "equal" else {"trailing": {"window": 40, "horizon": 3}}
    request = ask(REVERSAL, ILLIQUID, method=method, **trailing)

    with opened(tmp_path, after(DAY)) as other:
        changed = other.scoring.score(request)
        history = other.scoring.history(request, date(2024, 2, 20), LAST)
    made = market.scoring.score(request)

    np.testing.assert_array_equal(made.scores, changed.scores)
    assert made.weights == changed.weights
    # The same row of a history that goes on into the changed days.
    row = int(np.searchsorted(history.scores.times, np.datetime64(DAY)))
    np.testing.assert_allclose(history.scores["score"][row], made.scores, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(history.weights[row], [each.weight for each in made.weights], rtol=1e-9)


@pytest.mark.parametrize("method", ["equal", "ic", "icir"])
def test_each_day_of_a_history_is_the_score_of_that_day(interrupted: Platform, method: str) -> None:
    service = interrupted.scoring
    trailing = {} if method == "equal" else {"trailing": {"window": 40, "horizon": 3}}
    values = {"factors": [REVERSAL, "volatility_20"], "method": method, **trailing}
    # What is loaded for it begins on a day on which both names trade that are suspended soon after.
    history = service.history(score_request(values), date(2023, 12, 25), DAY)

    for row in (0, 7, len(history.scores) - 1):
        day = history.scores.times[row].astype("datetime64[D]").item()
        alone = service.score(score_request({**values, "date": day}))
        laid = history.scores["score"][row]
        np.testing.assert_allclose(laid, alone.scores, rtol=1e-9, atol=1e-12)
    assert SUSPENDED in scored(alone).index and NEWCOMER not in scored(alone).index


def test_weights_that_are_not_known_yet_are_an_error(service: ScoringService) -> None:
    early = {"date": date(2023, 3, 20), "factors": [REVERSAL], "method": "ic"}

    with pytest.raises(
        InvalidRequest, match=r"trailing: 60 RankICs must be known by 2023-03-20, too few are of rev"
    ):
        service.score(score_request(early))
    history = service.history(score_request({**early, "date": None}), date(2023, 3, 20), date(2023, 9, 28))
    empty = np.isnan(history.scores["score"]).all(axis=1)
    assert empty[0] and not empty[-1] and history.notes[-1].startswith(f"{empty.sum()} of {len(empty)} days")


def test_weights_of_nothing_but_losers_are_an_error(service: ScoringService) -> None:
    made = service.score(ask(REVERSAL, method="ic"))
    rank_ic = made.weights[0].rank_ic
    assert rank_ic
    loser = f"-({REVERSAL})" if rank_ic > 0 else REVERSAL

    with pytest.raises(
        InvalidRequest, match=r"no weights can be made of .* none is above zero, and negative"
    ):
        service.score(ask(loser, method="ic", trailing={"negative": "zero"}))
    kept = service.score(ask(loser, method="ic"))
    assert kept.weights[0].weight == -1.0 and any("below zero" in note for note in kept.notes)
    np.testing.assert_allclose(kept.scores, made.scores * np.sign(rank_ic))


def test_a_day_on_which_nobody_has_a_score_is_an_error(service: ScoringService) -> None:
    with pytest.raises(
        InvalidRequest, match=r"no name has a score on 2024-03-15: none of .* has a value of 50%"
    ):
        service.score(ask("close / delay(close, 400)"))


def test_few_days_for_many_factors_are_told(service: ScoringService) -> None:
    made = service.score(ask("classic", method="icir", trailing={"window": 20}))

    assert any(note.startswith("20 RankICs say little of how ") for note in made.notes)


def test_a_day_without_bars_is_an_error_that_names_its_neighbours(service: ScoringService) -> None:
    with pytest.raises(NotFound, match="no bars on 2024-03-16; nearest: 2024-03-15 and 2024-03-18"):
        service.score(ask(REVERSAL, date=date(2024, 3, 16)))
    with pytest.raises(NotFound, match="no bars on 2031-01-02; the data reach from 2022-12-01 to 2024-03-29"):
        service.score(ask(REVERSAL, date=date(2031, 1, 2)))


def model(*ids: str, day: date = DAY, **more: Any) -> Any:
    return score_request({"date": day, "method": "model", "models": {"ids": list(ids), **more}})


def said(market: Platform, day: date = DAY) -> pd.DataFrame:
    table = pl.from_arrow(market.data.read(Query(PREDICTIONS, None, day, day))).to_pandas()
    return table.pivot_table(index="symbol", columns="model_id", values="predicted_return")


def test_models_are_blended_by_their_stored_predictions(market: Platform, service: ScoringService) -> None:
    told = said(market).reindex(compared(market))

    mean = scored(service.score(model("gbm", "ridge")))
    pd.testing.assert_series_equal(mean, told.mean(axis=1).dropna(), check_names=False)

    weighted = scored(service.score(model("gbm", "ridge", blend="weighted", weights=[3, 1])))
    shares = told.notna() * np.array([0.75, 0.25])
    expected = (told * shares).sum(axis=1) / shares.sum(axis=1)
    pd.testing.assert_series_equal(weighted, expected.dropna(), check_names=False)

    rank = scored(service.score(model("gbm", "ridge", blend="rank")))
    pd.testing.assert_series_equal(rank, told.rank(pct=True).mean(axis=1).dropna(), check_names=False)


def test_what_models_say_of_one_name_is_explained(market: Platform, service: ScoringService) -> None:
    symbol = compared(market)[3]

    found = service.contributions(symbol, model("gbm", "ridge", blend="weighted", weights=[1, 3]))

    told = said(market).loc[symbol]
    assert {key: each.factor_value for key, each in found.factors.items()} == pytest.approx(told.to_dict())
    assert found.factors["ridge"].contribution == pytest.approx(0.75 * told["ridge"])
    assert found.score == pytest.approx(0.25 * told["gbm"] + 0.75 * told["ridge"])


def test_predictions_of_another_day_are_never_taken(service: ScoringService) -> None:
    missing = (
        r"'gbm' predicted nothing for 2024-03-18; it did on 3 days from 2024-03-14 to 2024-03-20, nearest: "
    )
    with pytest.raises(NotFound, match=missing + "2024-03-14, 2024-03-15, 2024-03-20"):
        service.score(model("gbm", day=date(2024, 3, 18)))
    with pytest.raises(NotFound, match="'ridge' predicted nothing for 2024-03-14"):
        service.score(model("gbm", "ridge", day=PREDICTED[0]))
    with pytest.raises(
        NotFound, match="no predictions of 'lstm' are stored; there are some of: gbm, ridge, saturday"
    ):
        service.score(model("lstm"))


def test_predictions_of_a_day_without_trade_become_those_of_no_other(service: ScoringService) -> None:
    # A Saturday's do not slip onto the Monday, nor back onto the Friday.
    for day in (DAY, date(2024, 3, 18)):
        with pytest.raises(NotFound, match="'saturday' predicted nothing for"):
            service.history(model("saturday", day=day), date(2024, 3, 13))


def test_a_history_of_models_has_scores_where_they_predicted(service: ScoringService) -> None:
    history = service.history(model("gbm", day=PREDICTED[-1]), date(2024, 3, 11))

    days = history.scores.times[~np.isnan(history.scores["score"]).all(axis=1)]
    assert tuple(days.astype("datetime64[D]").tolist()) == PREDICTED


def test_a_choice_keeps_to_caps_and_filters(market: Platform, service: ScoringService) -> None:
    wanted = ask(
        REVERSAL,
        selection={"top": 6, "per_industry": 1},
        filters={"where": "raw_close > 8", "least_percentile": 40, "exclude": ["000001.SZ"]},
    )
    chosen = service.select(wanted)

    everybody = scored(chosen.scores)
    today = bars(market, DAY, 20)
    close = today[today["trade_date"] == pd.Timestamp(DAY)].set_index("symbol")["close"]
    industries = dict(
        zip(chosen.scores.comparison.symbols.tolist(), chosen.scores.comparison.industries, strict=True)
    )
    left = everybody[(everybody.rank(pct=True) >= 0.4) & (close.loc[everybody.index] > 8)].drop(
        "000001.SZ", errors="ignore"
    )
    left = left.sort_values(ascending=False, kind="stable")
    left = left[~left.index.map(industries).duplicated()].head(6)
    assert [row["symbol"] for row in chosen.rows] == left.index.tolist()
    assert sum(chosen.to_dict()["top_stocks"][0]["contributions"].values()) == pytest.approx(left.iloc[0])


@pytest.mark.parametrize("seed", range(3))
def test_symbols_of_a_universe_are_compared_with_each_other_alone(
    service: ScoringService, market: Platform, seed: int
) -> None:
    names = sorted(np.random.default_rng(seed).choice(compared(market), 12, replace=False).tolist())

    made = service.score(ask(REVERSAL, universe={"symbols": names}))

    expected = zscored(by_hand(market, names)[REVERSAL].dropna())
    pd.testing.assert_series_equal(scored(made), expected, check_names=False, rtol=1e-6)
    with pytest.raises(UnknownSymbol):
        service.score(ask(REVERSAL, universe={"symbols": ["688999.SH"]}))


def test_a_condition_decides_who_is_compared_on_each_day(market: Platform, service: ScoringService) -> None:
    made = service.score(ask(REVERSAL, universe={"where": "rank(amount) > 0.5"}))

    today = bars(market, DAY, 20)
    amount = today[today["trade_date"] == pd.Timestamp(DAY)].set_index("symbol")["amount"]
    busy = set(amount.index[amount.rank(pct=True) > 0.5])
    expected = sorted(busy & set(compared(market)))
    assert made.comparison.symbols[made.comparison.chosen[-1]].tolist() == expected
    assert ("do not meet universe.where", len(compared(market)) - len(expected)) in made.comparison.left_out


def test_a_universe_of_nobody_is_an_error(service: ScoringService) -> None:
    with pytest.raises(
        InvalidRequest, match=r"no name is left to compare on 2024-03-15; left out: .* do not meet"
    ):
        service.score(ask(REVERSAL, universe={"where": "close < 0"}))


def test_a_library_stands_for_the_factors_that_the_data_allow(service: ScoringService) -> None:
    made = service.score(ask("classic"))

    labels = [each.label for each in made.weights]
    assert REVERSAL in labels and len(labels) > 5
    assert len(set(labels)) == len(labels)
    with pytest.raises(InvalidRequest, match="reversal_20 comes twice"):
        service.score(ask("classic", REVERSAL))


def test_screens_find_what_their_expression_says(market: Platform, service: ScoringService) -> None:
    text = "pe_ttm < 40 and rank(amount) > 0.3"
    found = service.screen(
        screen_request({"date": DAY, "where": text, "sort": REVERSAL, "show": ["raw_close"]})
    )

    basic = market.data.get_many(None, DAY, DAY, dataset="stock_daily_basic").to_polars().to_pandas()
    pe = basic.set_index("symbol")["pe_ttm"]
    today = bars(market, DAY, 20)
    today = today[today["trade_date"] == pd.Timestamp(DAY)].set_index("symbol")
    meets = (pe.reindex(today.index) < 40) & (today["amount"].rank(pct=True) > 0.3)
    expected = set(meets.index[meets]) & set(compared(market))
    limits = [count for reason, count in found.left_out if "limit" in reason]
    rows = pd.DataFrame(found.rows).set_index("symbol")
    assert set(rows.index) <= expected and len(expected) - len(rows) <= sum(limits)
    assert list(rows.columns) == ["name", "industry", "amount", "pe_ttm", "raw_close", REVERSAL]
    np.testing.assert_allclose(rows["raw_close"], today.loc[rows.index, "close"])
    assert rows[REVERSAL].dropna().is_monotonic_decreasing
    assert found.found == len(rows)


def test_ready_filters_are_what_they_say(market: Platform, service: ScoringService) -> None:
    def screened(**filters: Any) -> set[str]:
        request = {"date": DAY, "filters": {"limit_up": True, "limit_down": True, **filters}}
        return {row["symbol"] for row in service.screen(screen_request(request)).rows}

    names, frame = set(compared(market)), bars(market, DAY, 60)
    assert screened() == names
    assert screened(boards=["star", "bse"]) == {n for n in names if n.startswith("688") or n.endswith("BJ")}
    assert screened(exclude=["sz000001", "600001"]) == names - {"000001.SZ", "600001.SH"}
    amounts = wide(frame, "amount").iloc[-10:].fillna(0).mean()
    half = float(amounts.median())
    assert screened(least_amount=half, amount_days=10) == names & set(amounts.index[amounts >= half])
    rows = market.data.read(Query(INSTRUMENTS)).to_pylist()
    listed = {row["symbol"]: row["list_date"] for row in rows}
    first = {row["symbol"]: row["first"] for row in market.data.coverage().to_pylist()}
    sessions = {n: market.calendar.count(listed[n] or first[n], DAY) - 1 for n in names}
    middle = sorted(sessions.values())[len(names) // 2]
    assert screened(listed_days=middle) == {n for n in names if sessions[n] >= middle}
    industry = next(row["industry"] for row in rows if row["symbol"] in names)
    assert screened(industries=industry) == names & {r["symbol"] for r in rows if r["industry"] == industry}
    with pytest.raises(InvalidRequest, match=r"filters.industries: nonsense is unknown; there are: "):
        screened(industries=["nonsense"])


def test_names_at_their_limits_are_left_out(tmp_path: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        # On the day two names of the main board close 10 % up and down, to the cent.
        days = table.column("trade_date").to_pylist()
        names, close = table.column("symbol").to_pylist(), table.column("close").to_pylist()
        before = {n: c for n, d, c in zip(names, days, close, strict=True) if d < DAY}
        for row, (name, day) in enumerate(zip(names, days, strict=True)):
            if day == DAY and name in moves:
                close[row] = round(before[name] * (1 + moves[name]) + 1e-9, 2)
        columns = {"close": pa.array(close)}
        columns["high"] = pc.max_element_wise(table.column("high"), columns["close"])
        columns["low"] = pc.min_element_wise(table.column("low"), columns["close"])
        for name, values in columns.items():
            table = table.set_column(table.schema.get_field_index(name), name, values)
        return table

    moves = {"600002.SH": 0.1, "600003.SH": -0.1}
    with opened(tmp_path, change) as platform:
        everybody = set(compared(platform))

        def screened(**filters: bool) -> set[str]:
            request = {"date": DAY, "filters": filters}
            return {row["symbol"] for row in platform.scoring.screen(screen_request(request)).rows}

        neither, both = screened(), screened(limit_up=True, limit_down=True)
        up, down = screened(limit_up=True), screened(limit_down=True)

    assert set(moves) <= everybody == both
    assert not set(moves) & neither
    assert set(moves) & up == {"600002.SH"} and set(moves) & down == {"600003.SH"}


def test_names_without_trade_or_history_come_in_when_asked_for(
    market: Platform, service: ScoringService
) -> None:
    def screened(**universe: bool) -> int:
        request = {"date": DAY, "universe": universe, "filters": {"limit_up": True, "limit_down": True}}
        return service.screen(screen_request(request)).found

    today = bars(market, DAY, 1)
    everything = screened(special_treatment=True, seasoned=False)
    assert everything == len(today[today["trade_date"] == pd.Timestamp(DAY)])
    assert screened(special_treatment=True, seasoned=False, suspended=True) >= everything
    assert COMPANIES >= everything > screened()


def test_one_names_factors_stand_beside_the_market(market: Platform, service: ScoringService) -> None:
    symbol = str(by_hand(market, compared(market))[ILLIQUID].idxmax())
    found = service.contributions(symbol, ask(REVERSAL, {"factor": ILLIQUID, "orientation": -1}))

    values = by_hand(market, compared(market))
    z = (values.loc[symbol] - values.mean()) / values.std()
    for name, sign in ((REVERSAL, 1), (ILLIQUID, -1)):
        told = found.factors[name]
        column = values[name]
        assert told.factor_value == pytest.approx(column[symbol], rel=1e-6)
        assert told.market_mean == pytest.approx(column.mean(), rel=1e-6, abs=1e-12)
        assert told.market_std == pytest.approx(column.std(), rel=1e-6)
        assert told.market_median == pytest.approx(column.median(), rel=1e-6)
        assert told.deviation_from_mean == pytest.approx(column[symbol] - column.mean(), rel=1e-5)
        assert told.z_score == pytest.approx(z[name], rel=1e-6)
        assert told.percentile_rank == pytest.approx(100 * column.rank(pct=True)[symbol])
        assert told.standardised == pytest.approx(sign * zscored(column)[symbol], rel=1e-6)
        better = sign * z[name]
        assert told.relative_strength == ("strong" if better > 1 else "weak" if better < -1 else "neutral")
    assert sum(each.contribution or 0 for each in found.factors.values()) == pytest.approx(found.score)
    assert found.to_dict()["total_factors"] == 2


def test_a_name_outside_the_universe_has_values_and_no_score(
    market: Platform, service: ScoringService
) -> None:
    names = compared(market)
    found = service.contributions(names[0], ask(REVERSAL, universe={"symbols": names[1:]}))

    column = by_hand(market, names)[REVERSAL]
    told = found.factors[REVERSAL]
    assert not found.compared and found.score is None and found.rank is None and told.contribution is None
    assert told.market_mean == pytest.approx(column.iloc[1:].mean(), rel=1e-6)
    assert told.percentile_rank == pytest.approx(100 * column.rank(pct=True).iloc[0])
    with pytest.raises(UnknownSymbol):
        service.contributions("688999.SH", ask(REVERSAL))


def test_a_suspended_name_has_nothing_to_explain(market: Platform, service: ScoringService) -> None:
    frame = bars(market, LAST, 120)
    closes = wide(frame, "close")
    day, symbol = next(
        (day, symbol)
        for day in closes.index[40:]
        for symbol in closes.columns
        if np.isnan(closes.loc[day, symbol]) and closes[symbol].loc[:day].notna().any()
    )
    last = closes[symbol].loc[:day].last_valid_index()

    with pytest.raises(
        NotFound, match=f"{symbol} did not trade on {day.date()}; its last bar before is of {last.date()}"
    ):
        service.contributions(symbol, ask(REVERSAL, date=day.date()))


def test_sectors_are_grouped_as_pandas_does(market: Platform, service: ScoringService) -> None:
    found = service.sectors(ask(REVERSAL, ILLIQUID))

    scores = found.scores
    frame = pd.DataFrame(
        {
            "score": scores.scores,
            "percentile": scores.percentiles,
            "industry": scores.comparison.industries,
            "symbol": scores.comparison.symbols,
        }
    )[scores.scored]
    groups = frame.groupby("industry")
    expected = groups.agg(
        mean=("score", "mean"), median=("score", "median"), std=("score", "std"), count=("score", "count")
    ).sort_values("mean", ascending=False)
    percent = groups["percentile"].agg(["mean", "median"])
    assert [each.industry for each in found.sectors] == expected.index.tolist()
    for each in found.sectors:
        row = expected.loc[each.industry]
        assert (each.mean, each.median, each.count) == pytest.approx(
            (row["mean"], row["median"], row["count"])
        )
        assert each.std == (None if np.isnan(row["std"]) else pytest.approx(row["std"]))
        told = (each.percentile_mean, each.percentile_median)
        assert told == pytest.approx(tuple(percent.loc[each.industry]))
        best = frame[frame["industry"] == each.industry].nlargest(5, "score")
        assert [row["symbol"] for row in each.top] == best["symbol"].tolist()
    plain = found.to_dict()
    assert plain["total_stocks"] == len(frame) and plain["total_industries"] == len(expected)


def test_mistakes_name_their_place(service: ScoringService) -> None:
    with pytest.raises(NotFound, match=r"factors.2: no factor is called 'reversal_21'; similar: reversal_20"):
        service.score(ask(ILLIQUID, "reversal_21"))
    with pytest.raises(InvalidRequest, match=r"filters.where: "):
        service.select(ask(REVERSAL, filters={"where": "raw_close >"}))
    with pytest.raises(InvalidRequest, match="where: looks 3 rows ahead"):
        service.screen(screen_request({"where": "lead(close, 3) > close"}))
