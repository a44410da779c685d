"""What a model is to foretell, for each day and name, and when the answer is known.

1. A value: the return that one can earn, buying at the next open and selling `horizon` days later (`_earned`); the one
   from close to close (`_on_paper`); or an expression with lead() (`_of_expression`).
2. The mean of the day's market or of the name's industry is taken off, if asked for (`_less_market`,
   `_less_industry`).
3. What is learnt of it: the value itself, its place among the day's values (`_percentile`, `_bucket`) or its z-score.

Most labels of a day are known at the same later day, `reach` rows on. A name that is suspended or locked at its lower
limit when it should be sold is stuck: its label is known when it is sold at last. So that nobody has to wait for it,
**a day is described by the names whose label is known on time**, and a stuck name is placed beside them afterwards. A
label never changes once it is known: it is the same, to the bit, when the data end on the day at which it became known.

A name that could never be sold again, for it was delisted or is still suspended at the end of the data, has a last
price, but nobody was paid it: its label is not known. Of a delisted name these are the returns that begin on one of the
last `horizon` days on which it could be bought.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.expressions.kernels.rows import NO_SPREAD
from quantflux.expressions.labels import evaluate_label, horizon_of
from quantflux.expressions.text import parse
from quantflux.factors.evaluation.forward import forward_returns, paper_returns
from quantflux.factors.market_data import MarketData
from quantflux.factors.universe import Industries, Market
from quantflux.learning.specification import LabelSpec

LEAST_NAMES = 2
"""Fewer names on time have no mean that says anything of another one, and no order."""


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels by day and name; arrays have shape (T, N).

    Attributes
    ----------
    values : array of float64
        NaN where the label is not known, or the name could not be bought.
    known : array of int64
        The first row at whose close the value is known; T where it is NaN.
    reach : int
        Rows from a label's row to the one at whose close it is usually known: no `known` is less than that far away.
    classes : int
        How many classes there are, numbered from 0; 0 where labels are numbers.
    """

    values: np.ndarray
    known: np.ndarray
    reach: int
    classes: int


def make_labels(
    spec: LabelSpec,
    market: MarketData,
    fields: Panel | None = None,
    among: np.ndarray | None = None,
) -> Labels:
    """Return the labels of a market.

    Parameters
    ----------
    spec : LabelSpec
    market : MarketData
    fields : Panel, optional
        What an expression reads; it is laid on the market's days and symbols. The market's adjusted bars unless given.
    among : array of bool, shape (T, N), optional
        The names that describe a day: its mean, spread and order. They must be told by what was known on that day.
        The market's investable names unless given. Other names have labels too, placed beside these.

    Returns
    -------
    Labels
        A mean and an order need two names on time, a class as many as there are classes, an industry's mean two of
        its names; labels that want one are NaN, and so are those relative to an unknown industry.

    Raises
    ------
    InvalidRequest
        If the expression does not look ahead, `among` has another shape than the market, or there are no industries.
    NotFound
        If the expression reads a field that is not there.
    """
    chosen = market.market.chosen if among is None else among
    shape = market.market.panel.shape
    if chosen.shape != shape:
        raise InvalidRequest(f"names must have the market's shape {shape}, had {chosen.shape}")
    values, known, reach = _values(spec, market, fields)
    on_time = chosen & (known == np.arange(shape[0])[:, None] + reach)
    if spec.relative == "market":
        values = _less_market(values, on_time)
    elif spec.relative == "industry":
        values = _less_industry(values, on_time, market.industries)
    on_time &= ~np.isnan(values)
    if spec.transform == "rank":
        values = _percentile(values, on_time)
    elif spec.transform == "zscore":
        values = _z_score(values, on_time)
    elif spec.transform == "class":
        values = _bucket(values, on_time, spec.classes)
    known[np.isnan(values)] = shape[0]
    return Labels(values, known, reach, spec.classes if spec.transform == "class" else 0)


def _values(spec: LabelSpec, market: MarketData, fields: Panel | None) -> tuple[np.ndarray, np.ndarray, int]:
    """Return values, the rows at which they are known, and how far away that usually is."""
    if spec.kind == "expression":
        values, reach = _of_expression(spec.expression, market.market.panel, fields)
    elif spec.entry == "close":
        values, reach = _on_paper(market.market, spec.horizon)
    else:
        return _earned(market.market, spec.horizon)
    known = np.arange(len(values))[:, None] + np.where(np.isnan(values), len(values), reach)
    return values, np.minimum(known, len(values)), reach


