"""The database of accounts is full, read-only or gone: what must be recorded is refused, and reads go on as said."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from quantflux.api.app import create_app
from quantflux.core.clock import FixedClock
from quantflux.platform import Platform
from tests.api.conftest import TestClient, log_in, settings_in, with_cheap_passwords
from tests.services.mariadb import MariaDBServer
from tests.services.small_disk import needs_root, run_on_small_disk

READ = "/api/v2/system/version"


@needs_root
def test_a_disk_that_is_full_and_then_read_only(tmp_path: Path) -> None:
    seen = run_on_small_disk("tests.api.full_disk", "4m", tmp_path)

    # A token that was never seen is looked up: reading needs no room.
    assert seen["full"] == {"refused": 507, "read": 200, "unknown": 200, "with room": 201}
    assert seen["read_only"] == {
        "refused": 503,
        "log": 503,  # reading the log is recorded
        "reads": [200, 200, 200, 503],  # after 0, 1.5, 3 and 4.5 s
        "read again": 200,
        "add again": 201,
    }
    assert seen["end"] == {"sound": True, "as answered": True, "as audited": True, "note": 1}


@pytest.mark.mysql
def test_a_server_that_dies_and_comes_back(tmp_path: Path) -> None:
    clock = FixedClock(datetime.now(UTC))
    with MariaDBServer.temporary() as server:
        url = f"mysql+pymysql://root@{server.host}:{server.port}/{server.create_database()}"
        settings = settings_in(tmp_path, database={"url": url, "wait_seconds": 1})
        with Platform.open(settings, clock) as platform:
            with_cheap_passwords(platform)
            app = create_app(platform)
            admin, viewer, unknown = (
                TestClient(app, headers={"Authorization": f"Bearer {log_in(platform, role)}"})
                for role in ("admin", "viewer", "trader")
            )
            before = platform.users.list()
            seen = [viewer.get(READ).status_code, admin.get(READ).status_code]
            server.kill()

            new = {"name": "unrecorded", "role": "admin"}
            refused = admin.post("/api/v2/users", json=new)
            clock.advance(3.9)
            seen += [viewer.get(READ).status_code, unknown.get(READ).status_code]
            clock.advance(0.2)
            seen += [viewer.get(READ).status_code, viewer.get("/health/live").status_code]
            server.start()
            clock.advance(1.0)
            seen += [viewer.get(READ).status_code, admin.post("/api/v2/users", json=new).status_code]

            assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
            assert seen == [200, 200, 200, 503, 503, 200, 200, 201]
            assert {user.name for user in platform.users.list()} - {user.name for user in before} == {
                "unrecorded"
            }
            assert platform.audit.verify().sound
