"""`quantflux doctor`: what is installed, what answers, what is wrong, and how to mend it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import typer
from rich.text import Text

import quantflux
from quantflux.cli.context import settings_of
from quantflux.cli.output import add_row, answers, size_of, table
from quantflux.config import ConfigManager, ConfigRequest, Settings
from quantflux.core.errors import ConfigError, QuantfluxError

_COLOURS = {"ok": "green", "note": "cyan", "warn": "yellow", "fail": "bold red"}
_CORE = ("numpy", "polars", "pyarrow", "deltalake", "httpx", "pydantic", "plotly")
_EXTRAS = {
    "pymysql": "mysql",
    "pandas": "pandas",
    "akshare": "akshare",
    "baostock": "baostock",
    "tushare": "tushare",
}
_LEAST_SPACE = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report.

    Attributes
    ----------
    state : {"ok", "note", "warn", "fail"}
    cure : str
        What to do about it; empty when nothing needs doing.
    """

    state: str
    what: str
    found: str
    cure: str = ""


def doctor(context: typer.Context) -> None:
    """Check the installation: libraries, settings, folders, store, panels and calendar."""
    settings = settings_of(context)
    request = context.find_object(ConfigRequest)
    findings = [*_examined(settings, request)]
    made = table("", "what", "found", "what to do")
    for finding in findings:
        colour = _COLOURS[finding.state]
        add_row(made, Text(finding.state, style=colour), finding.what, finding.found, finding.cure)
    answers.print(made)
    bad = sum(f.state == "fail" for f in findings)
    if bad:
        answers.print(f"\n[bold red]{bad} of {len(findings)} checks failed.[/]")
        raise typer.Exit(1)
    answers.print("\n[green]All is well.[/]")


def _examined(settings: Settings, request: ConfigRequest | None) -> Iterator[Finding]:
    yield from _libraries()
    path = ConfigManager(request).loaded.path
    yield Finding("ok", "settings", f"{settings.environment}, {path or 'defaults; no file'}")
    yield _folder("data folder", settings.data_dir)
    checks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (_calendar, _store, _panels)
    for check in checks:
        try:
            yield from check(settings)
        except QuantfluxError as exc:
            yield Finding("fail", check.__name__.strip("_"), str(exc), _cure(exc))


def _libraries() -> Iterator[Finding]:
    yield Finding("ok", "quantflux", f"{quantflux.__version__} on Python {sys.version.split()[0]}")
    found = [f"{name} {importlib.metadata.version(name)}" for name in _CORE]
    yield Finding("ok", "libraries", ", ".join(found))
    for module, extra in _EXTRAS.items():
        if importlib.util.find_spec(module):
            yield Finding("ok", f"extra {extra}", f"{module} {importlib.metadata.version(module)}")
        else:
            yield Finding(
                "note", f"extra {extra}", "not installed", f"pip install 'quantflux[{extra}]', if wanted"
            )


def _folder(what: str, folder: Path) -> Finding:
    nearest = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if not nearest.is_dir():
        return Finding("fail", what, f"{nearest} is a file", "move it, or set data_dir to another folder")
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as exc:
        return Finding(
            "fail", what, f"cannot write to {nearest}: {exc.strerror}", "mend its rights, or set data_dir"
        )
    free = shutil.disk_usage(nearest).free
    made = "" if folder.exists() else " (made at the first write)"
    if free < _LEAST_SPACE:
        return Finding("warn", what, f"{folder}{made}, {size_of(free)} free", "make room")
    return Finding("ok", what, f"{folder}{made}, {size_of(free)} free")


def _calendar(settings: Settings) -> Iterator[Finding]:
    from quantflux.core.calendar import TradingCalendar

    calendar = TradingCalendar.for_exchange("SSE", overrides=settings.calendar.override_file)
    known: date = calendar.published_until
    today = datetime.now(UTC).date()
    if today > known:
        yield Finding(
            "warn", "calendar", f"published until {known}; later days are provisional",
            "update quantflux, or name the published days in calendar.override_file",
        )  # fmt: skip
    else:
        yield Finding("ok", "calendar", f"published until {known}")


def _store(settings: Settings) -> Iterator[Finding]:
    from quantflux.data.contract import ChecksSecurity
    from quantflux.data.schema import datasets
    from quantflux.platform import Platform

    with Platform.open(settings) as platform:
        yield Finding("ok", "store", platform.store.ping())
        if isinstance(platform.store, ChecksSecurity):
            for risk in platform.store.check_security():
                yield Finding("fail" if risk.fatal else "warn", "security", risk.problem, risk.remedy)
        held = {d.name: s for d in datasets().values() if (s := platform.store.span(d)) is not None}
    if held:
        yield Finding("ok", "data", ", ".join(f"{n} {s.first} .. {s.last}" for n, s in held.items()))
    else:
        yield Finding("note", "data", "none yet", "quantflux data import FILE, or quantflux demo")


def _panels(settings: Settings) -> Iterator[Finding]:
    from quantflux.platform import Platform

    if not settings.panels.enabled:
        yield Finding("warn", "panels", "switched off: every read goes to the store", "set panels.enabled")
        return
    with Platform.open(settings) as platform:
        damaged = platform.panels.verify() if platform.panels is not None else {}
    for name, segments in damaged.items():
        yield Finding(
            "warn", "panels", f"{name}: {', '.join(segments)} were damaged", "nothing: they are made anew"
        )
    yield _folder("panel folder", settings.panel_directory)


def _cure(error: QuantfluxError) -> str:
    if isinstance(error, ConfigError):
        return "mend the file, then: quantflux config validate"
    if error.retryable:
        return "start it, or check its address in the settings (quantflux config show store)"
    return "see quantflux config show store"
