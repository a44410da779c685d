"""Accounts as the platform builds them from settings."""

from __future__ import annotations

import stat

import jwt
import pytest

from quantflux.config import Settings
from quantflux.core.errors import ConfigError
from quantflux.platform import Platform

KEY = "Kq3v8ZtJx0Rm5Yw1Nc7Lb4Hd9Pf2Gs6T"


def test_an_installation_makes_its_own_secrets_and_finds_them_again(tmp_path):
    folder = tmp_path / "数据 50% #1?"  # the folder's name is no part of an address
    with Platform.open(Settings(data_dir=folder)) as platform:
        first = platform.accounts.first_start()
        tokens = platform.accounts.log_in("admin", first, address="")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder / "secrets").iterdir()}

    assert modes == {"signing": 0o600, "audit": 0o600}
    assert (folder / "quantflux.db").is_file() and [path.name for path in tmp_path.iterdir()] == [folder.name]
    with Platform.open(Settings(data_dir=folder)) as platform:
        assert platform.accounts.first_start() is None
        who = platform.accounts.authenticate_request(f"Bearer {tokens.access}", None, address="")
        assert who.name == "admin"


def test_keys_and_lifetimes_come_from_the_settings_and_follow_them(tmp_path):
    accounts = {"signing_keys": f"2041a:{KEY},2040z:{KEY[::-1]}", "access_seconds": 60}
    settings = Settings(data_dir=tmp_path, accounts=accounts)
    with Platform.open(settings) as platform:
        first = platform.accounts.first_start()
        tokens = platform.accounts.log_in("admin", first, address="")
        changed = settings.accounts.model_copy(update={"access_seconds": 90})
        platform.apply(settings.model_copy(update={"accounts": changed}))
        later = platform.accounts.log_in("admin", first, address="", device=tokens.device)

    assert jwt.get_unverified_header(tokens.access)["kid"] == "2041a"
    assert (tokens.expires_in, later.expires_in) == (60, 90)
    assert not (tmp_path / "secrets" / "signing").exists()


def test_a_secret_that_others_may_read_stops_the_start(tmp_path):
    with Platform.open(Settings(data_dir=tmp_path)) as platform:
        platform.accounts.first_start()
    (tmp_path / "secrets" / "signing").chmod(0o644)

    with (
        Platform.open(Settings(data_dir=tmp_path)) as platform,
        pytest.raises(ConfigError, match="chmod 600"),
    ):
        platform.accounts.first_start()
