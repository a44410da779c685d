"""The command's root: global options, its groups, and the rule that an error is one clear line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

import quantflux
from quantflux.cli import (
    audit,
    backtest,
    cache,
    config,
    data,
    demo,
    doctor,
    factor,
    model,
    openapi,
    portfolio,
    rules,
    score,
    serve,
    user,
)
from quantflux.cli.output import fail, notes
from quantflux.config import ConfigRequest
from quantflux.core.errors import ConfigError, QuantfluxError

app = typer.Typer(
    name="quantflux",
    help="Quantitative analysis for equities, A-shares first. Start with: quantflux demo",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"quantflux {quantflux.__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    config_file: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Configuration file to read.")
    ] = None,
    env: Annotated[
        str | None, typer.Option("--env", metavar="NAME", help="development, testing or production.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set one setting; may be given several times."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Remember the options that stand before the command's name."""
    context.obj = ConfigRequest(config_file, env, tuple(overrides or ()))


app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.add_typer(data.app, name="data")
app.add_typer(factor.app, name="factor")
app.add_typer(backtest.app, name="backtest")
app.add_typer(model.app, name="model")
app.add_typer(score.app, name="score")
app.add_typer(portfolio.app, name="portfolio")
app.add_typer(rules.app, name="rules")
app.add_typer(config.app, name="config")
app.add_typer(audit.app, name="audit")
app.add_typer(cache.app, name="cache")
app.add_typer(user.app, name="user")
app.command("openapi")(openapi.openapi)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run the command; turn every expected error into one line and a non-zero exit."""
    try:
        app()
    except ConfigError as exc:
        for problem in exc.problems or (str(exc),):
            fail_line(problem)
        sys.exit(2)
    except QuantfluxError as exc:
        fail(str(exc))
    except KeyboardInterrupt:
        notes.print("stopped")
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output went away (`| head`); what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as exc:
        place = f": {exc.filename}" if exc.filename else ""
        fail(f"{exc.strerror or exc}{place}")


def fail_line(problem: str) -> None:
    """Print one problem of the configuration."""
    notes.print(f"[bold red]error:[/] {escape(problem)}", soft_wrap=True)
