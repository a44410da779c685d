"""The page on security: whatever it names is there."""

from __future__ import annotations

import re

from tests.api import handbook

PAGE = (handbook.ROOT / "docs/security.md").read_text("utf-8")
ROWS = re.findall(r"^\| ([SRQUX]\d+) \|(.*)\|(.*)\|(.*)\|$", PAGE, re.MULTILINE)


def test_every_requirement_has_one_row() -> None:
    counts = {"S": 14, "R": 8, "Q": 6, "U": 6, "X": 11}

    assert [row[0] for row in ROWS] == [f"{k}{n}" for k, most in counts.items() for n in range(1, most + 1)]


def test_every_file_is_there() -> None:
    named = [name for row in ROWS for name in re.findall(r"`([\w/]+\.py)`", row[2])]

    assert len(named) > 40
    for name in named:
        assert (handbook.ROOT / "src/quantflux" / name).is_file(), name


def test_every_test_is_there() -> None:
    named = [found for row in ROWS for found in re.findall(r"`([\w/]+\.py)::(\w+)`", row[3])]

    assert len(named) > 70
    for file, name in named:
        source = (handbook.ROOT / "tests" / file).read_text("utf-8")
        assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE), f"{file}::{name}"


def test_what_has_no_test_says_so() -> None:
    for number, _, _, tests in ROWS:
        assert "::" in tests or "not there" in tests or "written down above" in tests, number
