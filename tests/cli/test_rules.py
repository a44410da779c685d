"""`quantflux rules show`, as a user runs it."""

from __future__ import annotations

import json

from tests.cli.conftest import Run


def test_rules_of_a_day_are_shown_with_their_sources_below(run: Run) -> None:
    shown = run("rules", "show", "--date", "2020-08-21", "--board", "chinext").stdout

    assert "Rules on 2020-08-21" in shown
    assert "±10 %, rounded half up (until 2020-08-23)" in shown
    assert "SZSE trading rules, first day of ChiNext" in shown
    assert "star" not in shown


def test_rules_of_a_symbol_as_json(run: Run) -> None:
    entries = json.loads(
        run("rules", "show", "--date", "2026-07-06", "--symbol", "sh600519", "--json").stdout
    )

    (special,) = [entry for entry in entries if entry["rule"] == "price limit, ST"]
    assert special["values"] == {"ratio": 0.1}
    assert (special["of"], special["since"], special["until"]) == ("main", "2026-07-06", None)
    assert all(entry["source"] for entry in entries)


def test_what_cannot_be_asked_is_one_line(run: Run) -> None:
    assert "no board is called 'nasdaq'" in run("rules", "show", "--board", "nasdaq", code=1).stderr
