"""One HTML file with everything in it, no network needed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from quantflux.pages.charts import Figure
from quantflux.pages.words import Words

_PLACE = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True)
class Page:
    """What is on a page.

    Attributes
    ----------
    title : Words
        Of the browser's tab.
    header, sections, footer : str
        HTML; see `quantflux.pages.markup`.
    figures : mapping of str to dict
        Charts by the id of their place in the HTML; see `quantflux.pages.charts`.
    words : mapping of str to Words
        Texts that figures name by `@key`.
    dates : mapping of str to list of str
        What figures name by `#key`: the dates that many of them share.
    """

    title: Words
    header: str
    sections: str
    footer: str
    figures: Mapping[str, Figure]
    words: Mapping[str, Words] = field(default_factory=dict)
    dates: Mapping[str, list[str]] = field(default_factory=dict)

    def render(self) -> str:
        """Return the HTML."""
        from plotly.offline import get_plotlyjs  # noqa: PLC0415 - slow to import, and seldom needed

        parts = {
            "style": _shipped("style.css"),
            "script": _shipped("script.js"),
            "plotly": get_plotlyjs(),
            "data": self._data(),
            "header": self.header,
            "sections": self.sections,
            "footer": self.footer,
        }
        return _PLACE.sub(lambda found: parts[found[1]], _shipped("template.html"))

    def write(self, path: Path) -> None:
        """Write the HTML to a file, in a folder that is made if need be."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.render(), encoding="utf-8")

    def _data(self) -> str:
        data = {
            "title": self.title._asdict(),
            "words": {key: text._asdict() for key, text in self.words.items()},
            "dates": dict(self.dates),
            "figures": dict(self.figures),
        }
        # A closing tag inside a text would end the script element.
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace(
            "</", "<\\/"
        )


def _shipped(name: str) -> str:
    return files("quantflux.pages").joinpath(name).read_text(encoding="utf-8")