def _earned(market: Market, horizon: int) -> tuple[np.ndarray, np.ndarray, int]:
    values, reach = forward_returns(market, horizon), horizon + 1
    days = len(values)
    rows = np.where(market.sellable, np.arange(days)[:, None], days)
    sold = np.minimum.accumulate(rows[::-1], axis=0)[::-1]  # the first row from each on at which one can sell
    known = np.full(values.shape, days)
    known[: max(days - reach, 0)] = sold[reach:]
    values[known == days] = np.nan
    known[np.isnan(values)] = days
    return values, known, reach


def _on_paper(market: Market, horizon: int) -> tuple[np.ndarray, int]:
    return paper_returns(market, horizon), horizon


def _of_expression(text: str | None, bars: Panel, fields: Panel | None) -> tuple[np.ndarray, int]:
    if text is None:
        raise InvalidRequest(
            "a label of kind expression needs one, such as: lead(close, 5) / lead(open, 1) - 1"
        )
    node = parse(text)
    reach = horizon_of(node)
    if not reach:
        raise InvalidRequest(f"a label must look ahead by lead(), but {text!r} does not")
    panel = bars if fields is None else fields.reindex(times=bars.times, symbols=bars.symbols)
    return evaluate_label(node, panel), reach


def _less_market(values: np.ndarray, on_time: np.ndarray) -> np.ndarray:
    return np.asarray(values - _mean(values, on_time))


def _less_industry(values: np.ndarray, on_time: np.ndarray, industries: Industries | None) -> np.ndarray:
    if industries is None:
        raise InvalidRequest(
            "labels relative to the industry need instruments with their industries, and none are stored; "
            "import some, or take labels relative to the market"
        )
    number = len(industries.names)
    codes = industries.laid_on((len(values), values.shape[1]))
    codes = np.where((codes >= 0) & (codes < number), codes, number)  # the last one is unknown
    out = np.empty(values.shape)
    for row, (code, value, there) in enumerate(zip(codes, values, on_time, strict=True)):
        counts = np.bincount(code[there], minlength=number + 1).astype(np.float64)
        totals = np.bincount(code[there], weights=value[there], minlength=number + 1)
        counts[number] = 0
        counts[counts < LEAST_NAMES] = np.nan
        out[row] = value - (totals / counts)[code]
    return out


def _mean(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return the mean of each row over some names, shape (T, 1); NaN of too few."""
    counts = among.sum(axis=1, keepdims=True, dtype=np.float64)
    counts[counts < LEAST_NAMES] = np.nan
    return np.asarray(np.where(among, values, 0.0).sum(axis=1, keepdims=True) / counts)


def _z_score(values: np.ndarray, on_time: np.ndarray) -> np.ndarray:
    """Return distances from the mean in sample standard deviations; NaN where nothing varies."""
    mean = _mean(values, on_time)
    away = values - mean
    squares = np.where(on_time, np.square(away), 0.0).sum(axis=1, keepdims=True)
    spread = np.sqrt(squares / np.maximum(on_time.sum(axis=1, keepdims=True) - 1, 1))
    spread[~(spread > NO_SPREAD * np.abs(mean))] = np.nan
    return np.asarray(away / spread)


def _percentile(values: np.ndarray, on_time: np.ndarray, least: int = LEAST_NAMES) -> np.ndarray:
    """Return which part of the names on time is below, 0 to 1; those that are equal, oneself included, count half.

    Rows with fewer than `least` names on time are NaN.
    """
    out = np.full(values.shape, np.nan)
    for row, (value, there) in enumerate(zip(values, on_time, strict=True)):
        known = np.sort(value[there])
        if len(known) < least:
            continue
        has = np.flatnonzero(~np.isnan(value))
        wanted = value[has]
        middle = np.searchsorted(known, wanted, "left") + np.searchsorted(known, wanted, "right")
        out[row, has] = middle / (2 * len(known))
    return out


def _bucket(values: np.ndarray, on_time: np.ndarray, classes: int) -> np.ndarray:
    """Return the class of each name by its percentile, as the operator `bucket` does for names on time."""
    places = _percentile(values, on_time, least=classes) * classes
    found = np.floor(
        places + 1e-9
    )  # places are far coarser, but a whole number may come out just below: 1/49 * 49
    return np.asarray(np.minimum(found, classes - 1))
