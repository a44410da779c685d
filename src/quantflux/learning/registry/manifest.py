"""What a model's folder says of itself: `manifest.json` names every file in it, with its size and SHA-256."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from quantflux.core.documents import Section
from quantflux.core.errors import InvalidRequest, StoreCorrupt
from quantflux.learning.registry.records import check_model_id, check_words
from quantflux.learning.registry.training import feature_hash

MANIFEST = "manifest.json"
SPEC, SCALER, CANARY, REFERENCE = "spec.json", "scaler.json", "canary.json", "reference.json"
PREDICTOR = "predictor"
"""The folder in which the predictor keeps its files."""

MOST_FILES = 256
MOST_BYTES = 2 << 30
_MOST_MANIFEST_BYTES = 8 << 20
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_MOST_PARTS = 4


class FileEntry(Section):
    """One file."""

    size: Annotated[int, Field(ge=0, le=MOST_BYTES)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _file_name(name: str) -> str:
    parts = name.split("/")
    if len(parts) > _MOST_PARTS or not all(_PART.fullmatch(part) for part in parts):
        raise ValueError(f"no file of a model can be called {name[:60]!r}")
    inside = len(parts) > 1 and parts[0] == PREDICTOR
    if not inside and name not in {SPEC, SCALER, CANARY, REFERENCE}:
        raise ValueError(f"a model has no file {name[:60]!r}")
    return name


class Manifest(Section):
    """The manifest. See `ModelVersion` for what the facts mean."""

    format: Literal[1] = 1
    id: Annotated[str, AfterValidator(check_model_id)]
    name: Annotated[str, AfterValidator(partial(check_words, "the name"))]
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
    task: str
    seed: int
    created: datetime
    first: date
    last: date
    cells: Annotated[int, Field(ge=0)]
    features: Annotated[dict[str, str], Field(min_length=1)]
    feature_hash: str
    data_versions: dict[str, int]
    libraries: dict[str, str]
    figures: dict[str, Any]
    files: Annotated[
        dict[Annotated[str, AfterValidator(_file_name)], FileEntry], Field(max_length=MOST_FILES)
    ]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.feature_hash != feature_hash(self.features):
            raise ValueError("feature_hash is not that of the features")
        absent = {SPEC, SCALER, CANARY, REFERENCE} - self.files.keys()
        if absent or len(self.files) == 4:
            raise ValueError(f"it names no file {', '.join(sorted(absent)) or PREDICTOR + '/...'}")
        if sum(entry.size for entry in self.files.values()) > MOST_BYTES:
            raise ValueError(f"its files have more than {MOST_BYTES >> 20:,} MiB")
        return self

    def facts(self) -> dict[str, Any]:
        """Return what a list of models shows, as JSON can hold it."""
        facts: dict[str, Any] = self.model_dump(
            mode="json", exclude={"format", "features", "files", "id", "created"}
        )
        return facts


def read_manifest(folder: Path) -> tuple[Manifest, bytes]:
    """Return a folder's manifest, and its bytes.

    Raises
    ------
    StoreCorrupt
        If there is none, or it says what no manifest says.
    """
    path = folder / MANIFEST
    text = read_bytes(path, _MOST_MANIFEST_BYTES)
    try:
        return Manifest.model_validate_json(text), text
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part)[:60] for part in first["loc"])
        raise StoreCorrupt(
            f"{path} is not the manifest of a model: {where + ': ' if where else ''}{first['msg']}", str(path)
        ) from None
    except InvalidRequest as error:
        raise StoreCorrupt(f"{path} is not the manifest of a model: {error}", str(path)) from None


def read_json(folder: Path, name: str, most: int = 64 << 20) -> Mapping[str, Any]:
    """Return the mapping in a file.

    Raises
    ------
    StoreCorrupt
        If it holds something else.
    """
    path = folder / name
    try:
        values = json.loads(read_bytes(path, most))
    except (ValueError, RecursionError) as error:
        raise StoreCorrupt(f"{path} is not JSON: {error}", str(path)) from None
    if not isinstance(values, dict):
        raise StoreCorrupt(f"{path} holds {type(values).__name__}; valid is an object", str(path))
    return values


def read_bytes(path: Path, most: int) -> bytes:
    """Return the content of a regular file that has at most so many bytes.

    Raises
    ------
    StoreCorrupt
        If it is missing, is a link or a device, or is larger.
    """
    try:
        handle = open_regular(path)
        with os.fdopen(handle, "rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise StoreCorrupt(f"{path} cannot be read: {error.strerror or error}", str(path)) from error
    if len(content) > most:
        raise StoreCorrupt(f"{path} has more than {most:,} bytes", str(path))
    return content


def open_regular(path: Path) -> int:
    """Open a regular file for reading; return its descriptor.

    Raises
    ------
    OSError
        If it is missing, is a link, or is a folder, a device or a pipe. A pipe is not waited for.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path} is not a regular file")
    return handle
