"""Records of backtests in the data folder, each owner's in a folder of their own.

A record is two files: what the run was (`RunRecord`), and beside it the study, which is what it gave. Records that the
command line wrote stand in the folder itself and belong to nobody who could log in.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from quantflux.backtest.runs.record import RunRecord
from quantflux.core.errors import NotFound, QuantfluxError, StoreCorrupt, StoreUnavailable

_OWNER = re.compile(r"user:([0-9]{1,19})")
_STUDY = ".study.json"


@dataclass(frozen=True)
class Entry:
    """One record of a list.

    Attributes
    ----------
    id : str
    owner : str
        As `Principal.owner` says it; empty for the command line's.
    path : Path
    """

    id: str
    owner: str
    path: Path


class RecordShelf:
    """Keeps, lists and reads records.

    Parameters
    ----------
    folder : Path
        Made when a record is first kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, owner: str, record: RunRecord, study: Mapping[str, Any]) -> str:
        """Write a record and its study, and return the record's id.

        Raises
        ------
        StoreUnavailable
            If they cannot be written; then neither counts.
        """
        moment = "".join(c for c in record.made[:19] if c.isdigit())
        words = "-".join(re.findall(r"[A-Za-z0-9]+", record.name))[:60] or "run"
        made = f"{words}-{moment}-{secrets.token_hex(4)}"
        place = self._place(owner)
        try:
            place.mkdir(parents=True, exist_ok=True)
            # The record is what a list finds, so it comes last.
            _write(place / f"{made}{_STUDY}", json.dumps(study, ensure_ascii=False, allow_nan=False))
            _write(place / f"{made}.json", replace(record, folder=".").to_json())
        except OSError as error:
            raise StoreUnavailable(
                f"the record of {record.name} cannot be kept: {error.strerror or error}"
            ) from error
        return made

    def entries(self, owner: str | None = None) -> list[Entry]:
        """Return the records of an owner, or all of them, the newest first."""
        found = list(self._entries(owner))
        return sorted(found, key=lambda each: (each.path.stat().st_mtime_ns, each.id), reverse=True)

    def read(self, name: str, *, owner: str | None = None) -> RunRecord:
        """Return a record; `owner` None sees everybody's.

        Raises
        ------
        NotFound
            If there is none of that id, or it is somebody else's.
        StoreCorrupt
            If the file is none any more.
        """
        return self.record_at(self._find(name, owner))

    def record_at(self, entry: Entry) -> RunRecord:
        """Return the record of an entry; raises what `read` does."""
        try:
            return RunRecord.from_json(_text(entry), entry.id)
        except QuantfluxError as error:
            if isinstance(error, NotFound):
                raise
            raise StoreCorrupt(f"the record {entry.id} is damaged: {error}", entry.path.name) from error

    def owner_of(self, name: str, *, owner: str | None = None) -> str:
        """Return whose record it is; raises what `read` does."""
        return self._find(name, owner).owner

    def study(self, name: str, *, owner: str | None = None) -> bytes:
        """Return the study of a record as JSON.

        Raises
        ------
        NotFound
            If there is no such record, it is somebody else's, or only the record itself was kept.
        """
        entry = self._find(name, owner)
        try:
            return entry.path.with_name(f"{entry.id}{_STUDY}").read_bytes()
        except FileNotFoundError:
            raise NotFound(f"the study of {entry.id} was not kept; replay it, or run it again") from None

    def _entries(self, owner: str | None) -> Iterator[Entry]:
        places = [(owner, self._place(owner))] if owner is not None else list(self._places())
        for whose, place in places:
            with suppress(FileNotFoundError):
                for path in place.iterdir():
                    if path.name.endswith(".json") and not path.name.endswith(_STUDY):
                        yield Entry(path.name.removesuffix(".json"), whose, path)

    def _places(self) -> Iterator[tuple[str, Path]]:
        yield "", self._folder
        with suppress(FileNotFoundError):
            for path in self._folder.iterdir():
                if path.is_dir() and path.name.startswith("user-"):
                    yield path.name.replace("-", ":", 1), path

    def _find(self, name: str, owner: str | None) -> Entry:
        for entry in self._entries(owner):  # a path is never made of what a caller sent
            if entry.id == name:
                return entry
        raise NotFound(f"no backtest is recorded as {name[:100]!r}")

    def _place(self, owner: str) -> Path:
        found = _OWNER.fullmatch(owner)
        return self._folder / f"user-{found[1]}" if found else self._folder


def _text(entry: Entry) -> str:
    try:
        return entry.path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"no backtest is recorded as {entry.id!r}") from None


def _write(path: Path, text: str) -> None:
    """Write a file so that nobody sees half of it."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text(text + "\n", encoding="utf-8")
    unfinished.replace(path)
