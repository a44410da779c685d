"""From the stored market to findings: factors, evaluation, backtest, model, portfolio. Knows no terminal, no HTML."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from quantflux.backtest.arena import load_arena
from quantflux.backtest.benchmarks import equal_weighted
from quantflux.backtest.policies import Schedule, TopRanked, decision_rows
from quantflux.backtest.runs.scores import standardised, weighted
from quantflux.backtest.study import Study, study
from quantflux.backtest.warming import compile_kernels
from quantflux.cli.demo.proposing import knows_factors, propose
from quantflux.cli.demo.results import Findings, MinuteView, Overview
from quantflux.cli.demo.stages import Stages
from quantflux.cli.demo.teaching import teach
from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.data.access import DataAccessLayer
from quantflux.data.schema import DAILY_BASIC, MINUTE, MINUTE_LABELS, Dataset
from quantflux.data.sources.synthetic import PLANTED
from quantflux.expressions.program.program import Program
from quantflux.factors import EvaluationPlan, Evaluator, FactorReport, Market
from quantflux.factors.choice import Choice, choose_factors, fields_for_choice
from quantflux.factors.engine import FactorEngine
from quantflux.factors.evaluation import TRADING_DAYS
from quantflux.factors.market_data import MarketData, load_market
from quantflux.platform import Platform
from quantflux.portfolio.risk.inputs import STYLES
from quantflux.rules import are_raw

_SHARE = 0.2
_LEAST_SCORED = 10


def research(platform: Platform, folder: str, stages: Stages, *, synthetic: bool) -> Findings:
    """Compute everything the report shows from what the data access layer holds.

    Raises
    ------
    NotFound
        If there are no daily bars.
    InvalidRequest
        If there are too few of them to compare names with each other.
    """
    data, engine = platform.data, platform.factors
    with stages.stage("Read panels", 2) as done:
        loaded = load_market(data)
        done()
        choice = choose_factors(fields_for_choice(data))
        done()
    if not choice.factors:
        raise InvalidRequest(f"no factor can be computed: {'; '.join(choice.omitted.values())}")
    values = _compute(choice, engine, loaded, stages)
    plan = EvaluationPlan()
    reports = _evaluate(loaded, plan, values, stages)
    with stages.stage("Backtest") as done:
        found = _backtest(data, loaded.market, values)
        done()
    with stages.stage("Train a model") as done:
        taught = teach(platform.models, platform.scoring, choice, loaded)
        done()
    with stages.stage("Optimise a portfolio") as done:
        proposed = propose(data, engine, choice, loaded)
        done()
    with stages.stage("Look at minutes") as done:
        minutes = minute_view(data)
        done()
    return Findings(
        overview=_overview(data, loaded, folder, synthetic=synthetic),
        market=loaded.market,
        choice=choice,
        reports=reports,
        planted={alpha.factor: alpha for alpha in PLANTED} if synthetic else {},
        study=found,
        taught=taught,
        proposed=proposed,
        minutes=minutes,
        notes=_notes(data, loaded),
        seconds=stages.seconds,
        horizon=plan.horizon,
    )


def _compute(
    choice: Choice, engine: FactorEngine, loaded: MarketData, stages: Stages
) -> dict[str, np.ndarray]:
    names = [f"{factor.library}.{factor.id}" for factor in choice.factors]
    with stages.stage("Compile kernels", 2) as done:
        Program(engine.expressions([*names, *STYLES] if knows_factors(loaded) else names)).compile()
        done()
        compile_kernels()
        done()
    with stages.stage("Compute factors") as done:
        axes = loaded.market.panel
        panel = engine.compute(names).reindex(times=axes.times, symbols=axes.symbols)
        done()
    return {name: panel[name].astype(np.float64) for name in panel}


def _evaluate(
    loaded: MarketData, plan: EvaluationPlan, values: Mapping[str, np.ndarray], stages: Stages
) -> tuple[FactorReport, ...]:
    reports = []
    with stages.stage("Evaluate factors", len(values) + 1) as done:
        evaluator = Evaluator(loaded.market, plan, industries=loaded.industries)
        done()
        for name, array in values.items():
            reports.append(evaluator.report(name, array))
            done()
    return tuple(reports)


def _backtest(data: DataAccessLayer, market: Market, values: Mapping[str, np.ndarray]) -> Study | None:
    """Return the backtest; None where no month ends with enough names scored."""
    venue = load_arena(data).venue
    ranks = [standardised(each, market.chosen, "rank") for each in values.values()]
    # All factors count alike: weights fitted on the same history would flatter the result.
    known = {"score": weighted(ranks, [1.0] * len(ranks)), "chosen": market.chosen.astype(np.float64)}
    panel = Panel(market.panel.times, market.panel.symbols, known)
    panel = panel.reindex(times=venue.times, symbols=venue.symbols)
    rows = decision_rows(venue.times, Schedule.MONTHLY)
    policy = TopRanked(panel["score"], rows, share=_SHARE, least=_LEAST_SCORED)
    decided = policy.picked()[0]
    if not len(decided):
        return None
    market_run = equal_weighted(venue, panel["chosen"] == 1, decided)
    return study(venue, policy, name="best fifth", benchmarks={"equal": market_run.equity})


def _overview(data: DataAccessLayer, loaded: MarketData, folder: str, *, synthetic: bool) -> Overview:
    traded = ~np.isnan(loaded.raw["close"])
    days = np.arange(len(traded))[:, None]
    first, last = traded.argmax(axis=0), len(traded) - 1 - traded[::-1].argmax(axis=0)
    return Overview(
        synthetic=synthetic,
        rows=int(traded.sum()),
        basic_rows=_rows(data, DAILY_BASIC),
        minute_rows=_rows(data, MINUTE),
        symbols=traded.shape[1],
        times=loaded.raw.times,
        traded=traded.sum(axis=1),
        suspended=(~traded & (days > first) & (days < last)).sum(axis=1),
        opened_up=loaded.locks.up.sum(axis=1),
        opened_down=loaded.locks.down.sum(axis=1),
        listed=int((first > 0).sum()),
        left=int((last < len(traded) - 20).sum()),
        folder=folder,
        store=data.store.name,
    )


def _rows(data: DataAccessLayer, dataset: Dataset) -> int:
    return int(data.coverage(dataset)["rows"].to_numpy().sum()) if data.symbols(dataset) else 0


def _notes(data: DataAccessLayer, loaded: MarketData) -> tuple[str, ...]:
    notes = ["short_history"] if len(loaded.raw) < 3 * TRADING_DAYS else []
    if not are_raw(loaded.raw):
        notes.append("already_adjusted")
    if loaded.special is None:
        notes.append("no_instruments")
    if not data.symbols(DAILY_BASIC):
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
