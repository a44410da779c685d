"""Reads a page back: its parts, its texts by language, and what its charts name."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Reader(HTMLParser):
    """Collects ids, scripts, visible texts by language, and addresses; refuses tags that do not close."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.scripts: list[str] = []
        self.texts: dict[str, list[str]] = {"zh": [], "en": []}
        self.addresses: list[str] = []
        self._open: list[tuple[str, str]] = []
        self.feed(page)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.addresses += [given[name] or "" for name in ("src", "href") if name in given]
        if tag not in VOID:
            self._open.append((tag, given.get("lang") or "" if tag != "html" else ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        inside = [tag for tag, _ in self._open]
        if "script" in inside:
            self.scripts.append(data)
        for _, lang in self._open:
            if lang in self.texts:
                self.texts[lang].append(data)

    @property
    def data(self) -> dict[str, Any]:
        """What the page's script draws."""
        return dict(json.loads(next(script for script in self.scripts if script.startswith("{"))))


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for inner in value.values() for text in strings(inner)]
    return [text for inner in value for text in strings(inner)] if isinstance(value, list) else []


def palettes() -> list[str]:
    """The colours that the page's script knows, light and dark."""
    script = files("quantflux.pages").joinpath("script.js").read_text(encoding="utf-8")
    found = re.findall(r"(light|dark): \{(.*?)\n    \}", script, re.DOTALL)
    assert [name for name, _ in found] == ["light", "dark"]
    return [colours for _, colours in found]
