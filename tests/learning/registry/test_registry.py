from __future__ import annotations

import os
import sqlite3
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import InvalidRequest, NotFound, StoreCorrupt, StoreUnavailable
from quantflux.learning.registry import ModelRegistry, ModelVersion, check_model_id
from tests.learning.registry import trained


def test_a_new_registry_is_empty_and_reading_it_makes_no_file(tmp_path: Path, clock: FixedClock) -> None:
    registry = ModelRegistry(tmp_path / "new", clock)

    assert list(registry.list()) == []
    with pytest.raises(NotFound, match="no model is called 'trial'; there is none"):
        registry.get("trial")
    assert not (tmp_path / "new").exists()


def test_a_version_tells_what_was_told(version: ModelVersion) -> None:
    assert (version.label, version.stage, version.actor) == ("trial version 1", "candidate", "ada")
    assert (version.kind, version.task, version.seed) == ("lightgbm", "regression", 7)
    assert (version.first, version.last) == (date(2024, 1, 1), date(2024, 2, 29))
    assert version.cells == len(trained.sample())
    assert version.data_versions == {"daily_bars": 3}
    assert version.figures == {"rank_ic": 0.05, "days": 60, "none": None, "folds": [{"ic": 0.1}]}
    assert version.libraries["numpy"] == np.__version__


def test_what_is_loaded_predicts_to_the_bit_what_was_added(
    registry: ModelRegistry, version: ModelVersion
) -> None:
    _, predictor, scaler = trained.fitted()
    features = trained.sample().features()

    model = registry.load(version)

    assert model.predict(features).tobytes() == predictor.predict(scaler.apply(features)).tobytes()
    assert model.spec == trained.described(parameters=dict(trained.fitted()[0].parameters))
    assert list(model.digests) == list(trained.NAMES)
    np.testing.assert_array_equal(model.reference.deciles, trained.about().reference.deciles)
    assert registry.load(version) is model


@pytest.mark.usefixtures("tried_here")
def test_what_belongs_to_a_version_is_kept_before_anybody_sees_it(registry: ModelRegistry) -> None:
    seen: list[tuple[int, list[int]]] = []

    def keeping(made: ModelVersion) -> None:
        seen.append((made.version, [each.version for each in registry.list("trial")]))

    registry.add(*trained.fitted(), trained.about(), actor="ada", beside=keeping)

    assert seen == [(2, [1])]
    assert [each.version for each in registry.list("trial")] == [1, 2]


@pytest.mark.usefixtures("tried_here")
def test_there_is_no_version_if_what_belongs_to_it_cannot_be_kept(registry: ModelRegistry) -> None:
    def failing(made: ModelVersion) -> None:
        raise StoreUnavailable(f"{made.label} does not fit")

    folder = registry.get("trial").folder.parent
    with pytest.raises(StoreUnavailable, match="trial version 2 does not fit"):
        registry.add(*trained.fitted(), trained.about(), actor="ada", beside=failing)

    assert [each.version for each in registry.list("trial")] == [1]
    assert [each.version for each in registry.history("trial")] == [1]
    assert [path.name for path in folder.iterdir()] == ["1"]
    assert registry.add(*trained.fitted(), trained.about(), actor="ada").version == 2


@pytest.mark.usefixtures("tried_here")
def test_stages_are_a_history_that_goes_on(registry: ModelRegistry, clock: FixedClock, outside: Path) -> None:
    registry.import_folder(outside, actor="bob", reason="a second one")
    steps: list[dict[str, Any]] = [
        {"version": 1, "stage": "production", "reason": "first"},
        {"version": 2, "stage": "production", "reason": "better"},
        {"version": 1, "stage": "production", "reason": "back again"},
        {"version": 1, "stage": "retired", "reason": "the market changed"},
    ]

    for step in steps:
        clock.advance(60)
        registry.promote("trial", actor="eve", **step)
        assert sum(each.stage == "production" for each in registry.list("trial")) <= 1

    told = [(each.version, each.stage, each.reason, each.replaced_by) for each in registry.history("trial")]
    assert told == [
        (1, "candidate", "trained", None),
        (2, "candidate", "a second one", None),
        (1, "production", "first", None),
        (1, "retired", "replaced by version 2", 2),
        (2, "production", "better", None),
        (2, "retired", "replaced by version 1", 1),
        (1, "production", "back again", None),
        (1, "retired", "the market changed", None),
    ]
    assert registry.history("trial")[-1].at == datetime(2041, 1, 1, 0, 4, tzinfo=UTC)
    with pytest.raises(NotFound, match=r"no version in use; its versions are 1 \(retired\), 2 \(retired\)"):
        registry.get("trial")


