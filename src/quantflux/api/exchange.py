"""What is known about one request while it is answered, from the edge to the route and back."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import Scope

from quantflux.accounts.limits.kinds import Allowance
from quantflux.accounts.principal import Principal

KEY = "quantflux.exchange"


@dataclass(slots=True)
class Exchange:
    """One request and its answer.

    Attributes
    ----------
    request_id : str
        Of the caller if well formed, else our own.
    address : str
        Of the client, behind trusted proxies.
    max_body : int
        Bytes that the body may have; a route for uploads raises it before it reads.
    route : str
        Template of the path, such as /api/v2/jobs/{id}; empty before one was found.
    principal : Principal or None
        Who asks, once known.
    allowance : Allowance or None
        What the limiter said.
    """

    request_id: str
    address: str
    max_body: int
    route: str = ""
    principal: Principal | None = None
    allowance: Allowance | None = None


def exchange_of(scope: Scope) -> Exchange:
    """Return what is known about the request of an ASGI scope."""
    found: Exchange = scope[KEY]
    return found
