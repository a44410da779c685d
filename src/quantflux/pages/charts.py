"""Parts of Plotly figures, in plain dictionaries.

Texts are written `@key` (see `Page.words`), colours `$key` (see `script.js`), and the dates that many charts share
`#key`; the page's script puts in the words and colours of the language and theme that are shown. `$q:0.25` is a
quarter of the way from the colour of the lowest quantile to that of the highest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Figure = dict[str, Any]


def numbers(values: np.ndarray | Sequence[float], digits: int = 4) -> list[float | None]:
    """Return rounded numbers for JSON, None for what is not finite.

    Examples
    --------
    >>> numbers([1.23456, float("nan")])
    [1.2346, None]
    """
    array = np.asarray(values, dtype=np.float64)
    rounded = np.round(array, digits).tolist()
    return [
        value if known else None for value, known in zip(rounded, np.isfinite(array).tolist(), strict=True)
    ]


def days(times: np.ndarray) -> list[str]:
    """Return dates as texts."""
    return [str(day) for day in times]


def rolling_mean(values: np.ndarray, window: int, least: int) -> np.ndarray:
    """Return the mean of the numbers in each trailing window of a series; NaN with fewer than `least`."""
    known = ~np.isnan(values)
    total = np.cumsum(np.where(known, values, 0.0))
    count = np.cumsum(known)
    total[window:] -= total[:-window].copy()
    count[window:] -= count[:-window].copy()
    out = np.full(len(values), np.nan)
    np.divide(total, count, out=out, where=count >= least)
    return out


def axis(title: str = "", **more: Any) -> dict[str, Any]:
    """Return an axis in the colours of the page."""
    made: dict[str, Any] = {
        "gridcolor": "$grid",
        "zerolinecolor": "$line",
        "linecolor": "$line",
        "automargin": True,
    }
    if title:
        made["title"] = {"text": title, "standoff": 6}
    return made | more


def date_axis(**more: Any) -> dict[str, Any]:
    """Return an axis of days, written the same way in every language."""
    steps = ((None, "M1", "%m-%d"), ("M1", "M11", "%Y-%m"), ("M12", None, "%Y"))
    formats = [{"dtickrange": [low, high], "value": shown} for low, high, shown in steps]
    return axis(tickformatstops=formats, hoverformat="%Y-%m-%d", tickangle=0, **more)


def layout(height: int, **more: Any) -> dict[str, Any]:
    """Return a layout of this height in pixels, with days on the x axis unless told otherwise."""
    return {
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "$text", "size": 12},
        "hoverlabel": {"bgcolor": "$card", "bordercolor": "$line", "font": {"color": "$text"}},
        "hovermode": "x unified",
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"},
        "xaxis": date_axis(),
        "yaxis": axis(),
    } | more


def line(x: Any, y: list[float | None], name: str, colour: str, **more: Any) -> dict[str, Any]:
    """Return a line."""
    stroke = {"color": colour, "width": 1.6} | more.pop("line", {})
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "name": name, "line": stroke} | more


def bars(x: Any, y: Any, name: str, colour: Any, **more: Any) -> dict[str, Any]:
    """Return bars."""
    return {"type": "bar", "x": x, "y": y, "name": name, "marker": {"color": colour}} | more
