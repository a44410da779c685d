"""All figures of a study as plain values and JSON, for machines."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from enum import Enum
from typing import Any

import numpy as np

import quantflux
from quantflux.backtest.metrics import drawdown
from quantflux.backtest.report.verdicts import verdict_of
from quantflux.backtest.study import Benchmark, Study


def to_json(study: Study) -> str:
    """Return all figures of a study as JSON; see `as_plain`."""
    return json.dumps(as_plain(study), ensure_ascii=False, indent=1, allow_nan=False)


def as_plain(study: Study) -> dict[str, Any]:
    """Return all figures of a study as dictionaries, lists, texts and numbers.

    What is not finite is None. Returns are fractions, money is yuan, days are ISO dates. Orders and daily holdings are
    not among them: those are the run's.
    """
    run = study.run
    made = {
        "quantflux": quantflux.__version__,
        "name": study.name,
        "verdict": verdict_of(study),
        "span": {"first_data": run.times[0], "first": study.times[0], "last": study.times[-1]},
        "names": len(run.symbols),
        "capital": run.capital,
        "execution": _execution(study),
        "performance": study.performance,
        "positive_months": study.positive_months,
        "luck": study.luck,
        "benchmarks": [_benchmark(other) for other in study.benchmarks],
        "months": study.months,
        "years": study.years,
        "drawdowns": [_fall(study, row) for row in range(len(study.falls))],
        "turnover": study.turnover,
        "costs": study.costs,
        "cost_drag": study.cost_drag,
        "yearly_costs": study.yearly_costs,
        "dividends": float(run.dividends.sum()),
        "refusals": [{**asdict(one), "reason": one.reason.name.lower()} for one in study.refusals],
        "rules": None if study.ladder is None else study.ladder,
        "round_trips": _trips(study),
        "series": {
            "times": study.times,
            "equity": study.equity,
            "drawdown": drawdown(study.equity),
            "invested": study.exposure.invested,
            "names": study.exposure.names,
            "largest": study.exposure.largest,
            **{f"benchmark:{other.name}": other.equity for other in study.benchmarks},
        },
    }
    return {key: _plain(value) for key, value in made.items()}


def _execution(study: Study) -> dict[str, Any]:
    execution = study.run.execution
    return {**asdict(execution), "rules": sorted(execution.rules)}


def _benchmark(other: Benchmark) -> dict[str, Any]:
    return {
        "name": other.name,
        "performance": other.performance,
        "comparison": other.comparison,
        "luck": other.luck,
        "months": other.months,
        "years": other.years,
    }


def _fall(study: Study, place: int) -> dict[str, Any]:
    fall = study.falls[place]
    return {
        "depth": fall.depth,
        "peak": study.times[fall.peak],
        "trough": study.times[fall.trough],
        "recovery": None if fall.recovery is None else study.times[fall.recovery],
        "days": fall.length,
    }


def _trips(study: Study) -> dict[str, Any]:
    trips = study.trips
    return {
        "count": len(trips),
        "hit_rate": trips.hit_rate,
        "payoff": trips.payoff,
        "mean_held": trips.mean_held,
        "profit": float(trips.profit.sum()),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = value.tolist() if value.dtype.kind in "fiub" else [str(item) for item in value]
    elif isinstance(value, np.generic):
        value = str(value) if isinstance(value, np.datetime64) else value.item()
    elif is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(inner) for inner in value]
    return value
