"""`quantflux config`: shows, checks and explains the settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from quantflux.cli.output import add_row, answers, table
from quantflux.config import ConfigManager, ConfigRequest, Explanation, load
from quantflux.config.problems import printable
from quantflux.config.reference import reference
from quantflux.core.errors import ConfigError, NotFound

app = typer.Typer(no_args_is_help=True, help="Show, check and explain the settings.")

INVALID = 1
UNKNOWN = 2

ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The configuration file to read.")
]
EnvironmentOption = Annotated[
    str | None, typer.Option("--env", metavar="NAME", help="development, testing or production.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set one setting; may be given several times."),
]
SectionArgument = Annotated[
    str, typer.Argument(metavar="SECTION", help="Only this section, such as store.influxdb.")
]
FileArgument = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="The file to check; otherwise the one in use.")
]
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="Dotted, such as store.name.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.command()
def show(
    context: typer.Context,
    section: SectionArgument = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
    env: EnvironmentOption = None,
    overrides: SetOption = None,
) -> None:
    """List the settings in force and where each came from."""
    with _one_line_errors():
        manager = ConfigManager(request(context, config, env, overrides))
        chosen = [
            e
            for e in manager.explain_all()
            if f"{e.setting.key}.".startswith(f"{section}." if section else "")
        ]
        if not chosen:
            manager.explain(section)
    if as_json:
        typer.echo(json.dumps({e.setting.key: _as_json(e) for e in chosen}, indent=2, ensure_ascii=False))
        return
    listing = table("setting", "value", "from", title=f"Settings ({manager.current.environment})")
    for e in chosen:
        style = "dim" if e.origin.kind == "default" else "bold"
        add_row(listing, *(Text(cell, style=style) for cell in (e.setting.key, _value(e), str(e.origin))))
    answers.print(listing)


@app.command()
def validate(
    context: typer.Context,
    file: FileArgument = None,
    config: ConfigOption = None,
    env: EnvironmentOption = None,
    overrides: SetOption = None,
) -> None:
    """Check everything; list every problem and end with 1 if there is one."""
    from quantflux.core.calendar import TradingCalendar

    with _one_line_errors():
        loaded = load(request(context, file or config, env, overrides))
        TradingCalendar.for_exchange("SSE", overrides=loaded.settings.calendar.override_file)
    read = str(loaded.path) if loaded.path else "no configuration file"
    typer.echo(f"ok: {printable(read)}, environment {loaded.settings.environment}")


@app.command()
def explain(
    context: typer.Context,
    key: KeyArgument,
    config: ConfigOption = None,
    env: EnvironmentOption = None,
    overrides: SetOption = None,
) -> None:
    """Tell all about one setting: meaning, valid values, default, value, origin."""
    with _one_line_errors():
        found = ConfigManager(request(context, config, env, overrides)).explain(key)
    setting = found.setting
    facts = {
        "value": _value(found),
        "from": str(found.origin),
        "default": setting.shown(setting.default) or "(not set)",
        "valid": setting.valid,
        "unit": setting.unit,
        "variable": setting.variable,
        "a change": "needs a restart" if setting.restart else "takes effect at once",
    }
    typer.echo(f"{setting.key}\n  {setting.description}")
    for name, fact in facts.items():
        if fact:
            typer.echo(f"  {name:<9} {printable(fact)}")


@app.command(name="reference")
def write_reference() -> None:
    """Write the reference page of all settings, as Markdown."""
    typer.echo(reference(), nl=False)


def request(
    context: typer.Context, config: Path | None, env: str | None, overrides: list[str] | None
) -> ConfigRequest:
    """Return what was asked for: a command's own options, over those given before the command's name."""
    outer = context.find_object(ConfigRequest) or ConfigRequest()
    return ConfigRequest(
        config or outer.path, env or outer.environment, (*outer.overrides, *(overrides or ()))
    )


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except ConfigError as exc:
        for problem in exc.problems or (str(exc),):
            typer.echo(problem, err=True)
        raise typer.Exit(INVALID) from None
    except NotFound as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(UNKNOWN) from None


def _value(found: Explanation) -> str:
    return printable(found.shown) or "(not set)"


def _as_json(found: Explanation) -> dict[str, object]:
    value = found.value
    plain = value if isinstance(value, bool | int | float) else found.shown or None
    return {"value": plain, "from": str(found.origin), "restart": found.setting.restart}
