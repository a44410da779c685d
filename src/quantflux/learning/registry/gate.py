"""What a model's folder passes before this process reads it.

1. Its manifest is the one that was registered, if it was (`opened`).
2. It holds the files that the manifest names and no other, each with its size and SHA-256; they are copied to a place
   of our own while that is checked, so that nobody changes them later (`_copy`).
3. Each file looks like what its ending says (`contents.py`).
4. A child process with little memory and time loads the copy and predicts the rows whose predictions are known
   (`trial.py`, `child.py`). Libraries that read model files may crash on a damaged one: that is all it breaks.
5. The predictions are those that are known (`check_predictions`).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from quantflux.core.errors import StoreCorrupt, StoreUnavailable
from quantflux.learning.registry.contents import check_content
from quantflux.learning.registry.manifest import (
    CANARY,
    MANIFEST,
    MOST_FILES,
    PREDICTOR,
    REFERENCE,
    SCALER,
    SPEC,
    FileEntry,
    Manifest,
    open_regular,
    read_json,
    read_manifest,
)
from quantflux.learning.registry.reference import Reference
from quantflux.learning.registry.training import library_versions
from quantflux.learning.registry.trial import Limits, predictions_of
from quantflux.learning.scaling import Scaler
from quantflux.learning.specification import ModelSpec, specification_of

TOLERANCE = 1e-12
"""By which a prediction may differ from what it was: of the prediction, or of 1 if that is more."""

_PIECE = 1 << 20


@dataclass(frozen=True, eq=False)
class Checked:
    """A model's folder that has passed, and what is in it beside the predictor.

    Attributes
    ----------
    folder : Path
        A copy, there as long as the context that gave it.
    manifest : Manifest
    manifest_bytes : bytes
    spec : ModelSpec
    scaler : Scaler
    reference : Reference
    rows : array of float32, shape (C, F)
        The canaries, after scaling.
    predictions : array of float64, shape (C,)
        Of the canaries.
    """

    folder: Path
    manifest: Manifest
    manifest_bytes: bytes
    spec: ModelSpec
    scaler: Scaler
    reference: Reference
    rows: np.ndarray
    predictions: np.ndarray

    @property
    def predictor_folder(self) -> Path:
        """Where the predictor's files are."""
        return self.folder / PREDICTOR


@contextmanager
def opened(folder: Path, limits: Limits, digest: str | None = None) -> Iterator[Checked]:
    """Yield a copy of a model's folder that is safe to load.

    Parameters
    ----------
    digest : str or None
        SHA-256 that its manifest must have.

    Raises
    ------
    StoreCorrupt
        If anything is not as it must be.
    MissingDependency
        If the library that made it is not installed.
    StoreUnavailable
        If the copy or the child process cannot be made.
    """
    manifest, text = read_manifest(folder)
    if digest is not None and sha256(text).hexdigest() != digest:
        raise StoreCorrupt(f"{folder / MANIFEST} is not the one that was registered", str(folder / MANIFEST))
    try:
        _check_names(folder, manifest)
        place = tempfile.TemporaryDirectory(prefix="quantflux-model-")
    except OSError as error:
        raise StoreUnavailable(
            f"{folder} cannot be looked through or copied: {error.strerror or error}"
        ) from error
    with place as name:
        copy = Path(name)
        try:
            _copy(folder, manifest, copy)
            checked = _read(copy, manifest, text)
            found = predictions_of(
                checked.predictor_folder,
                manifest.kind,
                checked.rows,
                missing=checked.scaler.missing == "keep",
                size=sum(entry.size for entry in manifest.files.values()),
                limits=limits,
            )
            check_predictions(checked, found, str(folder))
        except StoreCorrupt as error:  # of the copy, perhaps, which nobody knows
            raise StoreCorrupt(str(error).replace(name, str(folder)), str(folder)) from error
        yield checked


