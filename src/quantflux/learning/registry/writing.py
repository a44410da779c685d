"""Writes a model's folder."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from datetime import datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.learning.models.contract import Predictor
from quantflux.learning.registry.manifest import (
    CANARY,
    MANIFEST,
    PREDICTOR,
    REFERENCE,
    SCALER,
    SPEC,
    FileEntry,
    Manifest,
)
from quantflux.learning.registry.records import check_words
from quantflux.learning.registry.training import Training, feature_hash, library_versions, plain
from quantflux.learning.scaling import Scaler
from quantflux.learning.specification import ModelSpec


def write_model(
    folder: Path, spec: ModelSpec, predictor: Predictor, scaler: Scaler, about: Training, created: datetime
) -> None:
    """Write everything that belongs to a model into an empty folder.

    Raises
    ------
    InvalidRequest
        If the model predicts nothing for a canary, or the parts are not of one model.
    OSError
        If it cannot be written.
    """
    figures = plain(about.figures)
    predictions = _predictions(predictor, scaler, about)
    (folder / PREDICTOR).mkdir()
    predictor.save(folder / PREDICTOR)
    _write_json(folder / SPEC, spec.to_dict())
    _write_json(folder / SCALER, scaler.to_dict())
    _write_json(folder / REFERENCE, about.reference.to_dict())
    _write_json(
        folder / CANARY,
        {
            "features": [[float(value).hex() for value in row] for row in about.canaries],
            "predictions": [float(value).hex() for value in predictions],
        },
    )
    manifest = Manifest(
        id=spec.id,
        name=check_words("the name of a model", spec.name),
        kind=spec.kind,
        task=spec.task,
        seed=spec.seed,
        created=created,
        first=about.first,
        last=about.last,
        cells=int(about.cells),
        features=dict(about.digests),
        feature_hash=feature_hash(about.digests),
        data_versions={name: int(version) for name, version in about.data_versions.items()},
        libraries=library_versions(),
        figures=figures,
        files=_entries(folder),
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
    _all_to_disk(folder)


def copy_model(checked: Path, manifest: bytes, folder: Path) -> None:
    """Fill an empty folder with files that were checked, and with their manifest."""
    shutil.copytree(checked, folder, dirs_exist_ok=True)
    (folder / MANIFEST).write_bytes(manifest)
    _all_to_disk(folder)


def _predictions(predictor: Predictor, scaler: Scaler, about: Training) -> np.ndarray:
    count = len(about.digests)
    if predictor.features != count or len(scaler.centre) != count:
        raise InvalidRequest(
            f"the {predictor.kind} model wants {predictor.features} features, its scaler {len(scaler.centre)}, and the "
            f"training names {count}; valid is the same number"
        )
    predictions = predictor.predict(scaler.apply(np.asarray(about.canaries, dtype=np.float32)))
    unknown = int((~np.isfinite(predictions)).sum())
    if unknown:
        raise InvalidRequest(
            f"the {predictor.kind} model gives no finite prediction for {unknown} of {len(predictions)} cells that "
            "have features; a model like that cannot be kept"
        )
    return predictions


def _entries(folder: Path) -> dict[str, FileEntry]:
    entries = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        entries[path.relative_to(folder).as_posix()] = FileEntry(size=path.stat().st_size, sha256=digest)
    return entries


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, allow_nan=False) + "\n", encoding="utf-8")


def to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _all_to_disk(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        to_disk(path)
