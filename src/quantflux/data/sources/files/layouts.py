"""Recognises a file's layout by its header. The layouts are data: `layouts.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from quantflux.core.errors import InvalidRequest
from quantflux.data.schema import DAILY, MINUTE, Dataset

_GENERIC = 0.5
_UNMARKED = 0.4
"""Below `_GENERIC`: a header that lacks all of a layout's own columns does not say that its units hold."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One known layout, as declared in `layouts.toml`."""

    name: str
    title: str
    dataset: Dataset
    columns: Mapping[str, tuple[str, ...]]
    required: tuple[str, ...]
    known: frozenset[str] = frozenset()
    marks: frozenset[str] = frozenset()
    volume_unit: str | None = None
    amount_unit: str | None = None
    adjust_column: str = ""
    adjusted_close: str = ""
    status_column: str = ""
    period_column: str = ""
    generic: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """How well a layout fits a header.

    Attributes
    ----------
    mapping : mapping of field to header
        Headers as they stand in the file.
    ignored : tuple of str
        Headers that nothing is made of.
    missing : tuple of str
        Required fields without a header; such a layout cannot be used.
    score : float
        Share of headers it explains, marks counted double; 0 if something is missing.
    """

    layout: Layout
    mapping: Mapping[str, str]
    ignored: tuple[str, ...]
    missing: tuple[str, ...]
    score: float

    @property
    def meaning(self) -> tuple[object, ...]:
        """What the choice decides: two layouts with equal meaning are interchangeable."""
        layout = self.layout
        units = (layout.volume_unit, layout.amount_unit)
        return (layout.dataset.name, *units, layout.adjusted_close, tuple(sorted(self.mapping.items())))

    def why(self) -> str:
        """Return one line for a person."""
        if self.missing:
            return f"{self.layout.name}: lacks {', '.join(self.missing)}"
        return f"{self.layout.name} ({self.layout.title}): explains {self.score:.0%} of the header"


@cache
def known_layouts() -> Mapping[str, Layout]:
    """Return the known layouts by name."""
    declared = tomllib.loads(files(__package__).joinpath("layouts.toml").read_text(encoding="utf-8"))
    return {name: _layout(name, entry) for name, entry in declared.items()}


def _layout(name: str, entry: dict[str, Any]) -> Layout:
    values = dict(entry)
    values["dataset"] = DAILY if values.pop("frequency") == "day" else MINUTE
    values["columns"] = {field: tuple(headers) for field, headers in values["columns"].items()}
    values["required"] = tuple(values["required"])
    for key in ("known", "marks"):
        values[key] = frozenset(values.get(key, ()))
    return Layout(name=name, **values)


def normal_header(header: str) -> str:
    """Return a header as layouts compare it.

    Examples
    --------
    >>> normal_header(" Adj Close "), normal_header("成交额（元）")
    ('adj_close', '成交额(元)')
    """
    plain = header.strip().strip("\ufeff\"'").strip().replace("（", "(").replace("）", ")")
    return "_".join(plain.lower().split())


def match(layout: Layout, header: Sequence[str], *, symbol_in_name: bool) -> Match:
    """Return how `layout` fits a header; a layout may do without a symbol column if the file's name holds one."""
    by_normal = {normal_header(h): h for h in reversed(header)}
    mapping: dict[str, str] = {}
    for field, headers in layout.columns.items():
        found = next((by_normal[h] for h in headers if h in by_normal), None)
        if found is not None:
            mapping[field] = found
    missing = [f for f in layout.required if f not in mapping]
    if "symbol" not in mapping and "symbol" not in missing and not symbol_in_name:
        missing.append("symbol")
    if symbol_in_name and "symbol" in missing:
        missing.remove("symbol")
    used = set(mapping.values())
    explained = [h for h in header if h in used or normal_header(h) in layout.known]
    marked = sum(1 for h in by_normal if h in layout.marks)
    score = (len(explained) + marked) / (len(header) + marked) if header and not missing else 0.0
    if layout.generic:
        score *= _GENERIC
    elif layout.marks and not marked:
        score *= _UNMARKED
    ignored = tuple(h for h in header if h not in used)
    return Match(layout, mapping, ignored, tuple(missing), score)


def recognise(header: Sequence[str], *, symbol_in_name: bool, wanted: str | None = None) -> list[Match]:
    """Return the fitting layouts, best first.

    Parameters
    ----------
    header : sequence of str
    symbol_in_name : bool
        Whether the file's name holds one symbol, for files of one security.
    wanted : str or None
        A layout by name, instead of guessing.

    Raises
    ------
    InvalidRequest
        If none fits, or two fit equally well and mean different things; the message lists the candidates.

    Examples
    --------
    >>> best = recognise(["日期", "股票代码", "开盘", "收盘", "最高", "最低", "成交量"], symbol_in_name=False)[0]
    >>> best.layout.name, best.mapping["close"]
    ('akshare', '收盘')
    """
    known = known_layouts()
    if wanted is not None:
        if wanted not in known:
            raise InvalidRequest(f"no layout is called {wanted!r}; known: {', '.join(known)}")
        chosen = match(known[wanted], header, symbol_in_name=symbol_in_name)
        if chosen.missing:
            raise InvalidRequest(
                f"layout {wanted} needs {', '.join(chosen.missing)}; the file has: {', '.join(header[:30])}"
            )
        return [chosen]
    every = [match(layout, header, symbol_in_name=symbol_in_name) for layout in known.values()]
    fitting = sorted((m for m in every if not m.missing), key=lambda m: -m.score)
    if not fitting:
        nearest = sorted(every, key=lambda m: len(m.missing))[:3]
        raise InvalidRequest(
            f"no layout fits the header {', '.join(header[:30])}. Nearest: {'; '.join(m.why() for m in nearest)}. "
            "Name one with --layout, or rename the columns to symbol, trade_date, open, high, low, close, volume."
        )
    rivals = [m for m in fitting[1:] if m.score > fitting[0].score - 0.02 and m.meaning != fitting[0].meaning]
    if rivals:
        names = ", ".join(m.layout.name for m in (fitting[0], *rivals))
        raise InvalidRequest(
            f"the header fits more than one layout: {names}. They differ in units or columns; choose one with --layout."
        )
    return fitting
