"""The Delta log of one dataset: snapshots, commits, and what each commit said about itself.

Every commit of ours carries a note in its `commitInfo`: the instant by our clock, the days whose rows it changed, and
a digest of the names of all live files after it. The digest is checked whenever the log is read, so a damaged log or
checkpoint is noticed like a damaged data file: names vouch for files (see `datafile`), the digest for names.

A commit succeeds only on top of the version it was planned on (`max_commit_retries=0`: Delta's own conflict check
would let two appends of one key pass).
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from urllib.parse import unquote

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Field, Schema
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from quantflux.core.clock import Clock
from quantflux.core.errors import OutcomeUnknown, StoreCorrupt, StoreError, VersionConflict
from quantflux.data.adapters.columnar.actions import NOTE, NewFile, Note, digest, removal
from quantflux.data.adapters.columnar.datafile import parquet_schema, sync_directory
from quantflux.data.adapters.columnar.errors import translated
from quantflux.data.adapters.columnar.layout import PERIOD, is_data_file, period_of_path
from quantflux.data.contract import Span
from quantflux.data.schema import Dataset

_TABLE_SETTINGS: dict[str, str | None] = {
    "delta.enableExpiredLogCleanup": "false",  # `compact` forgets history, by our clock and nobody else's
    "delta.checkpointInterval": "100",
}


@dataclass(frozen=True)
class Snapshot:
    """The live files of one version: paths inside the dataset's folder, sorted, so also by period."""

    version: int
    paths: tuple[str, ...] = ()

    def between(self, first: str, last: str) -> list[str]:
        """Return the files of the periods `first` .. `last`."""
        return [path for path in self.paths if first <= period_of_path(path) <= last]


EMPTY = Snapshot(0)


