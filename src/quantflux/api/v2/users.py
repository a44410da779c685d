"""Users: who there is, added and changed by those who may."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path, Request, Response
from pydantic import Field

from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.permissions import Permission, Role
from quantflux.accounts.principal import Principal
from quantflux.accounts.user import User
from quantflux.api.access import Services, needs
from quantflux.api.bodies import Answer, Body
from quantflux.api.pages import Limit, Offset, Page, cut
from quantflux.api.routing import Router
from quantflux.api.v2.auth import asked

router = Router(prefix="/api/v2/users", tags=["users"])

Reader = Annotated[Principal, needs(Permission.USERS_MANAGE)]
Manager = Annotated[Principal, needs(Permission.USERS_MANAGE, RouteKind.WRITE)]
UserId = Annotated[int, Path(ge=1, le=2**31 - 1, description="Of the user.")]


class NewUser(Body):
    """Somebody to be added."""

    name: str = Field(min_length=3, max_length=64, examples=["li.wei"])
    role: Role = Field(examples=["researcher"])


class NewRole(Body):
    """What a user shall be."""

    role: Role = Field(examples=["operator"])


class UserShown(Answer):
    """A user, without anything that proves who they are."""

    id: int
    name: str
    role: Role
    disabled: bool
    must_change_password: bool
    has_totp: bool
    created_at: datetime
    password_changed_at: datetime


class UserWithPassword(Answer):
    """A user and the password to tell them, which is shown this once and must be changed at the first log-in."""

    user: UserShown
    password: str


def shown(user: User) -> UserShown:
    """Return a user as the API shows it."""
    return UserShown(**{name: getattr(user, name) for name in UserShown.model_fields})


@router.get("", summary="All users")
def list_users(
    request: Request,
    response: Response,
    services: Services,
    caller: Reader,
    limit: Limit = 100,
    offset: Offset = 0,
) -> Page[UserShown]:
    """Return users by name."""
    everybody = services.users.list()
    items, following = cut(request, response, everybody, limit=limit, offset=offset)
    return Page(items=[shown(user) for user in items], next=following, total=len(everybody))


@router.get("/{user}", summary="One user")
def get_user(services: Services, caller: Reader, user: UserId) -> UserShown:
    """Return a user."""
    return shown(services.users.get(user))


@router.post(
    "", status_code=201, summary="Add a user", responses={409: {"description": "The name is taken."}}
)
def add_user(
    request: Request, response: Response, services: Services, caller: Manager, new: NewUser
) -> UserWithPassword:
    """Add a user with a random password."""
    user, password = services.users.add(caller, new.name, new.role, **asked(request))
    response.headers["Location"] = f"/api/v2/users/{user.id}"
    return UserWithPassword(user=shown(user), password=password)


@router.put(
    "/{user}/role",
    summary="Give a user another role",
    responses={409: {"description": "It is the last administrator."}},
)
def set_role(request: Request, services: Services, caller: Manager, user: UserId, new: NewRole) -> UserShown:
    """Change a role; it takes effect within seconds, also for who is logged in."""
    return shown(services.users.set_role(caller, user, new.role, **asked(request)))


@router.post(
    "/{user}/disable",
    summary="Keep a user out",
    responses={409: {"description": "It is the last administrator."}},
)
def disable(request: Request, services: Services, caller: Manager, user: UserId) -> UserShown:
    """End a user's sessions and refuse their keys until they are enabled again."""
    return shown(services.users.disable(caller, user, **asked(request)))


@router.post("/{user}/enable", summary="Let a user in again")
def enable(request: Request, services: Services, caller: Manager, user: UserId) -> UserShown:
    """Enable a user who was disabled."""
    return shown(services.users.enable(caller, user, **asked(request)))


@router.post("/{user}/reset-password", summary="Give a user a new password")
def reset_password(request: Request, services: Services, caller: Manager, user: UserId) -> UserWithPassword:
    """Replace a password by a random one; ends sessions, revokes keys, forgets the second factor."""
    password = services.users.reset_password(caller, user, **asked(request))
    return UserWithPassword(user=shown(services.users.get(user)), password=password)
