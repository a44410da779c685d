"""What a strategy of v1 holds after each of its dates: scores of many days, and weights for the best names of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

import numpy as np

from quantflux.api.v1_compat.asked import Values
from quantflux.api.v1_compat.envelope import Refused
from quantflux.api.v1_compat.factors import short_name, usable
from quantflux.api.v1_compat.portfolio import Selection, selected, weights_of
from quantflux.api.v1_compat.scoring import request_of
from quantflux.core.errors import NotFound
from quantflux.data.schema import DAILY
from quantflux.platform import Platform
from quantflux.portfolio.forecast import combined_zscore

FREQUENCIES = ("daily", "weekly", "monthly", "quarterly")

Weights = Mapping[str, float]


def dates_of(platform: Platform, start: date, end: date, frequency: str) -> list[date]:
    """Return the first trading day of each period of a span, as v1 chose them.

    Raises
    ------
    Refused
        400 if the frequency is unknown, or nothing was traded.
    """
    if frequency not in FREQUENCIES:
        raise Refused(
            400, f"rebalance_frequency: found {frequency!r:.60}; valid is one of {', '.join(FREQUENCIES)}"
        )
    if platform.data.store.span(DAILY) is None:
        raise Refused(400, "there are no daily bars")
    times = platform.data.panel(["close"], None, start, end).times
    if not len(times):
        raise Refused(400, f"nothing was traded from {start} to {end}")
    period = _period(times, frequency)
    first = np.r_[True, period[1:] != period[:-1]]
    return [date.fromisoformat(str(day)) for day in times[first]]


def weights_by_date(
    platform: Platform, dates: list[date], strategy: Values
) -> Iterator[tuple[date, Weights]]:
    """Yield the weights wanted at the close of each date; dates without anything to choose from are left out."""
    optimisation = strategy.mapping("optimization")
    method, constraints = optimisation.text("method", "equal_weight"), optimisation.mapping("constraints")
    top = strategy.integer("top_n", 50)
    for day, chosen in _selections(platform, dates, strategy, top):
        if method == "equal_weight":
            weight = min(1 / len(chosen.codes), constraints.number("max_weight", 1.0))
            yield day, dict.fromkeys(chosen.codes, weight)
        else:
            found = weights_of(platform, day, chosen, method, constraints)
            yield day, dict(zip(found.codes, found.weights.tolist(), strict=True))


def _selections(
    platform: Platform, dates: list[date], strategy: Values, top: int
) -> Iterator[tuple[date, Selection]]:
    if strategy.text("selection_method", "factor_based") == "factor_based" or not strategy.names("model_ids"):
        yield from _by_factors(platform, dates, strategy, top)
        return
    for day in dates:
        try:
            yield day, selected(platform, day, strategy, top)
        except Refused as exc:
            if exc.status != 404:
                raise


def _by_factors(
    platform: Platform, dates: list[date], strategy: Values, top: int
) -> Iterator[tuple[date, Selection]]:
    """Score all dates at once: each row is what was known at that close."""
    names = usable(platform, strategy.names("factor_list"))
    weights = strategy.numbers("weights") or strategy.numbers("factor_weights")
    given = {name: weights.get(short_name(name)) for name in names}
    weighed = any(given.values())
    request = request_of(names, dates[-1], "weighted" if weighed else "equal", given if weighed else None)
    try:
        history = platform.scoring.history(request, dates[0], dates[-1])
    except NotFound as exc:
        raise Refused(404, f"未找到因子数据: {exc}") from exc
    panel = history.scores
    for day in dates:
        scores = panel["score"][panel.row_of(day)]
        known = np.flatnonzero(~np.isnan(scores))
        if not len(known):
            continue
        order = known[np.argsort(-scores[known], kind="stable")][:top]
        standing = combined_zscore([scores], [1.0], ~np.isnan(scores))
        yield day, Selection(panel.symbols[order].tolist(), scores[order], standing[order], 0)


def _period(times: np.ndarray, frequency: str) -> np.ndarray:
    days = times.astype("datetime64[D]").astype(np.int64)
    months = times.astype("datetime64[M]").astype(np.int64)
    return {
        "daily": days,
        "weekly": (days + 3) // 7,  # 1970-01-01 was a Thursday: weeks change on Mondays
        "monthly": months,
        "quarterly": months // 3,
    }[frequency]