class DeltaLog:
    """The log of one dataset's folder. Safe to use from several threads."""

    def __init__(self, folder: Path, data: Dataset, clock: Clock) -> None:
        self.folder = folder
        self.directory = folder / "_delta_log"
        self._data = data
        self._clock = clock
        self._guard = RLock()
        self._table: DeltaTable | None = None
        self._current = EMPTY
        self._mark: tuple[int, int] | None = None
        self._notes: dict[int, Note | None] = {}

    def entry(self, version: int) -> Path:
        """Return where the log keeps a version's actions."""
        return self.directory / f"{version:020d}.json"

    def snapshot(self) -> Snapshot:
        """Return the newest version. Costs two `stat` calls when nothing has changed."""
        with self._guard:
            if self._table is None or self._mark != self._mark_of(self._current.version):
                self._open()
            elif self.entry(self._current.version + 1).exists():
                self._advance(self._table)
            return self._current

    def _mark_of(self, version: int) -> tuple[int, int] | None:
        """Return what tells a version's entry from one of another table that was made here later."""
        try:
            found = self.entry(version).stat()
        except FileNotFoundError:
            return None  # forgotten
        return found.st_mtime_ns, found.st_ino

    def _open(self) -> None:
        self._table, self._current, self._mark = None, EMPTY, None
        self._notes.clear()
        if self.entry(0).exists() or (self.directory / "_last_checkpoint").exists():
            with translated(self.directory, "read"):
                self._adopt(DeltaTable(str(self.folder)))

    def _advance(self, table: DeltaTable) -> None:
        self._table = None
        with translated(self.directory, "read"):
            try:
                table.update_incremental()
            except DeltaError:
                # The entries between ours and the newest may be forgotten; from the last checkpoint it must work.
                table = DeltaTable(str(self.folder))
            self._adopt(table)

    def _adopt(self, table: DeltaTable) -> None:
        self._current = self._verified(table)
        self._mark = self._mark_of(self._current.version)
        self._table = table

    def identity(self) -> str:
        """Return the id of the table; empty if there is none."""
        with self._guard:
            self.snapshot()
            return "" if self._table is None else str(self._table.metadata().id)

    def _verified(self, table: DeltaTable) -> Snapshot:
        paths = sorted("/".join(unquote(uri).rsplit("/", 2)[-2:]) for uri in table.file_uris())
        odd = [path for path in paths if not is_data_file(path)]
        if odd:
            raise StoreCorrupt(
                f"{self.directory} names a file that quantflux never wrote: {odd[0]}", str(self.directory)
            )
        snapshot = Snapshot(table.version(), tuple(paths))
        note = self.note(snapshot.version)
        if note is not None and note.digest != digest(snapshot.paths):
            raise StoreCorrupt(
                f"{self.directory} fails its checksum at version {snapshot.version}", str(self.directory)
            )
        return snapshot

    def at(self, version: int) -> Snapshot | None:
        """Return an earlier version, or None if its entries are forgotten."""
        if version == 0:
            return EMPTY
        try:
            with translated(self.directory, "read"):
                return self._verified(DeltaTable(str(self.folder), version=version))
        except StoreCorrupt:
            if self.entry(version).exists():
                raise
            return None

    def note(self, version: int) -> Note | None:
        """Return what a commit said; None if it is forgotten or was made by another program."""
        with self._guard:
            if version not in self._notes:
                self._notes[version] = self._read_note(version)
            return self._notes[version]

    def _read_note(self, version: int) -> Note | None:
        path = self.entry(version)
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            infos = [action["commitInfo"] for action in map(json.loads, lines) if "commitInfo" in action]
            return Note.from_json(infos[0][NOTE]) if infos and NOTE in infos[0] else None
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, IndexError) as exc:
            raise StoreCorrupt(f"{path} cannot be read: {exc}", str(path)) from exc

    def commit(
        self, base: Snapshot, added: Sequence[NewFile], removed: Sequence[str], span: Span | None
    ) -> int:
        """Replace files in one step, on top of `base`, and return the version made.

        Raises
        ------
        VersionConflict
            If `base` is no longer the newest version. Nothing was done.
        OutcomeUnknown
            If the version was made but the disk would not confirm it.
        """
        with self._guard:
            table = self._table or self._create()
            if table.version() != base.version:
                raise VersionConflict(
                    f"{self.folder} is at version {table.version()}, the commit was planned on {base.version}"
                )
            paths = sorted({*base.paths, *(file.path for file in added)} - set(removed))
            note = Note(self._clock.now(), span, digest(paths))
            maintenance = span is None
            actions: list[AddAction | RemoveAction] = [
                *(file.action(not maintenance) for file in added),
                *(removal(path, not maintenance) for path in removed),
            ]
            try:
                with translated(self.folder, "commit to"):
                    table.create_write_transaction(
                        actions,
                        "append",
                        _delta_schema(self._data),
                        partition_by=[PERIOD],
                        commit_properties=CommitProperties({NOTE: note.to_json()}, max_commit_retries=0),
                    )
            except StoreError:
                # A failure may come after the deed: a checkpoint that could not be written, say.
                if not self._contains([file.path for file in added]):
                    raise
        self._confirm(base.version + 1)
        return base.version + 1

    def extend_schema(self) -> None:
        """Tell Delta of columns that the dataset has and its table lacks. Old files simply do not hold them."""
        with self._guard:
            base = self.snapshot()
            if self._table is None:
                return
            known = {field.name for field in self._table.schema().fields}
            missing = [field for field in _delta_schema(self._data).fields if field.name not in known]
            if missing:
                note = Note(self._clock.now(), None, digest(base.paths))
                with translated(self.folder, "add columns to"):
                    self._table.alter.add_columns(
                        [Field(field.name, field.type, nullable=True) for field in missing],
                        commit_properties=CommitProperties({NOTE: note.to_json()}, max_commit_retries=0),
                    )

    def checkpoint(self) -> None:
        """Write the live files of the newest version in one piece, so that older entries can be forgotten."""
        with self._guard:
            self.snapshot()
            if self._table is not None:
                with translated(self.directory, "write a checkpoint to"):
                    self._table.create_checkpoint()

    def added(self, version: int) -> list[str]:
        """Return the files that a version added."""
        with translated(self.entry(version), "read"):
            lines = self.entry(version).read_text(encoding="utf-8").splitlines()
        return [unquote(action["add"]["path"]) for action in map(json.loads, lines) if "add" in action]

    def _contains(self, paths: list[str]) -> bool:
        try:
            return bool(paths) and set(paths) <= set(self.snapshot().paths)
        except StoreError as exc:
            raise OutcomeUnknown(
                f"{self.folder} cannot be read after a failed commit: send the batch again"
            ) from exc

    def _create(self) -> DeltaTable:
        with translated(self.folder, "create"):
            self._table = DeltaTable.create(
                str(self.folder),
                _delta_schema(self._data),
                mode="ignore",  # a rival may have made it just now
                partition_by=[PERIOD],
                configuration=_TABLE_SETTINGS,
                commit_properties=CommitProperties(
                    {NOTE: Note(self._clock.now(), None, digest(())).to_json()}
                ),
            )
        return self._table

    def _confirm(self, version: int) -> None:
        path = self.entry(version)
        try:
            with translated(path, "sync"), path.open("rb") as handle:
                os.fsync(handle.fileno())
            sync_directory(self.directory)
        except StoreError as exc:
            raise OutcomeUnknown(
                f"{path} was written but the disk did not confirm it: send the batch again"
            ) from exc


def _delta_schema(data: Dataset) -> Schema:
    return Schema.from_arrow(parquet_schema(data).append(pa.field(PERIOD, pa.string(), nullable=False)))
