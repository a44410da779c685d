"""`quantflux rules show`: what it prints, and how it refuses."""

from __future__ import annotations

import json
import sys

import pytest

from quantflux.cli import app as root
from tests.cli.conftest import Run


def show(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    """Run `quantflux rules show ARGUMENTS` in this process."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "argv", ["quantflux", "rules", "show", *arguments])
    with pytest.raises(SystemExit) as left:
        root.main()
    assert not left.value.code


def test_rules_of_a_day_are_shown_with_their_sources_below(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show(monkeypatch, "--date", "2020-08-21", "--board", "chinext")

    shown = capsys.readouterr().out
    assert "Rules on 2020-08-21" in shown
    assert "±10 %, rounded half up (until 2020-08-23)" in shown
    assert "SZSE trading rules, first day of ChiNext" in shown
    assert "star" not in shown


def test_rules_of_a_symbol_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show(monkeypatch, "--date", "2026-07-06", "--symbol", "sh600519", "--json")

    entries = json.loads(capsys.readouterr().out)
    (special,) = [entry for entry in entries if entry["rule"] == "price limit, ST"]
    assert special["values"] == {"ratio": 0.1}
    assert (special["of"], special["since"], special["until"]) == ("main", "2026-07-06", None)
    assert all(entry["source"] for entry in entries)


def test_a_day_without_rules_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show(monkeypatch, "--date", "1980-01-01")

    assert capsys.readouterr().out == "No rule is known for 1980-01-01.\n"


def test_a_board_that_is_none_is_one_line(run: Run) -> None:
    refused = run("rules", "show", "--board", "nasdaq", code=1)

    assert refused.stderr == (
        "error: no board is called 'nasdaq'; there are: main, chinext, star, bse, b_share\n"
    )
