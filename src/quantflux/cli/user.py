"""`quantflux user`: who may log in, and in which role."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated

import typer

from quantflux.accounts.permissions import ROLES, Permission, Role
from quantflux.accounts.principal import LOCAL
from quantflux.cli.context import opened, settings_of
from quantflux.cli.options import split
from quantflux.cli.output import add_row, answers, notes, table
from quantflux.core.errors import InvalidRequest

app = typer.Typer(no_args_is_help=True, help="Add users, change their roles, give them API keys.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the user.")]
RoleArgument = Annotated[Role, typer.Argument(metavar="ROLE", help=f"One of: {', '.join(Role)}.")]


@app.command()
def add(context: typer.Context, name: NameArgument, role: RoleArgument) -> None:
    """Add a user, and print a password that they must change when they first log in."""
    with opened(settings_of(context)) as platform:
        _, password = platform.users.add(LOCAL, name, role)
    notes.print(f"{name} may log in as {role} with this password, shown only now:", highlight=False)
    typer.echo(password)


@app.command("list")
def list_users(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """List the users."""
    with opened(settings_of(context)) as platform:
        users = platform.users.list()
    if as_json:
        rows = [
            {
                "id": user.id,
                "name": user.name,
                "role": user.role.value,
                "disabled": user.disabled,
                "must_change_password": user.must_change_password,
                "has_totp": user.has_totp,
                "created_at": user.created_at.isoformat(),
            }
            for user in users
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    listing = table("id", "name", "role", "state", "second factor", "since", right=("id",))
    for user in users:
        state = "disabled" if user.disabled else "new password due" if user.must_change_password else "active"
        second = "yes" if user.has_totp else "no"
        since = user.created_at.strftime("%Y-%m-%d")
        add_row(listing, str(user.id), user.name, user.role.value, state, second, since)
    answers.print(listing)


@app.command()
def role(context: typer.Context, name: NameArgument, new: RoleArgument) -> None:
    """Give a user another role; it acts within seconds on who is logged in."""
    with opened(settings_of(context)) as platform:
        platform.users.set_role(LOCAL, name, new)
    notes.print(f"{name} is {new} now", highlight=False)


@app.command()
def disable(context: typer.Context, name: NameArgument) -> None:
    """Keep a user out; their sessions end within seconds."""
    with opened(settings_of(context)) as platform:
        platform.users.disable(LOCAL, name)
    notes.print(f"{name} cannot log in any more", highlight=False)


@app.command()
def enable(context: typer.Context, name: NameArgument) -> None:
    """Let a user in again who was disabled."""
    with opened(settings_of(context)) as platform:
        platform.users.enable(LOCAL, name)
    notes.print(f"{name} may log in again", highlight=False)


@app.command()
def reset(context: typer.Context, name: NameArgument) -> None:
    """Give a user a new password, and end their sessions, API keys and second factor."""
    with opened(settings_of(context)) as platform:
        password = platform.users.reset_password(LOCAL, name)
    notes.print(f"{name} may log in with this password, shown only now:", highlight=False)
    typer.echo(password)


@app.command()
def token(
    context: typer.Context,
    name: NameArgument,
    label: Annotated[
        str, typer.Option("--label", metavar="TEXT", help="What the key is for.")
    ] = "command line",
    scopes: Annotated[
        str, typer.Option("--scopes", metavar="A,B", help="What it may do, a part of what the user may do.")
    ] = "market:read,data:read",
    days: Annotated[int, typer.Option("--days", metavar="N", help="How long it lasts.", min=1, max=366)] = 90,
    revoke: Annotated[
        str | None, typer.Option("--revoke", metavar="KEY", help="End this key instead, by its public part.")
    ] = None,
) -> None:
    """Make an API key for a user's programs and print it, or end one."""
    with opened(settings_of(context)) as platform:
        if revoke is not None:
            platform.users.revoke_api_key(LOCAL, name, revoke)
            notes.print(f"{name}'s key {revoke} is refused from now on", highlight=False)
            return
        wanted = [_permission(scope) for scope in split(scopes) or ()]
        end = platform.clock.now() + timedelta(days=days)
        key, text = platform.users.add_api_key(LOCAL, name, label, wanted, end)
        waits = platform.users.get(name).must_change_password
    notes.print(
        f"key {key.id} of {name} until {key.expires_at:%Y-%m-%d}, shown only now; send it as X-API-Key:",
        highlight=False,
    )
    if waits:
        notes.print(f"it works once {name} has logged in and changed the first password", highlight=False)
    typer.echo(text)


def _permission(text: str) -> Permission:
    try:
        return Permission(text)
    except ValueError:
        valid = ", ".join(sorted(ROLES[Role.ADMIN]))
        raise InvalidRequest(f"there is no scope {text!r:.40}; valid are {valid}") from None
