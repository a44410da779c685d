"""One's own account: password, sessions, second factor, API keys. An API key may do none of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Request, Response
from pydantic import Field

from quantflux.accounts.api_keys import ApiKey
from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.permissions import Permission, Role
from quantflux.accounts.principal import Principal
from quantflux.api.access import Services, needs
from quantflux.api.bodies import Answer, Body, Moment
from quantflux.api.routing import Router
from quantflux.api.v2.auth import Code, Password, TokensShown, asked, shown

router = Router(prefix="/api/v2/account", tags=["account"])
_NOT_NOW: dict[int | str, dict[str, Any]] = {409: {"description": "The account is not in a state for that."}}

Reader = Annotated[Principal, needs(Permission.ACCOUNT_OWN)]
Changer = Annotated[Principal, needs(Permission.ACCOUNT_OWN, RouteKind.WRITE)]
Prover = Annotated[Principal, needs(Permission.ACCOUNT_OWN, RouteKind.LOGIN)]
"""Of a route that takes a password or a code: counted as log-ins are."""


class AccountShown(Answer):
    """Who one is, and what one may do at this moment."""

    id: int
    name: str
    role: Role
    permissions: list[Permission]
    must_change_password: bool
    has_totp: bool


class NewPassword(Body):
    """The password that one has and the one that one wants: 8 to 128 characters, not among the common ones."""

    current_password: Password
    new_password: Password = Field(examples=["correct horse battery staple"])


class Proof(Body):
    """That it is really you."""

    password: Password


class FirstCode(Body):
    """What the app shows."""

    code: Code


class ProofWithCode(Body):
    """That it is really you, twice."""

    password: Password
    code: Code


class SetupShown(Answer):
    """A second factor to be set up: the secret to type in, and the address that a QR code holds."""

    secret: str
    address: str


class SessionShown(Answer):
    """Where one is logged in; `current` is the session that asks."""

    id: str
    address: str
    label: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    current: bool


class NewApiKey(Body):
    """A key for a program: what of your own permissions it shall have, and until when, with an offset from UTC."""

    name: str = Field(min_length=1, max_length=64, examples=["nightly import"])
    scopes: list[Permission] = Field(min_length=1, max_length=64, examples=[["market:read", "factors:read"]])
    expires_at: Moment = Field(examples=["2030-01-01T00:00:00+08:00"])


class ApiKeyShown(Answer):
    """A key without its secret; `used_at` is to ten minutes."""

    id: str
    name: str
    scopes: list[Permission]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


class ApiKeyWithText(Answer):
    """A new key and the text for the header X-API-Key, which is shown this once."""

    key: ApiKeyShown
    text: str


@router.get("", summary="Who you are")
def get_account(services: Services, caller: Reader) -> AccountShown:
    """Return who asks."""
    user = services.users.get(caller.user_id)
    return AccountShown(
        id=user.id,
        name=user.name,
        role=user.role,
        permissions=sorted(caller.permissions),
        must_change_password=user.must_change_password,
        has_totp=user.has_totp,
    )


@router.post("/password", summary="Change your password", responses=_NOT_NOW)
def change_password(request: Request, services: Services, caller: Prover, new: NewPassword) -> TokensShown:
    """Change the password; all sessions end, and the answer begins a new one."""
    changed = services.accounts.change_password(
        caller, new.current_password, new.new_password, **asked(request)
    )
    return shown(changed)


@router.get("/sessions", summary="Where you are logged in")
def list_sessions(services: Services, caller: Reader) -> list[SessionShown]:
    """Return sessions, oldest first."""
    found = services.accounts.sessions(caller.user_id)
    fields = SessionShown.model_fields.keys() - {"current"}
    return [
        SessionShown(
            current=session.id == caller.session, **{name: getattr(session, name) for name in fields}
        )
        for session in found
    ]


@router.delete("/sessions/{session}", status_code=204, summary="End a session")
def end_session(
    request: Request, services: Services, caller: Changer, session: Annotated[str, Path(max_length=64)]
) -> Response:
    """End one of your sessions."""
    services.accounts.end_session(caller, session, **asked(request))
    return Response(status_code=204)


@router.post("/totp", summary="Set up a second factor", responses=_NOT_NOW)
def set_up_totp(request: Request, services: Services, caller: Prover, proof: Proof) -> SetupShown:
    """Make a secret for an authenticator app. It counts once a code of it was confirmed."""
    setup = services.accounts.set_up_totp(caller, proof.password, **asked(request))
    return SetupShown(secret=setup.secret, address=setup.address)


@router.post(
    "/totp/confirm",
    summary="Confirm the second factor",
    responses=_NOT_NOW,
)
def confirm_totp(request: Request, services: Services, caller: Prover, first: FirstCode) -> TokensShown:
    """Take the first code; all sessions end, and the answer begins a new one."""
    return shown(services.accounts.confirm_totp(caller, first.code, **asked(request)))


@router.post("/totp/remove", summary="Remove the second factor", responses=_NOT_NOW)
def remove_totp(request: Request, services: Services, caller: Prover, proof: ProofWithCode) -> TokensShown:
    """Do without it; all sessions end, and the answer begins a new one."""
    return shown(services.accounts.remove_totp(caller, proof.password, proof.code, **asked(request)))


@router.get("/api-keys", summary="Your API keys")
def list_api_keys(services: Services, caller: Reader) -> list[ApiKeyShown]:
    """Return keys that were not revoked, oldest first."""
    return [_key(key) for key in services.accounts.api_keys(caller.user_id)]


@router.post("/api-keys", status_code=201, summary="Make an API key")
def create_api_key(request: Request, services: Services, caller: Changer, new: NewApiKey) -> ApiKeyWithText:
    """Make a key that may do a part of what you may."""
    key, text = services.accounts.create_api_key(
        caller, new.name, new.scopes, new.expires_at, **asked(request)
    )
    return ApiKeyWithText(key=_key(key), text=text)


@router.delete("/api-keys/{key}", status_code=204, summary="Revoke an API key")
def revoke_api_key(
    request: Request, services: Services, caller: Changer, key: Annotated[str, Path(max_length=64)]
) -> Response:
    """Revoke a key; it is refused within seconds."""
    services.accounts.revoke_api_key(caller, key, **asked(request))
    return Response(status_code=204)


def _key(key: ApiKey) -> ApiKeyShown:
    return ApiKeyShown(
        id=key.id,
        name=key.name,
        scopes=sorted(key.scopes),
        created_at=key.created_at,
        expires_at=key.expires_at,
        used_at=key.used_at,
    )
