"""From the stored market to findings: panels, factors, evaluation, backtest. Knows no terminal and no HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quantflux.backtest import Schedule, Study, Venue, combined_score, study
from quantflux.cli.demo.results import Findings, MinuteView, Overview
from quantflux.cli.demo.stages import Stages
from quantflux.core.errors import InvalidRequest, NotFound
from quantflux.core.panel import Panel
from quantflux.core.symbols import is_share
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import Query
from quantflux.data.schema import DAILY, DAILY_BASIC, INSTRUMENTS, MINUTE, MINUTE_LABELS
from quantflux.data.sources.synthetic import PLANTED
from quantflux.factors import (
    Choice,
    EvaluationPlan,
    Evaluator,
    FactorReport,
    Market,
    adjustment,
    choose_factors,
    research_panel,
)
from quantflux.factors.evaluation import TRADING_DAYS
from quantflux.rules import OpenLocks, are_raw, locked_at_open, special_treatment

_LEAST_SYMBOLS, _LEAST_DAYS = 10, 60
_BASIC_FIELDS = ("turnover_rate", "total_mv", "pb")


@dataclass(frozen=True)
class _Loaded:
    raw: Panel
    basic: Panel | None
    special: np.ndarray | None


def research(data: DataAccessLayer, folder: str, stages: Stages, *, synthetic: bool) -> Findings:
    """Compute everything the report shows from what the data access layer holds.

    Raises
    ------
    NotFound
        If there are no daily bars.
    InvalidRequest
        If there are too few of them to compare names with each other.
    """
    with stages.stage("Read panels", 2) as done:
        loaded = _read(data)
        done()
        panel = research_panel(loaded.raw, loaded.basic)
        locks = locked_at_open(loaded.raw, loaded.special)
        market = Market.of(panel, locks, loaded.special)
        done()
    choice = choose_factors(panel)
    if not choice.factors:
        raise InvalidRequest(f"no factor can be computed: {'; '.join(choice.omitted.values())}")
    values = _compute(choice, panel, stages)
    plan = EvaluationPlan()
    reports = _evaluate(market, plan, values, stages)
    with stages.stage("Backtest") as done:
        found = _backtest(market, loaded.raw, values)
        done()
    with stages.stage("Look at minutes") as done:
        minutes = minute_view(data)
        done()
    return Findings(
        overview=_overview(data, loaded, locks, folder, synthetic=synthetic),
        market=market,
        choice=choice,
        reports=reports,
        planted={alpha.factor: alpha for alpha in PLANTED} if synthetic else {},
        study=found,
        minutes=minutes,
        notes=_notes(loaded),
        seconds=stages.seconds,
        horizon=plan.horizon,
    )


def _read(data: DataAccessLayer) -> _Loaded:
    known = data.symbols(DAILY)
    if not known:
        raise NotFound("there are no daily bars yet; bring some with: quantflux data import FILE")
    shares = [symbol for symbol in known if is_share(symbol)] or known
    fields = ["open", "high", "low", "close", "volume", "amount", "adj_factor"]
    raw = data.panel(fields, symbols=shares)
    if raw.shape[1] < _LEAST_SYMBOLS or raw.shape[0] < _LEAST_DAYS:
        raise InvalidRequest(
            f"comparing names needs at least {_LEAST_SYMBOLS} symbols and {_LEAST_DAYS} days, "
            f"found {raw.shape[1]} symbols and {raw.shape[0]} days"
        )
    basic_symbols = set(data.symbols(DAILY_BASIC)) & set(shares)
    basic = (
        data.panel(_BASIC_FIELDS, symbols=sorted(basic_symbols), dataset=DAILY_BASIC)
        if basic_symbols
        else None
    )
    instruments = data.read(Query(INSTRUMENTS))
    special = special_treatment(instruments, raw.times, raw.symbols) if instruments.num_rows else None
    return _Loaded(raw, basic, special)


def _compute(choice: Choice, panel: Panel, stages: Stages) -> dict[str, np.ndarray]:
    values = {}
    with stages.stage("Compute factors", len(choice.factors)) as done:
        for factor in choice.factors:
            values[factor.name] = factor.values(panel)
            done()
    return values


def _evaluate(
    market: Market, plan: EvaluationPlan, values: Mapping[str, np.ndarray], stages: Stages
) -> tuple[FactorReport, ...]:
    reports = []
    with stages.stage("Evaluate factors", len(values) + 1) as done:
        evaluator = Evaluator(market, plan)
        done()
        for name, array in values.items():
            reports.append(evaluator.report(name, array))
            done()
    return tuple(reports)


def _backtest(market: Market, raw: Panel, values: Mapping[str, np.ndarray]) -> Study | None:
    """Return the backtest; None where no month ends with enough names scored."""
    score = combined_score(values, market.chosen)
    venue = Venue.of(market, adjustment(raw))
    try:
        return study(venue, score, market.chosen, schedule=Schedule.MONTHLY)
    except InvalidRequest:
        return None


def _overview(
    data: DataAccessLayer, loaded: _Loaded, locks: OpenLocks, folder: str, *, synthetic: bool
) -> Overview:
    traded = ~np.isnan(loaded.raw["close"])
    days = np.arange(len(traded))[:, None]
    first, last = traded.argmax(axis=0), len(traded) - 1 - traded[::-1].argmax(axis=0)
    minute_rows = data.coverage(MINUTE)["rows"].to_numpy().sum() if data.symbols(MINUTE) else 0
    basic = loaded.basic
    return Overview(
        synthetic=synthetic,
        rows=int(traded.sum()),
        basic_rows=0 if basic is None else int((~np.isnan(basic["pb"]) | ~np.isnan(basic["total_mv"])).sum()),
        minute_rows=int(minute_rows),
        symbols=traded.shape[1],
        times=loaded.raw.times,
        traded=traded.sum(axis=1),
        suspended=(~traded & (days > first) & (days < last)).sum(axis=1),
        opened_up=locks.up.sum(axis=1),
        opened_down=locks.down.sum(axis=1),
        listed=int((first > 0).sum()),
        left=int((last < len(traded) - 20).sum()),
        folder=folder,
        store=data.store.name,
    )


def _notes(loaded: _Loaded) -> tuple[str, ...]:
    notes = ["short_history"] if len(loaded.raw) < 3 * TRADING_DAYS else []
    if not are_raw(loaded.raw):
        notes.append("already_adjusted")
    if loaded.special is None:
        notes.append("no_instruments")
    if loaded.basic is None:
        notes.append("no_basics")
    if np.isnan(loaded.raw["amount"]).all():
        notes.append("no_amount")
    return tuple(notes)


def minute_view(data: DataAccessLayer) -> MinuteView | None:
    """Return the day's volume curve of the latest month of minutes, and one symbol's last day in "
    "5-minute candles."""
    symbols = data.symbols(MINUTE)
    if not symbols:
        return None
    last = max(day for day in data.coverage(MINUTE)["last"].to_pylist() if day is not None)
    start = np.datetime64(last).astype("datetime64[D]") - 31
    panel = data.panel(["volume"], symbols=symbols[:50], start=str(start), frequency="1min")
    day = panel.times.astype("datetime64[D]")
    minute = (panel.times - day).astype("timedelta64[m]").astype(np.int64)
    volume = np.nan_to_num(panel["volume"])
    by_minute = np.array([volume[minute == label].sum() for label in MINUTE_LABELS])
    busiest = str(panel.symbols[volume[day == day[-1]].sum(axis=0).argmax()])
    bars = data.panel(
        ["open", "high", "low", "close", "volume"],
        symbols=[busiest],
        start=str(day[-1]),
        end=str(day[-1]),
        frequency="5min",
    )
    clock = np.array([str(moment)[11:16] for moment in bars.times])
    return MinuteView(
        labels=np.array([f"{label // 60:02d}:{label % 60:02d}" for label in MINUTE_LABELS.tolist()]),
        share=by_minute / max(float(by_minute.sum()), 1.0),
        symbol=busiest,
        day=str(day[-1]),
        candles={"label": clock} | {name: values[:, 0] for name, values in bars.fields.items()},
        symbols=len(symbols),
        days=len(np.unique(day)),
    )
