"""`quantflux audit`: read the log of who did what, and check that nobody changed it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, cast

import typer

from quantflux.cli.context import opened, settings_of
from quantflux.cli.output import add_row, answers, fail, notes, table
from quantflux.core.errors import InvalidRequest

if TYPE_CHECKING:
    from quantflux.accounts.audit import AuditEntry, Outcome, Verification

app = typer.Typer(no_args_is_help=True, help="Read the audit log, and check that nobody changed it.")

JSON = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.command()
def show(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", metavar="N", help="Most entries.", min=1, max=10_000)] = 50,
    action: Annotated[
        str | None,
        typer.Option(
            "--action", metavar="ACTION", help="Only one, such as user.add, or a group with its dot: user."
        ),
    ] = None,
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="NAME", help="Only what this user did.")
    ] = None,
    outcome: Annotated[
        str | None, typer.Option("--outcome", metavar="OUTCOME", help="Only done, refused or failed.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Such as 2024-01-02 or 2024-01-02T09:30+08:00."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Only before this time.")
    ] = None,
    after: Annotated[
        int | None, typer.Option("--after", metavar="SEQ", help="From this number on, oldest first.", min=0)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines, for programs.")] = False,
) -> None:
    """Show the newest entries, or with --after those that follow a number. That they were read is noted."""
    from quantflux.accounts.audit import AuditEvent
    from quantflux.accounts.principal import LOCAL

    bounds = (_instant("--since", since), _instant("--until", until))
    with opened(settings_of(context)) as platform:
        found = platform.audit.entries(
            after=after or 0,
            limit=limit,
            action=action,
            actor=actor,
            outcome=_outcome(outcome),
            since=bounds[0],
            until=bounds[1],
            newest_first=after is None,
        )
        # Noted, not recorded: the log must be readable most of all when its chain is broken.
        platform.audit.note(AuditEvent("audit.read", "done", LOCAL.name, details={"entries": len(found)}))
    if after is None:
        found.reverse()
    if as_json:
        for entry in found:
            typer.echo(json.dumps(_as_json(entry), ensure_ascii=False))
        return
    _print(found)


@app.command()
def verify(context: typer.Context, as_json: JSON = False) -> None:
    """Check every entry, the end of the log, and the copy of it outside the database. Exit code 1 if one is wrong."""
    with opened(settings_of(context)) as platform:
        found = platform.audit.verify()
    if as_json:
        typer.echo(json.dumps(_told(found)))
        if not found.sound:
            raise typer.Exit(1)
        return
    if not found.sound:
        fail(f"{found.problem}; sound up to entry {found.entries} of {found.last_seq}")
    answers.print(
        f"sound: {found.entries:,} entries; the end copied outside vouches for {found.copied_seq or 0:,}"
    )


def _print(entries: list[AuditEntry]) -> None:
    if not entries:
        answers.print("No entry matches.")
        return
    made = table("seq", "when (UTC)", "who", "from", "action", "outcome", "target", "details", right=("seq",))
    for entry in entries:
        event = entry.event
        details = json.dumps(event.details, ensure_ascii=False) if event.details else ""
        add_row(
            made,
            str(entry.seq),
            entry.at.strftime("%Y-%m-%d %H:%M:%S"),
            event.actor or "-",
            event.address or "-",
            event.action,
            event.outcome,
            event.target,
            details,
        )
    answers.print(made)
    notes.print("one user or group of actions: --actor NAME, --action user.; for programs: --json")


def _as_json(entry: AuditEntry) -> dict[str, object]:
    event = entry.event
    return {
        "seq": entry.seq,
        "at": entry.at.isoformat(),
        "action": event.action,
        "outcome": event.outcome,
        "actor": event.actor,
        "address": event.address,
        "request_id": event.request_id,
        "target": event.target,
        "details": event.details,
        "before": event.before,
        "after": event.after,
    }


def _told(found: Verification) -> dict[str, object]:
    return {
        "sound": found.sound,
        "entries": found.entries,
        "last_seq": found.last_seq,
        "bad_seq": found.bad_seq,
        "problem": found.problem,
        "copied_seq": found.copied_seq,
    }


def _outcome(text: str | None) -> Outcome | None:
    if text not in (None, "done", "refused", "failed"):
        raise InvalidRequest(f"--outcome is done, refused or failed, was {text!r}")
    return cast("Outcome | None", text)


def _instant(option: str, text: str | None) -> datetime | None:
    """Read a time; without an offset it is UTC, as everything that is shown."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(
            f"{option} is a time such as 2024-01-02 or 2024-01-02T09:30+08:00, was {text!r}"
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
