"""`quantflux openapi`: the description of the HTTP API, without a server."""

from __future__ import annotations

import json

import typer

from quantflux.cli.context import opened, settings_of


def openapi(context: typer.Context) -> None:
    """Print the OpenAPI document of the HTTP API, for programs that read or write clients."""
    from quantflux.api.app import create_app

    with opened(settings_of(context)) as platform:
        typer.echo(json.dumps(create_app(platform).openapi(), indent=2, ensure_ascii=False))
