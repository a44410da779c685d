"""Who may still have a job done, when it comes to that."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import count

import pytest

from quantflux.accounts.permissions import Permission, Role
from quantflux.accounts.principal import LOCAL
from quantflux.accounts.user import User
from quantflux.config import Settings, V1Settings
from quantflux.jobs import Job
from quantflux.platform import Platform
from quantflux.work.authority import still_may

RUN = Permission.BACKTESTS_RUN
_NUMBERS = count()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """An installation with accounts."""
    with Platform.open(Settings(data_dir=tmp_path_factory.mktemp("authority"))) as opened:
        yield opened


@pytest.fixture
def user(platform: Platform) -> User:
    """A researcher whose password is their own."""
    made, _ = platform.users.add(LOCAL, f"ann{next(_NUMBERS)}", Role.RESEARCHER)
    with platform.database.transaction() as connection:
        platform.users.set_password(connection, made.id, "a hash")
    return made


def job_of(platform: Platform, user_id: int, api_key: str = "") -> Job:
    return platform.jobs.submit("backtests.run", {}, f"user:{user_id}", user_id, api_key=api_key)


def test_a_role_that_was_taken_away_counts_no_more(platform: Platform, user: User) -> None:
    job, may = job_of(platform, user.id), still_may(platform)
    assert may(job, RUN)

    platform.users.set_role(LOCAL, user.id, Role.VIEWER)
    assert not may(job, RUN)
    assert may(job, Permission.MARKET_READ)
    platform.users.set_role(LOCAL, user.id, Role.TRADER)
    assert may(job, RUN)


def test_a_disabled_user_may_nothing(platform: Platform, user: User) -> None:
    job = job_of(platform, user.id)
    platform.users.disable(LOCAL, user.id)

    assert not any(still_may(platform)(job, permission) for permission in Permission)


def test_who_must_change_a_password_may_nothing_until_then(platform: Platform, user: User) -> None:
    job = job_of(platform, user.id)
    platform.users.reset_password(LOCAL, user.id)

    assert not still_may(platform)(job, RUN)


def test_a_revoked_key_takes_its_jobs_along(platform: Platform, user: User) -> None:
    expires = platform.clock.now() + timedelta(days=1)
    key, _ = platform.users.add_api_key(LOCAL, user.id, "nightly", {RUN}, expires)
    by_key, by_token = job_of(platform, user.id, key.id), job_of(platform, user.id)
    assert still_may(platform)(by_key, RUN)

    platform.users.revoke_api_key(LOCAL, user.id, key.id)
    assert not still_may(platform)(by_key, RUN)
    assert still_may(platform)(by_token, RUN)


def test_somebody_elses_key_is_no_key(platform: Platform, user: User) -> None:
    expires = platform.clock.now() + timedelta(days=1)
    key, _ = platform.users.add_api_key(LOCAL, user.id, "nightly", {RUN}, expires)
    other, _ = platform.users.add(LOCAL, f"bob{next(_NUMBERS)}", Role.ADMIN)

    assert not still_may(platform)(job_of(platform, other.id, key.id), RUN)


def test_an_unknown_user_may_nothing(platform: Platform) -> None:
    assert not still_may(platform)(job_of(platform, 999_999), RUN)


def test_a_network_may_what_version_1_may_while_it_is_let_in(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, may = job_of(platform, 0), still_may(platform)
    assert not may(job, RUN)

    opened = platform.settings.model_copy(update={"v1": V1Settings(open_to="10.0.0.0/8")})
    monkeypatch.setattr(platform, "settings", opened)
    assert may(job, RUN)
    assert not may(job, Permission.SYSTEM_MANAGE)
    assert not may(job, Permission.USERS_MANAGE)
