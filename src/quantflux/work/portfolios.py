"""Work on portfolios: finding them, saying why there is none, and what to trade."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from quantflux.accounts.permissions import Permission
from quantflux.core.errors import Infeasible
from quantflux.data.schema import DAILY
from quantflux.jobs.told import Told
from quantflux.work.contract import Work
from quantflux.work.documents import portfolio_document
from quantflux.work.models import plainly

if TYPE_CHECKING:
    from quantflux.platform import Platform
    from quantflux.portfolio.portfolio_file import PortfolioFile
    from quantflux.portfolio.service import Proposal

MOST_AT_ONCE = 500
"""Names up to which a portfolio is found while the caller waits: a second or two."""

_ORDERS = ("name", "date", "value", "orders", "refusals", "fees", "fees_bp", "turnover", "cash", "notes")


def optimise(platform: Platform, payload: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """Find a portfolio, in whole lots: a payload is a portfolio file's content.

    Raises
    ------
    Infeasible
        If no weights meet all limits, with the diagnosis.
    """
    return plainly(_solved(platform, payload, told).to_dict())


def explain(platform: Platform, payload: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """Find a portfolio, and say what the limits cost at which it stands; raises what `optimise` does."""
    proposal = _solved(platform, payload, told)
    told.check()
    told.progress(2, 3, "pricing limits")
    priced = [asdict(price) for price in platform.portfolios.prices(proposal)]
    return plainly(proposal.to_dict() | {"prices": priced})


def rebalance(platform: Platform, payload: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """List the orders from what is held to a portfolio; raises what `optimise` does."""
    found = _solved(platform, payload, told).to_dict()
    return plainly({key: found[key] for key in _ORDERS})


def diagnose(platform: Platform, payload: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """Say whether the limits of a portfolio can hold together, and what has to give."""
    file = portfolio_document(payload)
    told.progress(0, 2, "loading")
    case = platform.portfolios.prepare(file)
    told.check()
    told.progress(1, 2, "looking for conflicts")
    found = platform.portfolios.diagnose(case)
    return {"name": file.name, "text": str(found), **plainly(found.to_dict())}


def is_small(platform: Platform, file: PortfolioFile) -> bool:
    """Whether a portfolio is found while the caller waits: of few names, without limits that count them."""
    limits = file.constraints
    if limits.names is not None or limits.position is not None:
        return False
    count = len(file.universe.symbols) or len(platform.data.symbols(DAILY))
    return count <= MOST_AT_ONCE


def _solved(platform: Platform, payload: Mapping[str, Any], told: Told) -> Proposal:
    file = portfolio_document(payload)
    told.progress(0, 3, "loading")
    case = platform.portfolios.prepare(file)
    told.check()
    told.progress(1, 3, "solving")
    try:
        return platform.portfolios.optimise(case)
    except Infeasible as error:
        told.check()
        found = platform.portfolios.diagnose(case)
        if found.feasible:
            raise
        said = f"{file.name}: no weights meet all limits; {found}"
        raise Infeasible(said, "infeasible", plainly(found.to_dict())) from error


WORK = (
    Work("portfolios.optimise", Permission.PORTFOLIOS_OPTIMISE, optimise),
    Work("portfolios.explain", Permission.PORTFOLIOS_OPTIMISE, explain),
    Work("portfolios.diagnose", Permission.PORTFOLIOS_OPTIMISE, diagnose),
    Work("portfolios.rebalance", Permission.PORTFOLIOS_REBALANCE, rebalance),
)
