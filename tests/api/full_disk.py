"""Run on a small disk: an application whose database of accounts is full, then read-only, then neither.

`python -m tests.api.full_disk MOUNT RESULT`
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from quantflux.accounts.audit import AuditEvent
from quantflux.api.app import create_app
from quantflux.core.clock import FixedClock
from quantflux.platform import Platform
from tests.api.conftest import TestClient, log_in, settings_in, with_cheap_passwords

READ = "/api/v2/system/version"
Answers = dict[str, Any]


def main(mount: Path, result: Path) -> None:
    """Write down what was answered, and what stood in the database afterwards."""
    clock = FixedClock(datetime.now(UTC))
    settings = settings_in(result.parent / "data", database={"url": f"sqlite:///{mount}/own.db"})
    with Platform.open(settings, clock) as platform:
        with_cheap_passwords(platform)
        scene = _Scene(platform, clock)
        full = scene.on_a_full_disk(mount)
        read_only = scene.on_a_read_only_disk(mount)
        result.write_text(json.dumps({"full": full, "read_only": read_only, "end": scene.afterwards()}))


class _Scene:
    def __init__(self, platform: Platform, clock: FixedClock) -> None:
        self._platform = platform
        self._clock = clock
        app = create_app(platform)
        self._of = {
            role: TestClient(app, headers={"Authorization": f"Bearer {log_in(platform, role)}"})
            for role in ("admin", "viewer", "auditor")
        }
        self._added: list[str] = []

    def on_a_full_disk(self, mount: Path) -> Answers:
        filler = mount / "filler"
        with filler.open("wb", buffering=0) as file:
            for size in (65_536, 512):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue
        refused = 0
        while (refused := self._add()) == 201:  # the log of SQLite may have room of its own
            pass
        self._platform.audit.note(AuditEvent("data.export", "done", "waits for room"))
        seen = {"refused": refused, "read": self._read("viewer"), "unknown": self._read("auditor")}
        filler.unlink()
        return seen | {"with room": self._add()}

    def on_a_read_only_disk(self, mount: Path) -> Answers:
        self._platform.database.close()  # a disk with open files would not be made read-only
        subprocess.run(["mount", "-o", "remount,ro", str(mount)], check=True)
        seen = {"refused": self._add(), "log": self._of["auditor"].get("/api/v2/audit").status_code}
        reads = []
        for _ in range(4):
            reads.append(self._read("viewer"))
            self._clock.advance(1.5)
        subprocess.run(["mount", "-o", "remount,rw", str(mount)], check=True)
        return seen | {"reads": reads, "read again": self._read("viewer"), "add again": self._add()}

    def afterwards(self) -> Answers:
        self._platform.audit.flush()
        events = self._platform.audit.entries(limit=10_000)
        audited = [e.event.details["name"] for e in events if e.event.action == "user.add"]
        stored = {user.name for user in self._platform.users.list()}
        return {
            "sound": self._platform.audit.verify().sound,
            "as answered": {name for name in stored if name.startswith("new")} == set(self._added),
            "as audited": sorted(stored) == sorted(audited),
            "note": sum(e.event.actor == "waits for room" for e in events),
        }

    def _add(self) -> int:
        name = f"new-{len(self._added)}"
        status = self._of["admin"].post("/api/v2/users", json={"name": name, "role": "viewer"}).status_code
        if status == 201:
            self._added.append(name)
        return status

    def _read(self, role: str) -> int:
        return self._of[role].get(READ).status_code


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
