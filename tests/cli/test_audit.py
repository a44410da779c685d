from __future__ import annotations

import json
import sqlite3


def test_the_log_is_shown_and_found_sound(run):
    run("audit", "show")

    lines = run("audit", "show", "--json", "--actor", "command line").stdout.splitlines()
    told = json.loads(run("audit", "verify", "--json").stdout)

    assert [json.loads(line)["action"] for line in lines] == ["audit.read"]
    assert told["sound"] is True and told["bad_seq"] is None and told["entries"] == 2
    assert "sound: 2 entries" in run("audit", "verify").stdout
    assert "audit.read" in run("audit", "show", "--action", "audit.", "--after", "0").stdout


def test_verify_fails_and_names_the_first_bad_entry(run, tmp_path):
    for _ in range(3):
        run("audit", "show")
    connection = sqlite3.connect(tmp_path / "data" / "quantflux.db")
    connection.execute("DROP TRIGGER audit_entries_no_update")
    connection.execute("UPDATE audit_entries SET actor = 'nobody' WHERE seq = 2")
    connection.commit()
    connection.close()

    assert "entry 2 is not as it was written" in run("audit", "verify", code=1).stderr
    assert json.loads(run("audit", "verify", "--json", code=1).stdout)["bad_seq"] == 2


def test_wrong_options_are_told(run):
    assert "done, refused or failed, was 'maybe'" in run("audit", "show", "--outcome", "maybe", code=1).stderr
    assert "--since is a time such as" in run("audit", "show", "--since", "yesterday", code=1).stderr
