"""Logging in and out. Tokens travel in bodies and headers alone, never in cookies or addresses."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Request, Response
from pydantic import Field

from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.logging_in import Tokens
from quantflux.accounts.permissions import Permission
from quantflux.accounts.principal import Principal
from quantflux.api.access import Services, needs, public
from quantflux.api.bodies import Answer, Body
from quantflux.api.exchange import exchange_of
from quantflux.api.routing import Router

router = Router(prefix="/api/v2/auth", tags=["log-in"])

Password = Annotated[str, Field(max_length=128, json_schema_extra={"format": "password"})]
Code = Annotated[str, Field(pattern=r"^[0-9]{6}$", examples=["492039"])]
Caller = Annotated[Principal, needs(Permission.ACCOUNT_OWN, RouteKind.WRITE)]


class LogIn(Body):
    """Who wants in.

    `device` is what an earlier log-in of the same client gave; `label` is how the client calls itself in the list of
    sessions; `code` is of the second factor, if there is one.
    """

    name: str = Field(max_length=64, examples=["li.wei"])
    password: Password = Field(examples=["correct horse battery staple"])
    code: Code | None = None
    device: str = Field("", max_length=200)
    label: str = Field("", max_length=64, examples=["notebook"])


class Refresh(Body):
    """What a log-in or the refresh before gave."""

    refresh_token: str = Field(max_length=200)


class TokensShown(Answer):
    """What to send from now on.

    `access_token` goes into the header Authorization, for `expires_in` seconds; `refresh_token` is exchanged once for
    the next pair. With `needs_totp` there are none: log in again with a code. With `must_change_password` nothing but
    changing it is allowed.
    """

    token_type: str = "Bearer"  # noqa: S105 - the name of a scheme
    access_token: str
    refresh_token: str
    expires_in: int
    session: str
    must_change_password: bool
    needs_totp: bool
    device: str


def shown(tokens: Tokens) -> TokensShown:
    """Return tokens as the API gives them."""
    return TokensShown(
        access_token=tokens.access,
        refresh_token=tokens.refresh,
        expires_in=tokens.expires_in,
        session=tokens.session,
        must_change_password=tokens.must_change_password,
        needs_totp=tokens.needs_totp,
        device=tokens.device,
    )


def asked(request: Request) -> dict[str, Any]:
    """Return where a request came from and its id, as what is audited takes them."""
    exchange = exchange_of(request.scope)
    return {"address": exchange.address, "request_id": exchange.request_id}


@router.post("/login", dependencies=[public(RouteKind.LOGIN)], summary="Log in")
def log_in(request: Request, services: Services, who: LogIn) -> TokensShown:
    """Exchange name and password for tokens. What was wrong is never said."""
    tokens = services.accounts.log_in(
        who.name, who.password, device=who.device, code=who.code or "", label=who.label, **asked(request)
    )
    return shown(tokens)


@router.post("/refresh", dependencies=[public(RouteKind.WRITE)], summary="Get the next tokens")
def refresh(request: Request, services: Services, what: Refresh) -> TokensShown:
    """Exchange a refresh token, once. If it was used before, the session is taken for stolen and ends."""
    return shown(services.accounts.refresh(what.refresh_token, **asked(request)))


@router.post("/logout", status_code=204, summary="Log out")
def log_out(request: Request, services: Services, caller: Caller) -> Response:
    """End this session."""
    services.accounts.log_out(caller, **asked(request))
    return _gone()


@router.post("/logout-everywhere", status_code=204, summary="Log out everywhere")
def log_out_everywhere(request: Request, services: Services, caller: Caller) -> Response:
    """End all sessions of the account, this one as well."""
    services.accounts.log_out_everywhere(caller, **asked(request))
    return _gone()


def _gone() -> Response:
    return Response(status_code=204, headers={"Clear-Site-Data": '"cache", "cookies", "storage"'})
