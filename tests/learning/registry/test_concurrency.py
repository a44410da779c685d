"""Several processes and threads with one registry."""

from __future__ import annotations

import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from quantflux.core.clock import FixedClock, SystemClock
from quantflux.learning.registry import ModelRegistry, ModelVersion
from tests.factors.children import forked, status_of
from tests.learning.registry import trained

WRITERS, EACH = 4, 4


@pytest.fixture
def straight(tmp_path: Path) -> Path:
    """A model's folder of the kind that needs no library with threads, which a fork would not take along."""
    place = ModelRegistry(tmp_path / "other", SystemClock())
    made = place.add(*trained.fitted("ridge"), trained.about(), actor="ada")
    return made.folder


@pytest.mark.usefixtures("tried_here")
def test_processes_that_add_and_promote_at_once_agree(straight: Path, tmp_path: Path) -> None:
    def work(number: int) -> None:
        registry = ModelRegistry(tmp_path / "registry", SystemClock())
        for _ in range(EACH):
            added = registry.import_folder(straight, actor=f"writer {number}")
            registry.promote("trial", added.version, "production", reason="newer", actor=f"writer {number}")

    children = [forked(lambda number=number: work(number)) for number in range(WRITERS)]

    assert [status_of(child) for child in children] == [0] * WRITERS
    registry = ModelRegistry(tmp_path / "registry", SystemClock())
    versions = registry.list("trial")
    assert [version.version for version in versions] == list(range(1, WRITERS * EACH + 1))
    assert Counter(version.actor for version in versions) == {
        f"writer {each}": EACH for each in range(WRITERS)
    }
    assert Counter(version.stage for version in versions) == {"production": 1, "retired": WRITERS * EACH - 1}
    stages: dict[int, str] = {}
    for change in registry.history("trial"):
        stages[change.version] = change.stage
        assert list(stages.values()).count("production") <= 1
    assert sorted(each.name for each in versions[0].folder.parent.iterdir()) == sorted(
        str(version.version) for version in versions
    )
    assert all(registry.load(version).version == version for version in versions)


def test_threads_that_want_the_same_model_load_it_once(
    registry: ModelRegistry, version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quantflux.learning.registry import gate

    tries: list[Any] = []
    predictions_of = gate.predictions_of
    monkeypatch.setattr(gate, "predictions_of", lambda *a, **k: (tries.append(a), predictions_of(*a, **k))[1])

    with ThreadPoolExecutor(4) as pool:
        models = list(pool.map(registry.load, [version] * 4))

    assert len(tries) == 1 and len({id(model) for model in models}) == 1


@pytest.mark.usefixtures("tried_here")
def test_few_models_are_kept_in_memory(
    registry: ModelRegistry, version: ModelVersion, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantflux.learning.registry.registry._MOST_LOADED", 2)
    for _ in range(2):
        registry.import_folder(version.folder, actor="bob")
    versions = registry.list()

    models = [registry.load(each) for each in versions]

    assert registry.load(versions[2]) is models[2] and registry.load(versions[1]) is models[1]
    assert registry.load(versions[0]) is not models[0]


def test_a_registry_that_was_moved_is_the_same(
    registry: ModelRegistry, version: ModelVersion, tmp_path: Path, clock: FixedClock
) -> None:
    shutil.move(version.folder.parents[2], tmp_path / "moved")

    there = ModelRegistry(tmp_path / "moved", clock).get("trial")

    assert (there.digest, there.folder) == (version.digest, tmp_path / "moved" / "models" / "trial" / "1")