def check_predictions(checked: Checked, found: np.ndarray, place: str) -> None:
    """Check that the canaries are predicted as they were when the model was made.

    Raises
    ------
    StoreCorrupt
        Saying how much they differ, and which libraries have changed since.
    """
    known = checked.predictions
    if found.shape != known.shape:
        raise StoreCorrupt(f"the model in {place} predicts {len(found)} values for {len(known)} rows", place)
    apart = np.abs(found - known)
    wrong = ~(apart <= TOLERANCE * np.maximum(np.abs(known), 1.0))  # NaN is wrong
    if not wrong.any():
        return
    now = library_versions()
    changed = ", ".join(
        f"{name} {then} (now {now.get(name, 'none')})"
        for name, then in checked.manifest.libraries.items()
        if now.get(name) != then
    )
    first = int(np.flatnonzero(wrong)[0])
    raise StoreCorrupt(
        f"the model in {place} does not predict what it did: {int(wrong.sum())} of {len(known)} checks differ, the "
        f"first is {found[first]!r} and was {known[first]!r}; "
        + (f"it was made with {changed}" if changed else "no library has changed since"),
        place,
    )


def _copy(folder: Path, manifest: Manifest, copy: Path) -> None:
    """Copy what the manifest names, and check it on the way."""
    for name, entry in manifest.files.items():
        target = copy / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy_file(folder / name, target, entry)
        except OSError as error:
            raise StoreUnavailable(f"{folder / name} cannot be copied: {error.strerror or error}") from error
        check_content(target)


def _check_names(folder: Path, manifest: Manifest) -> None:
    found: set[str] = set()
    folders = [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                name = Path(entry.path).relative_to(folder).as_posix()
                if entry.is_dir(follow_symlinks=False) and any(
                    each.startswith(f"{name}/") for each in manifest.files
                ):
                    folders.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    found.add(name)
                else:
                    raise StoreCorrupt(
                        f"{folder} holds {name[:100]!r}, a link or folder that no model has", entry.path
                    )
                if len(found) > MOST_FILES + 1:
                    raise StoreCorrupt(f"{folder} holds more than {MOST_FILES} files", str(folder))
    for name in sorted(found ^ {MANIFEST, *manifest.files}):
        problem = "holds, but its manifest does not name," if name in found else "lacks"
        raise StoreCorrupt(f"{folder} {problem} the file {name[:100]!r}", str(folder / name))


def _copy_file(source: Path, target: Path, entry: FileEntry) -> None:
    digest, left = sha256(), entry.size
    try:
        handle = open_regular(source)
    except OSError as error:
        raise StoreCorrupt(f"{source} cannot be read: {error.strerror or error}", str(source)) from error
    with os.fdopen(handle, "rb") as file, target.open("xb") as out:
        while piece := file.read(min(_PIECE, left + 1)):
            left -= len(piece)
            if left < 0:
                break
            digest.update(piece)
            out.write(piece)
    if left or digest.hexdigest() != entry.sha256:
        raise StoreCorrupt(
            f"{source} is damaged: it is not the file of {entry.size:,} bytes that its manifest names",
            str(source),
        )


def _read(copy: Path, manifest: Manifest, text: bytes) -> Checked:
    """Read all but the predictor."""
    known = len(manifest.features)
    with _blaming(copy / CANARY):
        values = read_json(copy, CANARY)
        rows = np.array([[float.fromhex(each) for each in row] for row in values["features"]], np.float32)
        predictions = np.array([float.fromhex(each) for each in values["predictions"]], np.float64)
        if rows.shape != (len(predictions), known) or not len(rows) or not np.isfinite(predictions).all():
            raise ValueError(
                f"rows of shape {rows.shape} and {int(np.isfinite(predictions).sum())} finite predictions; valid are "
                f"as many of both, and {known} features as in the manifest"
            )
    with _blaming(copy / REFERENCE):
        reference = Reference.from_dict(read_json(copy, REFERENCE))
        if len(reference.missing) != known:
            raise ValueError(f"{len(reference.missing)} features; valid are {known} as in the manifest")
    with _blaming(copy / SCALER):
        scaler = Scaler.from_dict(read_json(copy, SCALER))
        rows = scaler.apply(rows)
    with _blaming(copy / SPEC):
        spec = specification_of(read_json(copy, SPEC))
        if (spec.id, spec.kind, spec.task) != (manifest.id, manifest.kind, manifest.task):
            raise ValueError(
                f"the {spec.kind} {spec.id}; valid is the {manifest.kind} {manifest.id} of the manifest"
            )
    return Checked(copy, manifest, text, spec, scaler, reference, rows, predictions)


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    """Say which file it was that cannot be understood."""
    try:
        yield
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise StoreCorrupt(f"{path} does not hold what a model's does: {error}", str(path)) from None