@pytest.mark.usefixtures("tried_here")
def test_the_version_meant_is_that_in_production_or_the_newest_candidate(
    registry: ModelRegistry, outside: Path
) -> None:
    registry.import_folder(outside, actor="bob")

    assert registry.get("trial").version == 2
    registry.promote("trial", 1, "production", reason="good", actor="ada")
    assert registry.get("trial").version == 1
    assert registry.get("trial", stage="candidate").version == 2
    with pytest.raises(
        NotFound, match=r"trial has no version 3; its versions are 1 \(production\), 2 \(candidate\)"
    ):
        registry.get("trial", 3)
    with pytest.raises(NotFound, match="no model is called 'trail'; known are trial"):
        registry.get("trail")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"stage": "candidate"}, "cannot be brought to stage 'candidate'; valid are production and retired"),
        ({"stage": "live"}, "cannot be brought to stage 'live'"),
        ({"reason": "  "}, "the reason is '  '; valid are 1 to 500 characters"),
        ({"reason": "a\x1b[31mred"}, "characters that can be shown"),
        ({"actor": ""}, "the actor is ''"),
    ],
)
def test_a_change_must_make_sense(registry: ModelRegistry, change: dict[str, Any], says: str) -> None:
    asked: dict[str, Any] = {"version": 1, "stage": "retired", "reason": "done", "actor": "ada", **change}

    with pytest.raises(InvalidRequest) as refused:
        registry.promote("trial", **asked)

    assert says in str(refused.value)
    assert len(registry.history("trial")) == 1


def test_a_stage_is_not_come_to_twice(registry: ModelRegistry) -> None:
    registry.promote("trial", 1, "retired", reason="done", actor="ada")

    with pytest.raises(InvalidRequest, match="trial version 1 is at stage retired already, since 2041-01-01"):
        registry.promote("trial", 1, "retired", reason="done", actor="ada")


@pytest.mark.parametrize("table", ["model_versions", "model_stages"])
def test_nothing_in_the_file_can_be_rewritten(version: ModelVersion, table: str) -> None:
    with sqlite3.connect(version.folder.parents[2] / "registry.sqlite") as connection:
        for statement in (f"UPDATE {table} SET actor = 'nobody'", f"DELETE FROM {table}"):
            with pytest.raises(sqlite3.IntegrityError, match="only ever added"):
                connection.execute(statement)
    connection.close()


def test_a_broken_file_of_rows_is_named(registry: ModelRegistry, version: ModelVersion) -> None:
    path = version.folder.parents[2] / "registry.sqlite"
    path.write_bytes(b"not a database at all" * 100)

    with pytest.raises(StoreCorrupt, match=r"registry\.sqlite cannot be read"):
        registry.list()


@pytest.mark.parametrize("name", ["a", "Alpha158.lgb-5d_v2", "x" * 50])
def test_ids_that_can_be(name: str) -> None:
    assert check_model_id(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "a\\b",
            "/etc",
            ".hidden",
            "~root",
            "a b",
            "a\n",
            "a\0",
            "a:b",
            "a%2e",
        ),
        *("1st", "=1+1", "+a", "-a", "@a", "x" * 51, "模型"),
    ],
)
def test_ids_that_cannot(name: str) -> None:
    with pytest.raises(InvalidRequest, match="no model can be called"):
        check_model_id(name)


def test_parts_of_different_models_are_not_kept(tmp_path: Path, clock: FixedClock) -> None:
    registry = ModelRegistry(tmp_path, clock)
    few = dict.fromkeys(["alpha", "beta"], "digest")
    narrow = trained.about(digests=few, canaries=np.zeros((4, 2), np.float32), reference=trained.reference(2))

    with pytest.raises(InvalidRequest, match="wants 3 features, its scaler 3, and the training names 2"):
        registry.add(*trained.fitted(), narrow, actor="ada")

    assert not list(tmp_path.rglob(".new-*"))
    assert list(registry.list()) == []


def test_a_training_must_be_of_one_width() -> None:
    with pytest.raises(InvalidRequest, match=r"names 3 features, has canaries of shape \(4, 2\)"):
        trained.about(canaries=np.zeros((4, 2), np.float32))


def test_a_model_that_says_nothing_is_not_kept(tmp_path: Path, clock: FixedClock) -> None:
    blind = trained.about(canaries=np.full((3, 3), np.nan, np.float32))

    with pytest.raises(InvalidRequest, match="no finite prediction for 3 of 3 cells"):
        ModelRegistry(tmp_path, clock).add(*trained.fitted(), blind, actor="ada")


@pytest.mark.usefixtures("tried_here")
def test_what_a_killed_writer_left_is_taken_away(
    registry: ModelRegistry, version: ModelVersion, outside: Path
) -> None:
    beside = version.folder.parent
    (beside / "2").mkdir()
    (beside / "2" / "half").write_text("written")
    for name, age in ((".new-long-ago", 100_000), (".new-just-now", 100)):
        (beside / name).mkdir()
        then = beside.stat().st_mtime - age
        os.utime(beside / name, (then, then))

    added = registry.import_folder(outside, actor="bob")

    assert added.version == 2 and not (beside / "2" / "half").exists()
    assert sorted(each.name for each in beside.iterdir()) == [".new-just-now", "1", "2"]
    assert registry.load(added).version == added


@pytest.mark.usefixtures("tried_here")
def test_where_nothing_can_be_written_it_says_so(tmp_path: Path, clock: FixedClock, outside: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StoreUnavailable, match="cannot be written"):
        ModelRegistry(tmp_path / "file", clock).import_folder(outside, actor="bob")
