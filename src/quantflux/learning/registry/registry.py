"""Keeps models: adds, lists, promotes and loads their versions.

Rows say what there is (`rows.py`), and each version has a folder that is never changed. A folder is written under a
temporary name; it gets its number, and the version its rows, in one transaction. What a writer leaves that was killed
in between is taken away by a later one.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

from quantflux.core.clock import Clock
from quantflux.core.errors import (
    InvalidRequest,
    NotFound,
    QuantfluxError,
    StoreCorrupt,
    StoreFull,
    StoreUnavailable,
)
from quantflux.learning.models import load
from quantflux.learning.models.contract import Predictor
from quantflux.learning.registry.gate import Checked, check_predictions, opened
from quantflux.learning.registry.loaded import LoadedModel, Serving, check_features
from quantflux.learning.registry.records import (
    CANDIDATE,
    PRODUCTION,
    RETIRED,
    STAGES,
    ModelVersion,
    StageChange,
    check_model_id,
    check_words,
)
from quantflux.learning.registry.rows import NewVersion, RowFile, Rows
from quantflux.learning.registry.training import Training
from quantflux.learning.registry.trial import Limits
from quantflux.learning.registry.writing import copy_model, to_disk, write_model
from quantflux.learning.scaling import Scaler
from quantflux.learning.specification import ModelSpec

_TEMPORARY = ".new-"
_ABANDONED = 86_400  # seconds after which a temporary folder is nobody's any more
_MOST_LOADED = 16


class ModelRegistry:
    """The models in a folder. Processes and threads may share it.

    Parameters
    ----------
    folder : Path
        Made when a model is first added.
    clock : Clock
    limits : Limits
        Of the process that tries a model before it is used.
    """

    def __init__(self, folder: Path, clock: Clock, *, limits: Limits | None = None) -> None:
        self._models = folder / "models"
        self._rows = RowFile(folder / "registry.sqlite", self._models)
        self._clock = clock
        self._limits = limits or Limits()
        self._loaded: OrderedDict[tuple[str, int, str], LoadedModel] = OrderedDict()
        self._serving: dict[str, LoadedModel] = {}
        self._loading = threading.RLock()
        self._guard = threading.Lock()  # of the two above, and never held for long

    def add(
        self,
        spec: ModelSpec,
        predictor: Predictor,
        scaler: Scaler,
        about: Training,
        *,
        actor: str,
        reason: str = "trained",
        beside: Callable[[ModelVersion], None] | None = None,
    ) -> ModelVersion:
        """Keep a model as the next version of its id, a candidate.

        What was written is tried like any model before it counts.

        Parameters
        ----------
        spec : ModelSpec
        predictor : Predictor
        scaler : Scaler
        about : Training
        actor, reason : str
            For the history.
        beside : callable, optional
            Keeps what belongs to the version elsewhere, before anybody sees the version; if it fails, there is none.

        Raises
        ------
        InvalidRequest
            If the id cannot be used, the parts do not fit together, or the model gives no number for a canary.
        StoreCorrupt
            If it does not predict the same once it was written and read.
        StoreUnavailable
            If it cannot be written.
        """
        check_model_id(spec.id)
        said = _said(actor, reason)
        with self._new_folder(spec.id) as folder:
            write_model(folder, spec, predictor, scaler, about, self._clock.now())
            with opened(folder, self._limits) as checked:
                return self._register(folder, checked, *said, beside)

    def import_folder(self, folder: Path, *, actor: str, reason: str = "imported") -> ModelVersion:
        """Keep a model from a folder like those of a registry, as the next version of its id, a candidate.

        Raises
        ------
        InvalidRequest
            If the folder is not that of a model which can be used; nothing of it is kept.
        MissingDependency
            If the library that made it is not installed.
        StoreUnavailable
            If it cannot be written.
        """
        said = _said(actor, reason)
        try:
            with (
                opened(folder, self._limits) as checked,
                self._new_folder(checked.manifest.id) as place,
            ):
                self._ready(checked, str(folder))
                copy_model(checked.folder, checked.manifest_bytes, place)
                return self._register(place, checked, *said)
        except StoreCorrupt as error:
            raise InvalidRequest(f"{folder} cannot be imported: {error}") from error

    def list(self, name: str | None = None) -> Sequence[ModelVersion]:
        """Return all versions of all models, or of one, sorted."""
        with self._rows.reading() as rows:
            return rows.versions(name)

    def history(self, name: str) -> Sequence[StageChange]:
        """Return what happened to the versions of a model, the oldest first.

        Raises
        ------
        NotFound
            If there is no such model.
        """
        with self._rows.reading() as rows:
            return rows.history(name) or _no_model(rows, name)

    def get(self, name: str, version: int | None = None, stage: str | None = None) -> ModelVersion:
        """Return one version of a model: that version, the newest of that stage, or the one in production.

        Without either, and without one in production, it is the newest candidate.

        Raises
        ------
        NotFound
            Saying what there is.
        """
        with self._rows.reading() as rows:
            return _found(rows, name, version, stage)

    def promote(
        self,
        name: str,
        version: int,
        stage: str,
        *,
        reason: str,
        actor: str,
        digests: Mapping[str, str] | None = None,
    ) -> ModelVersion:
        """Bring a version to a stage.

        What a version replaces in production is retired, and may be promoted again. Before a version comes to
        production it is loaded as in `load`; if that fails, what is in production stays.

        Parameters
        ----------
        stage : {"production", "retired"}
        reason : str
            For the history.
        digests : mapping of str to str, optional
            Digest of each feature's expression as it would be computed now, in order: they must be those that the
            model learnt from.

        Raises
        ------
        NotFound
            If there is no such version.
        InvalidRequest
            If the version is at that stage already, the stage is none to come to, or the features are others.
        StoreCorrupt
            If the version cannot be used.
        """
        if stage not in STAGES or stage == CANDIDATE:
            raise InvalidRequest(
                f"a version cannot be brought to stage {stage!r:.60}; valid are {PRODUCTION} and {RETIRED}"
            )
        actor, reason = _said(actor, reason)
        wanted = self.get(name, version)
        if stage == PRODUCTION:
            model = self._open(wanted)  # its files may have changed since it was loaded
            if digests is not None:
                check_features(wanted.label, model.digests, digests)
        with self._rows.writing() as rows:
            now = _found(rows, name, version, None)
            if now.stage == stage:
                raise InvalidRequest(f"{now.label} is at stage {stage} already, since {now.since:%F %T} UTC")
            rows.promote(StageChange(name, version, stage, self._clock.now(), actor, reason))
            return _found(rows, name, version, None)

    def load(self, version: ModelVersion) -> LoadedModel:
        """Return a version ready to predict.

        Its files are checked against what was registered, and a child process has loaded them and found the known
        predictions, before this process reads them. What was loaded once is kept.

        Raises
        ------
        StoreCorrupt
            If a file was changed, or the model cannot be loaded or predicts something else than it did.
        MissingDependency
            If the library that made it is not installed.
        StoreUnavailable
            If there is no room for the check.
        """
        key = (version.id, version.version, version.digest)
        with self._guard:
            model = self._loaded.get(key)
        if model is not None:
            return model
        with self._loading:
            with self._guard:
                model = self._loaded.get(key)  # another thread may have been first
            return model or self._open(version)

    def serving(self, name: str) -> Serving:
        """Return the version in production, ready to predict, or the last good one if its files are damaged.

        The last good one is what this process served before, or else the version that was replaced last.

        Raises
        ------
        NotFound
            If no version is in production.
        StoreCorrupt
            If the version in production is damaged and there is none to fall back on.
        """
        production = self.get(name, stage=PRODUCTION)
        try:
            model, problem = self.load(production), ""
        except StoreCorrupt as error:
            with self._guard:
                earlier = self._serving.get(name)
            model = earlier or self._replaced(name, error)
            problem = (
                f"{production.label} is in production but cannot be used: {error}; {model.version.label} predicts "
                "instead"
            )
        with self._guard:
            self._serving[name] = model
        return Serving(model, problem)

    def _open(self, version: ModelVersion) -> LoadedModel:
        with opened(version.folder, self._limits, version.digest) as checked:
            model = LoadedModel(
                version,
                checked.spec,
                self._ready(checked, str(version.folder)),
                checked.scaler,
                checked.manifest.features,
                checked.reference,
            )
        with self._guard:
            self._loaded[version.id, version.version, version.digest] = model
            while len(self._loaded) > _MOST_LOADED:
                self._loaded.popitem(last=False)
        return model

    def _replaced(self, name: str, problem: StoreCorrupt) -> LoadedModel:
        """Load the version that was last replaced in production, of those that can be loaded."""
        seen: set[int] = set()
        for change in reversed(self.history(name)):
            if change.version not in seen and change.replaced_by is not None:
                with contextlib.suppress(StoreCorrupt):
                    return self.load(self.get(name, change.version))
            seen.add(change.version)
        raise problem

    def _ready(self, checked: Checked, place: str) -> Predictor:
        """Load, in this process, what the child has loaded."""
        manifest = checked.manifest
        predictor = load(manifest.kind, checked.predictor_folder)
        found = (predictor.kind, predictor.task, predictor.features)
        if found != (manifest.kind, manifest.task, len(manifest.features)):
            raise StoreCorrupt(
                f"{place} holds a {found[0]} for {found[1]} of {found[2]} features; its manifest says a "
                f"{manifest.kind} for {manifest.task} of {len(manifest.features)}",
                place,
            )
        check_predictions(checked, predictor.predict(checked.rows), place)
        return predictor

    def _register(
        self,
        folder: Path,
        checked: Checked,
        actor: str,
        reason: str,
        beside: Callable[[ModelVersion], None] | None = None,
    ) -> ModelVersion:
        manifest = checked.manifest
        digest = sha256(checked.manifest_bytes).hexdigest()
        new = NewVersion(manifest.id, manifest.created, actor, digest, manifest.facts())
        with self._rows.writing() as rows:
            known = [version.version for version in rows.versions(new.id)]
            version = max(known, default=0) + 1
            place = folder.with_name(str(version))
            with _writing(place):
                if place.exists():  # of a writer that was killed before its rows were kept
                    shutil.rmtree(place)
                folder.rename(place)
                to_disk(place.parent)
            rows.add(version, new)
            rows.change(StageChange(new.id, version, CANDIDATE, self._clock.now(), actor, reason))
            added = _found(rows, new.id, version, None)
            if beside is not None:
                with _gone_if_it_fails(place):
                    beside(added)
            return added

    @contextlib.contextmanager
    def _new_folder(self, name: str) -> Iterator[Path]:
        """Yield an empty folder beside the versions of a model; it is gone afterwards, unless it was renamed."""
        parent = self._models / name
        with _writing(parent):
            parent.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=parent))
            try:
                _sweep(parent, folder)
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _gone_if_it_fails(place: Path) -> Iterator[None]:
    """Take away a folder if the block fails; nobody else writes there as long as the rows are being written."""
    try:
        yield
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def _sweep(parent: Path, newest: Path) -> None:
    """Take away the temporary folders that were left long before the newest."""
    now = newest.stat().st_mtime
    for path in parent.glob(f"{_TEMPORARY}*"):
        with contextlib.suppress(FileNotFoundError):
            if now - path.stat().st_mtime > _ABANDONED:
                shutil.rmtree(path, ignore_errors=True)


def _said(actor: str, reason: str) -> tuple[str, str]:
    return check_words("the actor", actor, least=1), check_words("the reason", reason, least=1)


def _found(rows: Rows, name: str, version: int | None, stage: str | None) -> ModelVersion:
    known = rows.versions(name) or _no_model(rows, name)
    if version is not None:
        chosen = [each for each in known if each.version == version and stage in (None, each.stage)]
    elif stage is not None:
        chosen = [each for each in known if each.stage == stage]
    else:
        chosen = [each for each in known if each.stage == PRODUCTION] or [
            each for each in known if each.stage == CANDIDATE
        ]
    if chosen:
        return chosen[-1]
    wanted = (f" version {version}" if version is not None else "") + (f" in stage {stage}" if stage else "")
    there = ", ".join(f"{each.version} ({each.stage})" for each in known[-20:])
    raise NotFound(f"model {name} has no{wanted or ' version in use'}; its versions are {there}")


def _no_model(rows: Rows, name: str) -> NoReturn:
    known = sorted({version.id for version in rows.versions()})
    there = (
        f"known are {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}" if known else "there is none"
    )
    raise NotFound(f"no model is called {name[:60]!r}; {there}")


@contextlib.contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, QuantfluxError):
            raise
        kind = StoreFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else StoreUnavailable
        raise kind(f"{place} cannot be written: {error.strerror or error}") from error
