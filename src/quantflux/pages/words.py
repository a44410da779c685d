"""A text in the two languages of every page."""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    """One text in both languages."""

    zh: str
    en: str
