"""A registry with one version of one model, as often as wanted: it is made once and copied."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from quantflux.core.clock import FixedClock, SystemClock
from quantflux.learning.models import load
from quantflux.learning.registry import ModelRegistry, ModelVersion
from tests.learning.registry import trained


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("registry")
    ModelRegistry(folder, SystemClock()).add(*trained.fitted(), trained.about(), actor="ada")
    return folder


@pytest.fixture
def registry(template: Path, tmp_path: Path, clock: FixedClock) -> ModelRegistry:
    shutil.copytree(template, tmp_path / "registry")
    return ModelRegistry(tmp_path / "registry", clock)


@pytest.fixture
def version(registry: ModelRegistry) -> ModelVersion:
    return registry.get("trial", 1)


@pytest.fixture
def outside(template: Path, tmp_path: Path) -> Path:
    """A model's folder that is nobody's yet."""
    folder = tmp_path / "outside"
    shutil.copytree(template / "models" / "trial" / "1", folder)
    return folder


@pytest.fixture
def tried_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are tried in this process: at once, for tests that damage none."""
    monkeypatch.setattr("quantflux.learning.registry.gate.predictions_of", _predict_here)


@pytest.fixture
def never_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is refused, is refused before any process reads it."""
    monkeypatch.setattr("quantflux.learning.registry.gate.predictions_of", _not_wanted)


def _predict_here(folder: Path, kind: str, rows: np.ndarray, **_: object) -> np.ndarray:
    return load(kind, folder).predict(rows)


def _not_wanted(*_: object, **__: object) -> None:
    raise AssertionError("the files went as far as to be tried")
