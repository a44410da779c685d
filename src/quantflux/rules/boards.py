"""The boards of the A-share market, and the price limits that hold on each."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

from quantflux.core.symbols import board_of, is_share


@dataclass(frozen=True, slots=True)
class BoardLimits:
    """One board: its dated limits, and its dated number of first trading days without one."""

    board: str
    limits: tuple[tuple[date, float], ...]
    free_days: tuple[tuple[date, int], ...]


@cache
def board_limits() -> tuple[BoardLimits, ...]:
    """Return the shipped table."""
    text = files("quantflux.rules").joinpath("limits.toml").read_text(encoding="utf-8")
    return tuple(
        BoardLimits(
            entry["name"],
            tuple((row["from"], float(row["ratio"])) for row in entry["limits"]),
            tuple((row["from"], int(row["days"])) for row in entry["free_days"]),
        )
        for entry in tomllib.loads(text)["board"]
    )


def boards_of(symbols: Sequence[str]) -> list[str | None]:
    """Return the board of each canonical symbol; None for indices, funds and bonds."""
    return [board_of(symbol).value if is_share(symbol) else None for symbol in symbols]
