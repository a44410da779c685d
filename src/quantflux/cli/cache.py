"""`quantflux cache`: what the shared cache holds, and how it is emptied."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from quantflux.cli.context import opened, settings_of
from quantflux.cli.output import add_row, answers, counted, fail, notes, size_of, table

if TYPE_CHECKING:
    from quantflux.cache.backend import BackendUse

app = typer.Typer(no_args_is_help=True, help="Look into the cache that servers share, and empty it.")

_MEMORY_ALONE = (
    'cache.backend is "memory": each server process keeps a cache of its own, which ends with it and which this '
    "command cannot reach"
)
_MEMORY_TOO = "each server process also keeps a cache in its own memory, which this command cannot reach"


@app.command()
def stats(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Show what Redis holds by kind, how much memory it takes, and what about its configuration is unwise."""
    with opened(settings_of(context)) as platform:
        lives = {kind: one.seconds for kind, one in platform.cache.stats().kinds.items()}
        use = platform.cache.shared_use()
    if as_json:
        typer.echo(json.dumps(_as_json(lives, use), indent=2))
        return
    _print(lives, use)


@app.command()
def clear(
    context: typer.Context,
    kind: Annotated[
        str | None, typer.Argument(help="Only realtime, hot_stocks, results or user_queries.")
    ] = None,
) -> None:
    """Remove what Redis holds of the cache, or one kind of it. What is needed again is computed again."""
    settings = settings_of(context)
    if settings.cache.backend == "memory":
        fail(f"{_MEMORY_ALONE}; restart the servers to empty it.")
    with opened(settings) as platform:
        removed = asyncio.run(platform.cache.clear(kind))
    entries = "1 entry" if removed == 1 else f"{removed:,} entries"
    answers.print(f"removed {entries}{f' of {kind}' if kind else ''} from Redis")
    notes.print(f"{_MEMORY_TOO}; it holds each entry for its remaining life")


def _print(lives: dict[str, float], use: BackendUse | None) -> None:
    right = ("life", "entries", "size")
    made = table("kind", *right, title="The cache", right=right)
    for kind, seconds in lives.items():
        held = use.kinds.get(kind) if use else None
        add_row(
            made,
            kind,
            f"{seconds:,.0f} s",
            ("-" if use is None else f"{held.entries:,}" if held else "0"),
            ("-" if use is None else size_of(held.bytes if held else 0)),
        )
    answers.print(made)
    if use is None:
        notes.print(_MEMORY_ALONE)
        return
    most = f" of {size_of(use.most_bytes)}" if use.most_bytes else ""
    answers.print(
        f"Redis uses {size_of(use.memory_bytes)}{most}, has put out {counted(use.evictions, 'key')} for want of space, "
        f"and holds {counted(use.foreign, 'key')} of others."
    )
    for advice in use.advice:
        notes.print(f"unwise: {advice}")
    notes.print(_MEMORY_TOO)


def _as_json(lives: dict[str, float], use: BackendUse | None) -> dict[str, object]:
    told: dict[str, object] = {"backend": "memory" if use is None else "redis", "life_seconds": lives}
    if use is not None:
        told |= {
            "kinds": {kind: {"entries": one.entries, "bytes": one.bytes} for kind, one in use.kinds.items()},
            "foreign_keys": use.foreign,
            "memory_bytes": use.memory_bytes,
            "most_bytes": use.most_bytes,
            "evictions": use.evictions,
            "advice": list(use.advice),
        }
    return told
