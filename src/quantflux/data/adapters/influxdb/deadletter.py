"""Keeps rows that the server refused, as JSON lines, on disk before the write's error is raised."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from quantflux.core.clock import Clock
from quantflux.core.errors import RejectedRow


class DeadLetters:
    """A folder with one file a dataset: when, why, and the line as it was sent."""

    def __init__(self, folder: Path | None, clock: Clock) -> None:
        self.folder = folder
        self._clock = clock

    def add(self, dataset: str, rejected: Sequence[RejectedRow], lines: Sequence[bytes]) -> None:
        """Append rows and the lines in which they were sent, and wait until they are on disk."""
        if self.folder is None:
            return
        at = self._clock.now().isoformat()
        entries = [
            {"at": at, "key": row.key, "reason": row.reason, "line": line.decode().rstrip("\n")}
            for row, line in zip(rejected, lines, strict=True)
        ]
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{dataset}.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
            file.flush()
            os.fsync(file.fileno())
