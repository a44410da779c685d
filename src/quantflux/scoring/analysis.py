"""Explains scores: the factors of one name beside the market's, and the scores of industries."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np

from quantflux.core.errors import NotFound
from quantflux.scoring.composite import percentiles
from quantflux.scoring.scores import DayScores, Weight

STRONG = 1.0
"""Standard deviations from the market's mean, the better way, from which on a factor is strong; weak below minus it."""

UNKNOWN_INDUSTRY = "unknown"


@dataclass(frozen=True)
class FactorStanding:
    """One factor of one name among the names compared; None where it cannot be known.

    Attributes
    ----------
    factor_value : float
        As the factor's definition gives it.
    z_score : float
        Of the value as it is: (value - mean) / standard deviation, the values' own way round.
    percentile_rank : float
        0 to 100, of the value; equal ones share the mean of their ranks.
    market_mean, market_std, market_median : float
        Of the names compared; the deviation has n - 1.
    deviation_from_mean : float
    relative_strength : str
        `strong` if the z-score, turned so that more is better, is above 1; `weak` below -1, else `neutral`.
    orientation : {1, -1}
    weight : float
    standardised : float
        The z-score that counted: winsorised, and turned so that more is better.
    contribution : float
        To the score: weight times that; 0 where the value is missing. None if the name has no score.
    """

    factor_value: float | None
    z_score: float | None
    percentile_rank: float | None
    market_mean: float | None
    market_std: float | None
    market_median: float | None
    deviation_from_mean: float | None
    relative_strength: str | None
    orientation: int
    weight: float
    standardised: float | None
    contribution: float | None


