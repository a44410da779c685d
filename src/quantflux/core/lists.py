"""Lists in CSV files with a header that people write: members of an index, weights, holdings; checked line by line."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.core.symbols import parse_symbol

Column = Callable[[str], Any]
_MOST_PROBLEMS = 5


def read_list(
    path: Path, columns: Mapping[str, Column], optional: Mapping[str, Column] | None = None
) -> dict[str, list[Any]]:
    """Return the columns of a CSV file.

    Parameters
    ----------
    path : Path
    columns : mapping of str to callable
        What must be there, and how its texts are read; a reader raises `ValueError` that says what is valid.
    optional : mapping of str to callable
        What may be there; None where the column or the text is missing.

    Raises
    ------
    InvalidRequest
        If the file cannot be read, lacks a column, or naming the first lines that are wrong.
    """
    readers = {**columns, **(optional or {})}
    found: dict[str, list[Any]] = {name: [] for name in readers}
    problems: list[str] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            places = _places(path, next(rows, []), columns, readers)
            for row in rows:
                if any(cell.strip() for cell in row):
                    problems += _take(found, row, places, readers, columns, rows.line_num)
                if len(problems) >= _MOST_PROBLEMS:
                    break
    except FileNotFoundError:
        raise InvalidRequest(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidRequest(f"{path}: cannot be read as CSV: {error}") from error
    if problems:
        raise InvalidRequest(f"{path}: " + "; ".join(problems))
    if not any(found.values()):
        raise InvalidRequest(f"{path}: has no line under its header")
    return found


def _places(
    path: Path, header: list[str], columns: Mapping[str, Column], known: Mapping[str, Column]
) -> dict[str, int]:
    names = [name.strip().lower() for name in header]
    for name in columns:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            hint = f"; did you mean {name} by {near[0]}?" if near else ""
            raise InvalidRequest(
                f"{path}: lacks the column {name}; found {', '.join(header) or 'nothing'}, "
                f"valid are {', '.join(known)}{hint}"
            )
    return {name: names.index(name) for name in known if name in names}


def _take(
    found: dict[str, list[Any]],
    row: list[str],
    places: Mapping[str, int],
    readers: Mapping[str, Column],
    columns: Mapping[str, Column],
    line: int,
) -> Iterator[str]:
    """Add a line to the columns; yield what is wrong with it."""
    for name, read in readers.items():
        place = places.get(name)
        text = row[place].strip() if place is not None and place < len(row) else ""
        value = None
        if text or name in columns:
            try:
                value = read(text)
            except ValueError as error:
                yield f"line {line}: {name} is {text[:40]!r}; {error}"
        found[name].append(value)


def a_symbol(text: str) -> str:
    """Read a symbol in any spelling."""
    try:
        return parse_symbol(text)
    except InvalidRequest:
        raise ValueError("valid is a symbol such as 600519.SH") from None


def a_day(text: str) -> np.datetime64:
    """Read a day, as 2024-06-28 or 20240628."""
    try:
        return np.datetime64(date.fromisoformat(text), "D")
    except ValueError:
        raise ValueError("valid is a day such as 2024-06-28") from None


def a_number(text: str) -> float:
    """Read a finite number."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("valid is a number")
    return number


def a_weight(text: str) -> float:
    """Read a weight: a part of the account, from 0 to 1."""
    weight = a_number(text)
    if not 0 <= weight <= 1:
        raise ValueError("valid is a weight from 0 to 1")
    return weight
