"""Sends lines in batches and finds out exactly which rows a server refuses.

A batch that is refused (a type conflict, a row beyond the server's limits, a batch too large) is halved until single
rows remain; the halves that are accepted are stored. What the server says about how many rows it dropped is not
used: it says 0 for lines that it could not parse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from quantflux.core.errors import OutcomeUnknown, StoreUnavailable
from quantflux.data.adapters.influxdb.errors import Refused
from quantflux.data.adapters.influxdb.lineprotocol import Lines

MAX_LINES, MAX_BYTES = 5_000, 1_000_000


@dataclass
class Progress:
    """What has become of the rows of one write so far: `refused` is (row, reason)."""

    stored: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class BatchWriter:
    """Sends `Lines` through `send`, which raises `Refused` when the server will not have a batch."""

    send: Callable[[bytes], None]
    max_lines: int = MAX_LINES
    max_bytes: int = MAX_BYTES

    def write(self, lines: Lines, progress: Progress) -> None:
        """Send all rows, and keep account in `progress`, which is right also when this raises.

        Raises
        ------
        OutcomeUnknown
            When a reply was lost, or the server became unreachable after some rows had been stored.
        StoreUnavailable, StoreFull, AccessDenied
            When nothing had been stored.
        """
        for start, stop in lines.batches(self.max_lines, self.max_bytes):
            before = progress.stored
            try:
                self._write(lines, start, stop, progress)
            except StoreUnavailable as exc:
                if not progress.stored:
                    raise
                raise OutcomeUnknown(
                    f"{progress.stored} of {len(lines)} rows were stored before this: {exc}; send the same table again"
                ) from exc
            if progress.stored == before and stop < len(lines) and stop - start > 1:
                self._give_up(stop, len(lines), progress)
                return

    def _write(self, lines: Lines, start: int, stop: int, progress: Progress) -> None:
        try:
            self.send(bytes(lines.body(start, stop)))
        except Refused as exc:
            if stop - start == 1:
                progress.refused.append((start, exc.reason))
                return
            middle = (start + stop) // 2
            self._write(lines, start, middle, progress)
            self._write(lines, middle, stop, progress)
        else:
            progress.stored += stop - start

    @staticmethod
    def _give_up(start: int, stop: int, progress: Progress) -> None:
        """Refuse the rest unsent: a whole batch was refused row by row, so the table does not fit the measurement."""
        reason = f"not sent, because a whole batch before it was refused: {progress.refused[-1][1]}"
        progress.refused += [(row, reason) for row in range(start, stop)]