@dataclass(frozen=True)
class NameAnalysis:
    """Where one name stands on a day.

    Attributes
    ----------
    symbol, name : str
    industry : str or None
    day : date
    compared : bool
        Whether it is among the names compared. If not it has no score, and is set beside those that are.
    score, percentile_rank : float or None
    rank : int or None
    factors : mapping of str to FactorStanding
    notes : tuple of str
    """

    symbol: str
    name: str
    industry: str | None
    day: date
    compared: bool
    score: float | None
    rank: int | None
    percentile_rank: float | None
    factors: dict[str, FactorStanding]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, ready for JSON."""
        return {
            "symbol": self.symbol,
            "name": self.name,
            "industry": self.industry,
            "trade_date": self.day.isoformat(),
            "compared": self.compared,
            "score": self.score,
            "rank": self.rank,
            "percentile_rank": self.percentile_rank,
            "factor_contributions": {label: asdict(each) for label, each in self.factors.items()},
            "total_factors": len(self.factors),
            "notes": list(self.notes),
        }


def analyse_name(scores: DayScores, symbol: str) -> NameAnalysis:
    """Return where a name stands in each factor.

    Raises
    ------
    NotFound
        If the symbol is not among the data up to the day, or has no value of any factor on it.
    """
    on = scores.comparison
    found = np.flatnonzero(on.symbols == symbol)
    if not len(found):
        raise NotFound(f"{symbol} has no bars in the months before {scores.day}")
    place = int(found[0])
    if np.isnan(scores.values[:, place]).all():
        traded = np.flatnonzero(on.loaded.market.traded[:, place])
        last = f"; its last bar before is of {on.times[traded[-1]]}" if len(traded) else ""
        why = "did not trade" if not on.loaded.market.traded[-1, place] else "has no value of any factor"
        raise NotFound(f"{symbol} {why} on {scores.day}{last if why == 'did not trade' else ''}")
    compared = bool(on.chosen[-1, place])
    scored = bool(scores.scored[place])
    outside = () if compared else (f"{symbol} is not among the names compared on {scores.day}",)
    return NameAnalysis(
        symbol,
        on.names[place],
        on.industries[place] or None,
        scores.day,
        compared,
        _number(scores.scores[place]),
        int(scores.ranks[place]) if scored else None,
        _number(scores.percentiles[place]),
        {each.label: _standing(scores, row, place, each) for row, each in enumerate(scores.weights)},
        (*scores.notes, *outside),
    )


def _standing(scores: DayScores, row: int, place: int, weight: Weight) -> FactorStanding:
    values, chosen = scores.values[row], scores.comparison.chosen[-1]
    market = values[chosen & np.isfinite(values)]
    value = float(values[place]) if np.isfinite(values[place]) else np.nan
    mean = market.mean() if len(market) else np.nan
    spread = market.std(ddof=1) if len(market) > 1 else np.nan
    z = (value - mean) / spread if spread > 0 else np.nan
    beside = np.where(chosen & np.isfinite(values), values, np.nan)
    beside[place] = value
    better = weight.orientation * z
    strength = "strong" if better > STRONG else "weak" if better < -STRONG else "neutral"
    return FactorStanding(
        factor_value=_number(value),
        z_score=_number(z),
        percentile_rank=_number(100 * percentiles(beside[None])[0, place]),
        market_mean=_number(mean),
        market_std=_number(spread),
        market_median=_number(np.median(market)) if len(market) else None,
        deviation_from_mean=_number(value - mean),
        relative_strength=None if np.isnan(z) else strength,
        orientation=weight.orientation,
        weight=weight.weight,
        standardised=_number(scores.zscores[row, place]),
        contribution=_number(scores.contributions[row, place]),
    )


@dataclass(frozen=True)
class Sector:
    """The scores of one industry's names.

    Attributes
    ----------
    industry : str
        `unknown` for names of which none is known.
    count : int
    mean, median, std : float
        Of the scores; the deviation has n - 1, and is None for a single name.
    percentile_mean, percentile_median : float
        Of the percentile ranks among all names scored, 0 to 100.
    top : tuple of mapping
        The best of them; see `DayScores.row`.
    """

    industry: str
    count: int
    mean: float
    median: float
    std: float | None
    percentile_mean: float
    percentile_median: float
    top: tuple[dict[str, Any], ...]


@dataclass(frozen=True, eq=False)
class SectorAnalysis:
    """The industries of a day, the one with the highest mean score first.

    Attributes
    ----------
    scores : DayScores
    sectors : tuple of Sector
    """

    scores: DayScores
    sectors: tuple[Sector, ...]

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, ready for JSON."""
        return {
            "trade_date": self.scores.day.isoformat(),
            "method": self.scores.request.method,
            "industry_summary": [
                {
                    "industry": each.industry,
                    "composite_score_mean": each.mean,
                    "composite_score_median": each.median,
                    "composite_score_std": each.std,
                    "composite_score_count": each.count,
                    "percentile_rank_mean": each.percentile_mean,
                    "percentile_rank_median": each.percentile_median,
                }
                for each in self.sectors
            ],
            "top_stocks_by_industry": {each.industry: list(each.top) for each in self.sectors},
            "total_industries": len(self.sectors),
            "total_stocks": int(self.scores.scored.sum()),
            "notes": list(self.scores.notes),
        }


def analyse_sectors(scores: DayScores, top: int = 5) -> SectorAnalysis:
    """Return the scores of each industry that has a name with one."""
    labels = np.array([name or UNKNOWN_INDUSTRY for name in scores.comparison.industries])
    scored = scores.scored
    sectors = [
        _sector(scores, str(label), np.flatnonzero(scored & (labels == label)), top)
        for label in np.unique(labels[scored])
    ]
    return SectorAnalysis(scores, tuple(sorted(sectors, key=lambda each: (-each.mean, each.industry))))


def _sector(scores: DayScores, label: str, places: np.ndarray, top: int) -> Sector:
    values, percents = scores.scores[places], scores.percentiles[places]
    order = places[np.argsort(-values, kind="stable")]  # places are in the order of symbols
    return Sector(
        label,
        len(places),
        float(values.mean()),
        float(np.median(values)),
        float(values.std(ddof=1)) if len(values) > 1 else None,
        float(percents.mean()),
        float(np.median(percents)),
        tuple(scores.row(place) for place in order[:top].tolist()),
    )


def _number(value: float | np.floating[Any]) -> float | None:
    return float(value) if np.isfinite(value) else None
