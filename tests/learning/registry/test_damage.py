"""Damaged models: whatever happens to a file, this process lives and the last good model predicts."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import InvalidRequest, NotFound, StoreCorrupt
from quantflux.learning.registry import ModelRegistry, ModelVersion
from tests.learning.registry import trained
from tests.learning.registry.damage import MODEL, mutant, signed


def _again(registry: ModelRegistry, version: ModelVersion, clock: FixedClock) -> ModelRegistry:
    """Return a registry of the same folder that has loaded nothing yet."""
    return ModelRegistry(version.folder.parents[2], clock)


@pytest.mark.usefixtures("never_tried")
@pytest.mark.parametrize(
    "name", [MODEL, "predictor/predictor.json", "scaler.json", "canary.json", "manifest.json"]
)
def test_a_file_that_has_changed_is_not_tried(
    registry: ModelRegistry, version: ModelVersion, name: str
) -> None:
    content = (version.folder / name).read_bytes()
    changed = [each for each in (mutant(content, seed) for seed in range(40)) if each != content]

    for each in changed:
        (version.folder / name).write_bytes(each)
        with pytest.raises(StoreCorrupt):
            registry.load(version)

    assert len(changed) > 30


def _survives(registry: ModelRegistry, template: Path, folder: Path, seeds: range) -> int:
    """Import mutants that are signed; return how many were refused."""
    whole = (template / "models" / "trial" / "1" / MODEL).read_bytes()
    expected = registry.serving("trial").model.predict(trained.sample().features())

    def refused(seed: int) -> bool:
        place = folder / f"mutant {seed}"
        shutil.copytree(template / "models" / "trial" / "1", place)
        (place / MODEL).write_bytes(mutant(whole, seed))
        signed(place)
        try:
            registry.import_folder(place, actor="mallory")
        except InvalidRequest:
            return True
        return False

    with ThreadPoolExecutor(2) as pool:
        count = sum(pool.map(refused, seeds))
    serving = registry.serving("trial")
    assert serving.model.version.version == 1 and not serving.problem
    np.testing.assert_array_equal(serving.model.predict(trained.sample().features()), expected)
    assert len(registry.list()) == 1 + len(seeds) - count
    return count


def test_mutants_do_no_harm(registry: ModelRegistry, template: Path, tmp_path: Path) -> None:
    registry.promote("trial", 1, "production", reason="good", actor="ada")

    assert _survives(registry, template, tmp_path, range(40)) >= 38


@pytest.mark.slow
def test_a_thousand_mutants_do_no_harm(registry: ModelRegistry, template: Path, tmp_path: Path) -> None:
    registry.promote("trial", 1, "production", reason="good", actor="ada")

    assert _survives(registry, template, tmp_path, range(1000, 2000)) >= 970


@pytest.fixture
def served(registry: ModelRegistry, outside: Path) -> ModelRegistry:
    """Versions 1 to 3: the last in production, the others replaced."""
    for number in (1, 2, 3):
        if number > 1:
            registry.import_folder(outside, actor="bob")
        registry.promote("trial", number, "production", reason="newer", actor="ada")
    return registry


def _damage(version: ModelVersion) -> None:
    (version.folder / MODEL).write_bytes(b"tree\n")


@pytest.mark.usefixtures("tried_here")
def test_the_version_replaced_last_stands_in(
    served: ModelRegistry, version: ModelVersion, clock: FixedClock
) -> None:
    fresh = _again(served, version, clock)
    _damage(served.get("trial", 3))

    serving = fresh.serving("trial")

    assert serving.model.version.version == 2
    assert serving.problem.startswith("trial version 3 is in production but cannot be used: ")
    assert "model.txt is damaged" in serving.problem and "trial version 2 predicts instead" in serving.problem
    assert fresh.get("trial").version == 3  # nobody has decided otherwise


@pytest.mark.usefixtures("tried_here")
def test_what_was_retired_by_hand_never_stands_in(
    served: ModelRegistry, version: ModelVersion, clock: FixedClock
) -> None:
    served.promote("trial", 2, "production", reason="back", actor="ada")
    served.promote("trial", 2, "retired", reason="it is wrong", actor="ada")
    served.promote("trial", 3, "production", reason="again", actor="ada")
    _damage(served.get("trial", 3))

    assert _again(served, version, clock).serving("trial").model.version.version == 1


@pytest.mark.usefixtures("tried_here")
def test_what_is_loaded_goes_on_predicting(served: ModelRegistry) -> None:
    before = served.serving("trial")
    for version in served.list("trial"):
        _damage(version)

    assert served.serving("trial").model is before.model


@pytest.mark.usefixtures("tried_here")
def test_what_this_process_served_stands_in_first(served: ModelRegistry, outside: Path) -> None:
    served.promote("trial", 1, "production", reason="back", actor="ada")
    before = served.serving("trial").model
    newest = served.import_folder(outside, actor="bob")
    served.promote("trial", newest.version, "production", reason="newer", actor="ada")
    served._loaded.clear()
    _damage(newest)

    serving = served.serving("trial")

    assert serving.model is before and "trial version 1 predicts instead" in serving.problem


@pytest.mark.usefixtures("tried_here")
def test_without_a_good_version_there_is_no_model(
    served: ModelRegistry, version: ModelVersion, clock: FixedClock
) -> None:
    for each in served.list("trial"):
        _damage(each)

    with pytest.raises(StoreCorrupt, match=r"trial/3.* is damaged"):
        _again(served, version, clock).serving("trial")


def test_without_a_version_in_production_there_is_no_model(registry: ModelRegistry) -> None:
    with pytest.raises(NotFound, match=r"trial has no in stage production|no version in stage production"):
        registry.serving("trial")


@pytest.mark.usefixtures("tried_here")
def test_a_damaged_version_does_not_come_to_production(served: ModelRegistry) -> None:
    served.load(served.get("trial", 1))  # what was loaded before does not count
    _damage(served.get("trial", 1))

    with pytest.raises(StoreCorrupt):
        served.promote("trial", 1, "production", reason="back", actor="ada")

    assert served.get("trial").version == 3
