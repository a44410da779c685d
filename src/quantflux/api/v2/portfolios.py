"""Portfolios: weights, lots and orders from a description; and why there is none.

One rule says when the caller waits: a portfolio of at most 500 names, without limits that count names, is found at
once; anything larger is a job (202), as is everything with `wait=false`.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request, Response

from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.permissions import Permission
from quantflux.accounts.principal import Principal
from quantflux.api.accepted import ACCEPTED, submit
from quantflux.api.access import Services, needs
from quantflux.api.idempotency import IdempotencyKey
from quantflux.api.routing import Router
from quantflux.api.v2.research import Described, Document, examples, one_document, plain_answer, spend
from quantflux.jobs import Told
from quantflux.platform import Platform
from quantflux.portfolio.portfolio_file import PortfolioFile
from quantflux.work import quotes
from quantflux.work.catalogue import KINDS
from quantflux.work.documents import portfolio_document
from quantflux.work.portfolios import is_small

router = Router(prefix="/api/v2/portfolios", tags=["portfolios"])

Optimiser = Annotated[Principal, needs(Permission.PORTFOLIOS_OPTIMISE, RouteKind.WORK)]
Trader = Annotated[Principal, needs(Permission.PORTFOLIOS_REBALANCE, RouteKind.WORK)]
Wait = Annotated[bool, Query(description="Whether to wait for small portfolios; false: always a job.")]
_ENHANCED: dict[str, Any] = {
    "name": "enhanced market",
    "capital": 10_000_000,
    "method": "mean_variance",
    "parameters": {"risk_aversion": 10.0, "active": True},
    "expected_returns": {"score": [{"factor": "reversal_20"}], "horizon": 20},
    "risk": {"model": "factor", "window": 500},
    "benchmark": "cap",
    "constraints": {"weights": {"most": 0.03}, "tracking_error": 0.05},
}
_HELD: dict[str, Any] = {
    "name": "calmer",
    "method": "minimum_variance",
    "holdings": {"shares": {"000001.SZ": 2000, "600001.SH": 500}, "cash": 1_000_000},
    "risk": {"model": "factor", "window": 250},
    "constraints": {"weights": {"most": 0.05}},
}
PortfolioBody = Annotated[Document, Described(PortfolioFile), examples(enhanced=_ENHANCED, held=_HELD)]
_INFEASIBLE = (
    "The document has a mistake, or no weights meet all limits (`infeasible`): `diagnosis` then has the conflicts and "
    "what has to give."
)
_NO_DATA = "There are no bars on that day, or a factor or symbol is unknown."


def _responses(description: str, example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return one_document(description, example, _404=_NO_DATA, _422=_INFEASIBLE) | ACCEPTED


_FOUND = {"name": "enhanced market", "date": "2025-12-31", "portfolio": {"weights": {"600519.SH": 0.03}}}


@router.post(
    "/optimise",
    summary="Find a portfolio",
    response_class=Response,
    responses=_responses("Weights, whole lots, orders, limits that bind, and risk.", _FOUND),
)
def optimise(
    caller: Optimiser,
    services: Services,
    request: Request,
    body: PortfolioBody,
    key: IdempotencyKey,
    wait: Wait = True,
) -> Response:
    """Find the weights of a portfolio, in whole lots."""
    return _found(services, "portfolios.optimise", caller, request, body, key, wait=wait)


@router.post(
    "/explain",
    summary="Why a portfolio is as it is",
    response_class=Response,
    responses=_responses("The portfolio, and what each binding limit costs.", _FOUND | {"prices": []}),
)
def explain(
    caller: Optimiser,
    services: Services,
    request: Request,
    body: PortfolioBody,
    key: IdempotencyKey,
    wait: Wait = True,
) -> Response:
    """Find a portfolio, and say what the limits cost at which it stands: one more solution a limit."""
    return _found(services, "portfolios.explain", caller, request, body, key, wait=wait, times=5.0)


@router.post(
    "/diagnose",
    summary="Can the limits hold together?",
    response_class=Response,
    responses=_responses(
        "Whether they can, and if not, which clash and what has to give.",
        {"name": "calmer", "feasible": True, "conflicts": [], "changes": []},
    ),
)
def diagnose(
    caller: Optimiser,
    services: Services,
    request: Request,
    body: PortfolioBody,
    key: IdempotencyKey,
    wait: Wait = True,
) -> Response:
    """Say whether the limits of a portfolio can hold together, and what has to give."""
    return _found(services, "portfolios.diagnose", caller, request, body, key, wait=wait, times=3.0)


@router.post(
    "/rebalance",
    summary="Orders from what is held",
    response_class=Response,
    responses=_responses(
        "The orders with their fees, and what cannot be traded and why.",
        {"name": "calmer", "date": "2025-12-31", "orders": [], "refusals": [], "fees": 0.0},
    ),
)
def rebalance(
    caller: Trader,
    services: Services,
    request: Request,
    body: PortfolioBody,
    key: IdempotencyKey,
    wait: Wait = True,
) -> Response:
    """List the orders from what is held to the portfolio. Nothing is sent anywhere."""
    return _found(services, "portfolios.rebalance", caller, request, body, key, wait=wait)


def _found(
    platform: Platform,
    kind: str,
    caller: Principal,
    request: Request,
    body: dict[str, Any],
    key: str,
    *,
    wait: bool,
    times: float = 1.0,
) -> Response:
    """Return what the work gives, at once or as a job; its cost is counted before."""
    file = portfolio_document(body)
    at_once = wait and is_small(platform, file)
    spend(platform, caller, times * quotes.portfolio_seconds(platform, file))
    if at_once:
        return plain_answer(KINDS[kind].run(platform, body, Told()))
    response = Response(media_type="application/json")
    job = submit(platform, KINDS[kind], body, caller, request, response, key=key)
    headers = {"Location": response.headers["Location"]}
    return Response(job.model_dump_json(), 202, headers, "application/json")
