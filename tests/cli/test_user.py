"""`quantflux user` as an administrator uses it."""

from __future__ import annotations

import json
import re

import pytest
from typer.testing import CliRunner

from quantflux.cli import user
from quantflux.config import Settings
from quantflux.core.errors import NotAuthenticated, QuantfluxError
from quantflux.platform import Platform


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def platform(settings):
    with Platform.open(settings) as opened:
        yield opened


@pytest.fixture
def run(settings, monkeypatch):
    """Run a command in this process; what `main` would print as an error is raised."""
    monkeypatch.setattr(user, "settings_of", lambda _: settings)

    def call(*arguments: str):
        return CliRunner().invoke(user.app, list(arguments), catch_exceptions=False)

    return call


def test_a_user_lives_from_the_first_password_to_the_end(run, platform):
    password = run("add", "li.wei", "researcher").stdout.strip()
    assert platform.accounts.log_in("li.wei", password, address="").must_change_password

    run("role", "li.wei", "trader")
    run("disable", "li.wei")
    (listed,) = json.loads(run("list", "--json").stdout)
    assert (listed["name"], listed["role"], listed["disabled"]) == ("li.wei", "trader", True)
    assert re.search(r"li\.wei +trader +disabled +no", run("list").stdout)

    run("enable", "li.wei")
    fresh = run("reset", "li.wei").stdout.strip()
    with pytest.raises(NotAuthenticated):
        platform.accounts.log_in("li.wei", password, address="")
    assert platform.accounts.log_in("li.wei", fresh, address="").access
    actors = {entry.event.actor for entry in platform.audit.entries(action="user.")}
    assert actors == {"command line"}


def test_a_key_is_made_and_ended(run, platform):
    first = run("add", "li.wei", "viewer").stdout.strip()
    who = platform.accounts.authenticate_request(
        f"Bearer {platform.accounts.log_in('li.wei', first, address='').access}", None, address=""
    )
    platform.accounts.change_password(who, first, "rain over nine hills")
    text = run("token", "li.wei", "--scopes", "market:read", "--days", "7").stdout.strip()
    assert platform.accounts.authenticate_request(None, text, address="").permissions == {"market:read"}

    run("token", "li.wei", "--revoke", text[3:15])
    platform.accounts._revocations.forget()  # the two seconds that it may take are not waited for
    with pytest.raises(NotAuthenticated):
        platform.accounts.authenticate_request(None, text, address="")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("role", "nobody", "viewer"), "no user is called 'nobody'"),
        (("token", "nobody"), "no user is called 'nobody'"),
        (("token", "nobody", "--scopes", "market:write"), "no scope 'market:write'; valid are account:own"),
        (("add", "Li Wei", "viewer"), "3 to 64 characters"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(arguments, said, run):
    with pytest.raises(QuantfluxError, match=said):
        run(*arguments)


def test_a_key_that_waits_for_a_password_says_so(run, platform):
    run("add", "li.wei", "viewer")

    assert "works once li.wei has logged in" in run("token", "li.wei").stderr
