"""Portfolio files carried out: from a file to weights, lots and orders, with everything that a report shows."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from quantflux.data.access import DataAccessLayer
from quantflux.factors.engine import FactorEngine
from quantflux.portfolio.checking import box, breaches
from quantflux.portfolio.constraints import (
    Budget,
    Constraint,
    ExposureBounds,
    MaxRisk,
    MaxTrackingError,
    MinPosition,
    NoTrade,
)
from quantflux.portfolio.decomposition import RiskSplit, split_risk
from quantflux.portfolio.doctor import Diagnosis, Price, binding_limits, diagnose, prices
from quantflux.portfolio.methods import optimise
from quantflux.portfolio.portfolio_file import PortfolioFile
from quantflux.portfolio.preparation import Case, prepare
from quantflux.portfolio.rebalance import RebalanceList, rebalance
from quantflux.portfolio.result import Portfolio
from quantflux.portfolio.rounding import LotPortfolio, to_lots

_DUST = 1e-6  # a weight below it is not bought
_NOTABLE = 1e-4  # of weight: by how much whole lots may break a limit without a word
_MOST_NAMED = 3


@dataclass(frozen=True, eq=False)
class Proposal:
    """What to hold, and how to get there.

    Attributes
    ----------
    case : Case
    portfolio : Portfolio
        Weights.
    lots : LotPortfolio
        Whole lots near them, of what can be traded.
    orders : RebalanceList
        From what is held to these lots.
    """

    case: Case
    portfolio: Portfolio
    lots: LotPortfolio
    orders: RebalanceList

    @cached_property
    def binding(self) -> tuple[str, ...]:
        """The limits at which the weights stand, in words."""
        return binding_limits(self.case.problem, self.portfolio.weights)

    @cached_property
    def risk(self) -> RiskSplit | None:
        """Where the risk comes from; None without a risk model."""
        risk = self.case.problem.risk
        return None if risk is None else split_risk(risk, self.portfolio.weights)

    @cached_property
    def active_risk(self) -> RiskSplit | None:
        """Where the tracking error comes from; None without a benchmark."""
        risk, benchmark = self.case.problem.risk, self.case.problem.benchmark
        return (
            None
            if risk is None or benchmark is None
            else split_risk(risk, self.portfolio.weights - benchmark)
        )

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know: of the data, of the solution, and of what whole lots break."""
        broken = breaches(
            self.case.problem,
            self.lots.weights[self.case.places],
            _NOTABLE,
            without=(Budget, MinPosition, NoTrade),
        )
        more = f"; and {len(broken) - _MOST_NAMED} more" if len(broken) > _MOST_NAMED else ""
        lots = (f"rounded to whole lots: {'; '.join(broken[:_MOST_NAMED])}{more}",) if broken else ()
        solver = (self.portfolio.fallback,) if self.portfolio.fallback else ()
        return (*self.case.notes, *self.portfolio.notes, *lots, *solver)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, ready for JSON."""
        lots, orders = self.lots, self.orders
        held = np.flatnonzero((lots.wanted != 0) | (lots.shares > 0) | (lots.held > 0))
        return {
            "name": self.case.file.name,
            "date": self.case.day.isoformat(),
            "value": round(self.case.value, 2),
            "portfolio": self.portfolio.to_dict(),
            "limits": list(self.binding),
            "lots": [
                {
                    "symbol": lots.symbols[i],
                    "name": self.case.names[i],
                    "industry": self.case.industries[i] or None,
                    "weight": float(lots.wanted[i]),
                    "price": _number(lots.prices[i]),
                    "held": int(lots.held[i]),
                    "shares": int(lots.shares[i]),
                    "amount": round(float(lots.amounts[i]), 2),
                }
                for i in held[np.argsort(-lots.wanted[held], kind="stable")]
            ],
            "cash": round(lots.cash, 2),
            "drift": lots.drift,
            "rounding_tracking_error": lots.tracking_error,
            "orders": orders.to_table().to_pylist(),
            "refusals": [
                {"symbol": r.symbol, "wanted": r.wanted, "ordered": r.ordered, "reason": str(r.barrier)}
                for r in orders.refusals
            ],
            "fees": round(orders.fees, 2),
            "fees_bp": orders.fees_bp,
            "turnover": orders.turnover,
            "risk": _split(self.risk, self.portfolio.symbols),
            "active_risk": _split(self.active_risk, self.portfolio.symbols),
            "notes": list(self.notes),
        }


class PortfolioService:
    """Finds portfolios on the data of an installation.

    Parameters
    ----------
    data : DataAccessLayer
    factors : FactorEngine
    """

    def __init__(self, data: DataAccessLayer, factors: FactorEngine) -> None:
        self._data, self._factors = data, factors

    def prepare(self, file: PortfolioFile, folder: Path = Path()) -> Case:
        """Return the problem that a file describes; files that it names are looked for in `folder`.

        Raises
        ------
        NotFound, UnknownSymbol, InvalidRequest
            If the data cannot give what the file asks for; the message names the key.
        """
        return prepare(self._data, self._factors, file, folder)

    def optimise(self, case: Case) -> Proposal:
        """Find the portfolio of a case, its lots and the orders.

        Raises
        ------
        Infeasible
            If no weights meet all limits: `diagnose` says why.
        OptimisationError
            If solvers fail.
        """
        portfolio = optimise(case.problem, case.file.method, **case.parameters)
        weights = np.zeros(len(case.symbols))
        weights[case.stays] = case.weights_held[case.stays]
        weights[case.places] = np.where(portfolio.weights > _DUST, portfolio.weights, 0.0)
        lots = to_lots(
            case.symbols,
            weights / max(float(weights.sum()), 1.0),
            case.prices,
            case.cash,
            fees=case.fees,
            held=case.held,
            risk=case.risk,
            most=_most(case),
            buyable=case.barriers.buyable,
            sellable=case.barriers.sellable,
        )
        orders = rebalance(
            case.symbols,
            case.held,
            _wished(case, lots),
            case.prices,
            case.cash,
            case.day,
            fees=case.fees,
            barriers=case.barriers,
        )
        return Proposal(case, portfolio, lots, orders)

    def diagnose(self, case: Case) -> Diagnosis:
        """Say whether the limits of a case can hold together, those of its method included, and what has to give."""
        own = _limits_of_method(case)
        return diagnose(replace(case.problem, constraints=(*case.problem.constraints, *own)))

    def prices(self, proposal: Proposal) -> tuple[Price, ...]:
        """Say what the limits cost at which a portfolio stands."""
        return prices(proposal.case.problem, proposal.portfolio)


def _limits_of_method(case: Case) -> tuple[Constraint, ...]:
    """Return the limits that a method's parameters set."""
    told = case.parameters
    if case.file.method == "factor_neutral":
        relative = bool(told.get("relative"))
        return (ExposureBounds(0.0, 0.0, factors=tuple(told.get("factors", ())), relative=relative),)
    if case.file.method == "mean_variance" and told.get("max_risk") is not None:
        limit = MaxTrackingError if told.get("active") else MaxRisk
        return (limit(float(told["max_risk"])),)
    return ()


def _wished(case: Case, lots: LotPortfolio) -> np.ndarray:
    """Return the shares to go for: the lots; of names that cannot be traded, what they were to become without that."""
    free = to_lots(
        case.symbols,
        lots.wanted,
        case.prices,
        case.cash,
        fees=case.fees,
        held=case.held,
        risk=case.risk,
        most=_most(case),
    )
    stuck = np.where(free.shares > case.held, ~case.barriers.buyable, ~case.barriers.sellable) & ~case.stays
    return np.where(stuck & (free.shares != case.held), free.shares, lots.shares)


def _most(case: Case) -> np.ndarray:
    """Return the largest weight of each name that the limits on single names allow, shape (N,)."""
    most = np.full(len(case.symbols), np.inf)
    most[case.places] = np.maximum(box(case.problem)[1], 0.0)
    return most


def _split(split: RiskSplit | None, symbols: tuple[str, ...]) -> dict[str, Any] | None:
    if split is None:
        return None
    told = asdict(split)
    order = np.argsort(-np.abs(split.names), kind="stable")
    told["names"] = {symbols[i]: float(split.names[i]) for i in order if split.names[i]}
    return told


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
