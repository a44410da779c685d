"""Small pieces of a page's HTML. Everything that comes from data goes through `escape`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from quantflux.pages.words import Words

DASH = "–"


def both(zh: str, en: str) -> str:
    """Return a text in both languages; the page shows one. The texts may hold markup.

    Examples
    --------
    >>> both("涨", "up")
    '<span lang="zh">涨</span><span lang="en">up</span>'
    """
    return f'<span lang="zh">{zh}</span><span lang="en">{en}</span>'


def words(text: Words) -> str:
    """Return a text of the catalogue in both languages."""
    return both(escape(text.zh), escape(text.en))


def tools() -> str:
    """Return the buttons that switch language and theme."""
    return (
        f'<div class="tools"><button id="lang" type="button">{both("English", "中文")}</button>'
        f'<button id="theme" type="button">{both("明暗", "Light / dark")}</button></div>'
    )


def paragraph(zh: str, en: str, kind: str = "lead") -> str:
    """Return a paragraph in both languages."""
    return f'<p class="{kind}" lang="zh">{zh}</p><p class="{kind}" lang="en">{en}</p>'


def section(title: str, *parts: str) -> str:
    """Return a section of the page."""
    return f"<section><h2>{title}</h2>{''.join(parts)}</section>"


def place(figure: str) -> str:
    """Return the place of a chart."""
    return f'<div id="{escape(figure, quote=True)}"></div>'


def percent(value: float, digits: int = 1, *, sign: bool = False) -> str:
    """Write a fraction as a percentage; a dash for NaN.

    Examples
    --------
    >>> percent(0.1234), percent(0.05, sign=True), percent(float("nan"))
    ('12.3%', '+5.0%', '–')
    """
    return DASH if math.isnan(value) else f"{100 * value:{'+' if sign else ''}.{digits}f}%"


def number(value: float, digits: int = 2, *, sign: bool = False) -> str:
    """Write a number with thousands separated; a dash for NaN."""
    return DASH if math.isnan(value) else f"{value:{'+' if sign else ''},.{digits}f}"


def coloured(text: str, value: float) -> str:
    """Return a text in the colour of its sign: red above zero, green below."""
    if math.isnan(value) or value == 0:
        return text
    return f'<span class="{"up" if value > 0 else "down"}">{text}</span>'


def card(label: str, figure: str) -> str:
    """Return a key number with its label beneath."""
    return f'<div class="card"><div class="figure">{figure}</div><div class="label">{label}</div></div>'


def facts(rows: Sequence[tuple[str, str]]) -> str:
    """Return a list of names and values in columns."""
    return (
        '<div class="facts">' + "".join(f"<div><span>{a}</span><b>{b}</b></div>" for a, b in rows) + "</div>"
    )


def row(cells: Sequence[str], tag: str = "td") -> str:
    """Return a table row."""
    return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    """Return a table that scrolls sideways on narrow screens."""
    body = "".join(row(cells) for cells in rows)
    top = f"<thead>{row(head, 'th')}</thead>"
    return f'<div class="scroll"><table class="{kind}">{top}<tbody>{body}</tbody></table></div>'


def signed_bar(value: float, largest: float) -> str:
    """Return a bar from the middle, to the right above zero and to the left below."""
    if math.isnan(value) or largest <= 0:
        return ""
    width = 50 * min(abs(value) / largest, 1)
    start = 50 if value >= 0 else 50 - width
    colour = "--up" if value >= 0 else "--down"
    return f'<div class="bar"><i style="left:{start:.1f}%;width:{width:.1f}%;background:var({colour})"></i></div>'
