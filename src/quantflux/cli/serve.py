"""`quantflux serve`: answers HTTP until it is told to stop."""

from __future__ import annotations

import dataclasses
import logging
import sys
from typing import Annotated

import typer

from quantflux.cli.logs import log_to_stderr
from quantflux.cli.output import notes
from quantflux.config import ConfigManager, ConfigRequest, Settings


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(metavar="HOST", help="Address to listen on.")] = None,
    port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Port to listen on; 0 takes a free one.")
    ] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Processes that answer.")] = None,
) -> None:
    """Serve the HTTP API. The first start prints the administrator's password, once."""
    from quantflux.api.listener import bind
    from quantflux.api.server import serve_alone, serve_together

    given = {"server.host": host, "server.port": port, "server.workers": workers}
    asked = context.find_object(ConfigRequest) or ConfigRequest()
    overrides = (*asked.overrides, *(f"{key}={value}" for key, value in given.items() if value is not None))
    request = dataclasses.replace(asked, overrides=overrides)
    settings = ConfigManager(request).current
    log_for_server(settings.logging.level, settings.logging.format)
    _prepare(settings)
    listener = bind(settings.server.host, settings.server.port)
    at, bound = listener.getsockname()[:2]
    shown = f"[{at}]" if ":" in at else at
    notes.print(f"listening on http://{shown}:{bound} ({settings.environment})", highlight=False)
    if settings.server.workers == 1:
        code = serve_alone(request, listener)
    else:
        code = serve_together(request, settings, listener, log_for_server)
    raise typer.Exit(code)


def _prepare(settings: Settings) -> None:
    """Bring our own tables up to date before anything is served, and make the first administrator."""
    from quantflux.platform import Platform

    with Platform.open(settings) as platform:
        password = platform.accounts.first_start()
    if password is not None:
        notes.print("The first user is [bold]admin[/] with this password, shown only now:", highlight=False)
        # On standard output, so that a script can take it without the messages around it.
        print(password, flush=True)  # noqa: T201


def log_for_server(level: str, form: str) -> None:
    """Log as every command does; requests one JSON object a line, on standard error as well."""
    log_to_stderr(level, form)
    access = logging.getLogger("quantflux.access")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    access.handlers = [handler]
    access.propagate = False
