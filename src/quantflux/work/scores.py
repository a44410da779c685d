"""Scores, screens and what explains them, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quantflux.work.documents import score_document, screen_document

if TYPE_CHECKING:
    from quantflux.platform import Platform


def choose(platform: Platform, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the best names by a score, and what became of the others."""
    return platform.scoring.select(score_document(values)).to_dict()


def contributions(platform: Platform, symbol: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return where one name stands in each factor of a score, beside the market."""
    return platform.scoring.contributions(symbol, score_document(values)).to_dict()


def sectors(platform: Platform, values: Mapping[str, Any], top: int) -> dict[str, Any]:
    """Return a score by industry, with the best `top` names of each."""
    return platform.scoring.sectors(score_document(values), top).to_dict()


def screen(platform: Platform, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the names that meet conditions."""
    return platform.scoring.screen(screen_document(values)).to_dict()
