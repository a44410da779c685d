"""A portfolio for the last day, from the demonstration's factors: near the market, with more of what they favour.

Nothing is worked out here: portfolio files are written as values, the best first, and the first that the data allow is
carried out by `quantflux.portfolio`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from quantflux.cli.demo.results import Proposed
from quantflux.core.errors import InvalidRequest, NotFound, OptimisationError
from quantflux.data.access import DataAccessLayer
from quantflux.factors.choice import LIBRARY, Choice
from quantflux.factors.engine import FactorEngine
from quantflux.factors.market_data import MarketData
from quantflux.portfolio.portfolio_file import PortfolioFile
from quantflux.portfolio.service import PortfolioService, Proposal

CAPITAL = 10_000_000.0
"""Yuan."""

MOST_NAMES_PRICED = 1_000
"""Each binding limit takes one more solution to price; beyond so many names that is too slow for a demonstration."""

_WEIGHT, _INDUSTRY, _TRACKING_ERROR = 0.03, 0.02, 0.05
_LEAST_NAMES = 4  # of few names, each may be so many times its equal weight
_RISK_AVERSION = 10.0
_FACTOR_DAYS, _FACTOR_WINDOW, _WINDOW, _LEAST_WINDOW = 250, 500, 250, 60
_MOST_DENSE = 1_000  # names: a covariance of more takes minutes
_FEW = 1  # days: the first one has no return


def propose(data: DataAccessLayer, engine: FactorEngine, choice: Choice, loaded: MarketData) -> Proposed:
    """Return the portfolio of the last day, or why there is none; no lack of data is an error."""
    service = PortfolioService(data, engine)
    why = f"the data have {len(loaded.raw)} trading days, {_LEAST_WINDOW + _FEW} are needed"
    for file, lacks in _files(choice, loaded):
        try:
            proposal = service.optimise(service.prepare(file))
        except (InvalidRequest, NotFound, OptimisationError) as error:
            why = str(error)
            continue
        priced = len(proposal.portfolio.symbols) <= MOST_NAMES_PRICED
        return Proposed(proposal, service.prices(proposal) if priced else (), tuple(lacks), "")
    return Proposed(None, (), (), why)


def knows_factors(loaded: MarketData) -> bool:
    """Whether the data may allow the factor risk model: industries, and enough days."""
    return loaded.industries is not None and len(loaded.raw) >= _FACTOR_DAYS


def _files(choice: Choice, loaded: MarketData) -> Iterator[tuple[PortfolioFile, Sequence[str]]]:
    """Yield what to try, the best first, each with the keys of what a reader must know of it."""
    days, names = len(loaded.raw), int(loaded.market.traded[-1].sum())
    if days < _LEAST_WINDOW + _FEW:
        return
    lacks = [] if loaded.industries is not None else ["no_industry_bounds"]
    if knows_factors(loaded):
        window = min(_FACTOR_WINDOW, days - _FEW)
        yield _file(choice, loaded, names, "factor", window, "cap"), lacks
        yield _file(choice, loaded, names, "factor", window, "equal"), [*lacks, "equal_benchmark"]
    plain, note = ("shrunk", "shrunk_risk") if names <= _MOST_DENSE else ("statistical", "statistical_risk")
    window = min(_WINDOW, days - _FEW)
    yield _file(choice, loaded, names, plain, window, "cap"), [note, *lacks]
    yield _file(choice, loaded, names, plain, window, "equal"), [note, *lacks, "equal_benchmark"]


def _file(
    choice: Choice, loaded: MarketData, names: int, model: str, window: int, benchmark: str
) -> PortfolioFile:
    limits: dict[str, object] = {
        "weights": max(_WEIGHT, _LEAST_NAMES / max(names, _LEAST_NAMES)),
        "tracking_error": _TRACKING_ERROR,
    }
    if loaded.industries is not None:
        limits["industries"] = {"least": -_INDUSTRY, "most": _INDUSTRY, "relative": True}
    return PortfolioFile.model_validate(
        {
            "name": "demo",
            "capital": CAPITAL,
            "method": "mean_variance",
            "parameters": {"risk_aversion": _RISK_AVERSION, "active": True},
            "expected_returns": {"score": [f"{LIBRARY}.{factor.id}" for factor in choice.factors]},
            "risk": {"model": model, "window": window},
            "benchmark": benchmark,
            "constraints": limits,
        }
    )


@dataclass(frozen=True)
class Position:
    """A name of the portfolio: its weight, and the shares in whole lots."""

    symbol: str
    name: str
    industry: str
    weight: float
    shares: int


def largest(proposal: Proposal, most: int) -> list[Position]:
    """Return the largest positions, the largest first."""
    case = proposal.case
    place = {symbol: i for i, symbol in enumerate(case.symbols)}
    held = list(proposal.portfolio.held().items())[:most]
    return [
        Position(symbol, case.names[i], case.industries[i], weight, int(proposal.lots.shares[i]))
        for symbol, weight in held
        for i in (place[symbol],)
    ]
