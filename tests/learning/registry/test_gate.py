"""What a folder of a model may not be, and that nothing of it is believed before that is known."""

from __future__ import annotations

import ast
import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

import quantflux
from quantflux.core.clock import FixedClock
from quantflux.core.errors import InvalidRequest, StoreCorrupt
from quantflux.learning.registry import ModelRegistry, ModelVersion
from quantflux.learning.registry.boosted import problem_of_boosted
from tests.learning.registry import trained
from tests.learning.registry.damage import MODEL, edit, signed


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def _saved(save: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    save(file)
    return file.getvalue()


def _zip(**members: bytes) -> bytes:
    def save(file: io.BytesIO) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name.replace("__", "/"), content)

    return _saved(save)


def _tar(content: bytes) -> bytes:
    def save(file: io.BytesIO) -> None:
        with tarfile.open(fileobj=file, mode="w") as archive:
            info = tarfile.TarInfo("model")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))

    return _saved(save)


def _hidden_behind(head: bytes, bomb: bytes) -> bytes:
    """Return a pickle that begins like a model of CatBoost: `C` is a short text of `B` = 66 bytes, `0` drops it."""
    return head + b"x" * (2 + 66 - len(head)) + b"0" + bomb[2:]


PICKLES: dict[str, Callable[[bytes, Bomb], bytes]] = {
    **{f"protocol {p}": lambda _, bomb, p=p: pickle.dumps(bomb, p) for p in range(6)},
    "joblib": lambda _, bomb: _saved(lambda file: joblib.dump(bomb, file)),
    "joblib, compressed": lambda _, bomb: _saved(lambda file: joblib.dump(bomb, file, compress=3)),
    "torch": lambda raw, _: _zip(archive__data_pkl=raw, archive__version=b"3"),
    "numpy": lambda _, bomb: _saved(lambda file: np.save(file, np.array([bomb], dtype=object))),
    "numpy, many": lambda _, bomb: _saved(lambda file: np.savez(file, a=np.array([bomb], dtype=object))),
    "gzip": lambda raw, _: gzip.compress(raw),
    "bz2": lambda raw, _: bz2.compress(raw),
    "xz": lambda raw, _: lzma.compress(raw),
    "zlib": lambda raw, _: zlib.compress(raw),
    "tar": lambda raw, _: _tar(raw),
    "behind CatBoost's first letters": lambda raw, _: _hidden_behind(b"CB", raw),
}


@pytest.mark.usefixtures("never_tried")
@pytest.mark.parametrize("disguise", PICKLES)
@pytest.mark.parametrize("ending", [".txt", ".json", ".cbm", ".onnx", ".pkl", ".skops", ".npz"])
def test_no_pickle_is_a_model(
    registry: ModelRegistry, outside: Path, tmp_path: Path, disguise: str, ending: str
) -> None:
    bomb = Bomb(tmp_path / "went off")
    content = PICKLES[disguise](pickle.dumps(bomb), bomb)
    (outside / MODEL).unlink()
    (outside / MODEL).with_suffix(ending).write_bytes(content)
    signed(outside)

    with pytest.raises(InvalidRequest, match=r"not what its ending says|of no kind that a model has"):
        registry.import_folder(outside, actor="mallory")

    assert not bomb.path.exists()
    assert len(registry.list()) == 1


def test_the_bombs_do_go_off(tmp_path: Path) -> None:
    for place, make in enumerate((PICKLES["protocol 4"], lambda raw, _: _hidden_behind(b"CBM1", raw))):
        bomb = Bomb(tmp_path / f"went off {place}")

        pickle.loads(make(pickle.dumps(bomb), bomb))

        assert bomb.path.exists()


@pytest.mark.slow  # CatBoost takes seconds to begin
def test_a_pickle_that_looks_like_catboost_is_only_ever_read_as_catboost(
    registry: ModelRegistry, outside: Path, tmp_path: Path
) -> None:
    bomb = Bomb(tmp_path / "went off")
    (outside / MODEL).unlink()
    (outside / "predictor" / "model.cbm").write_bytes(_hidden_behind(b"CBM1", pickle.dumps(bomb)))
    for name in ("manifest.json", "spec.json", "predictor/predictor.json"):
        edit(outside, name, kind="catboost")
    edit(outside, "spec.json", parameters={})
    signed(outside)

    with pytest.raises(InvalidRequest, match=r"the model cannot be used: .*(?i:catboost|model\.cbm)"):
        registry.import_folder(outside, actor="mallory")

    assert not bomb.path.exists()


ARCHIVES: dict[str, bytes] = {
    "skops": _zip(schema_json=b'{"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"}'),
    "skops that grows": _zip(schema_json=b"{}", a_npy=b"\0" * 10_000_000),
    "zip with a way out": _zip(**{"..__..__model.txt": b"tree"}),
    # Field 7 is the graph, and in it a tensor whose data lie in another file.
    "onnx": b"\x08\x07\x12\x03abc:\x22*\x20j\x15\n\x08location\x12\t../passwd p\x01",
    "hdf5": b"\x89HDF\r\n\x1a\n" + b"\0" * 64,
}


@pytest.mark.usefixtures("never_tried")
@pytest.mark.parametrize("archive", ARCHIVES)
@pytest.mark.parametrize("ending", [".txt", ".json", ".cbm", ".skops", ".onnx", ".h5", ".zip", ""])
def test_no_archive_is_a_model(registry: ModelRegistry, outside: Path, archive: str, ending: str) -> None:
    (outside / MODEL).unlink()
    (outside / MODEL).with_suffix(ending).write_bytes(ARCHIVES[archive])
    signed(outside)

    with pytest.raises(InvalidRequest, match=r"not what its ending says|of no kind that a model has"):
        registry.import_folder(outside, actor="mallory")


def test_nothing_that_learns_can_unpickle() -> None:
    can = {"pickle", "cPickle", "_pickle", "joblib", "dill", "cloudpickle", "torch", "marshal", "shelve"}
    for path in (Path(quantflux.__file__).parent / "learning").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not can & {name.split(".")[0] for name in names}, path


def _text(old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / MODEL
        text = path.read_text()
        assert old in text
        # Of the trees' sizes nothing must be said, as they would tell of the change.
        lines = text.replace(old, new, 1).split("\n")
        path.write_text("\n".join(line for line in lines if not line.startswith("tree_sizes")))

    return change


SEVEN = "left_child=1 4 -2 -3 5 -1"


@pytest.mark.usefixtures("never_tried")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_text(SEVEN, "left_child=1 4 -2 -3 4 -1"), "tree 0: it leads back"),
        (_text(SEVEN, "left_child=0 4 -2 -3 5 -1"), "tree 0: it leads back"),
        (_text(SEVEN, "left_child=1 4 -2 -3 6 -1"), "leads to a node that is not there"),
        (_text(SEVEN, "left_child=1 4 -8 -3 5 -1"), "leads to a node that is not there"),
        (_text(SEVEN, "left_child=1 4 -2 -3 5"), "left_child has 5 numbers and should have 6"),
        (_text(SEVEN, "left_child=1 4 -2 -3 5 -1_0"), "left_child holds what is no number"),
        (_text(SEVEN, f"{SEVEN}\n{SEVEN}"), "a line is there twice"),
        (_text("split_feature=1 ", "split_feature=3 "), "splits a feature that is not there"),
        (_text("split_feature=1 ", "split_feature=-1 "), "splits a feature that is not there"),
        (_text("max_feature_idx=2", "max_feature_idx=1"), "feature_names has not 2 entries"),
        (_text("max_feature_idx=2", "max_feature_idx=99999999999"), "it has 100000000000 features"),
        (_text("num_leaves=7", "num_leaves=2000000000"), "leaf_value has 7 numbers"),
        (_text("num_cat=0", "num_cat=1"), "categories"),
        (_text("is_linear=0", "is_linear=1"), "categories"),
        (_text("decision_type=10", "decision_type=11"), "decides in an unknown way"),
        (_text("threshold=0", "threshold=nan"), "threshold holds what is no number"),
        (_text("leaf_value=0", "leaf_value=inf 0"), "leaf_value has 8 numbers"),
        (_text("Tree=1", "Tree=7"), "tree 1 is called 7"),
        (_text("num_tree_per_iteration=1", "num_tree_per_iteration=4"), "do not agree|for 4 scores"),
        (_text("end of trees", "end of"), "does not end with 'end of trees'"),
        # What may follow was seen to end the process when it is damaged, and not each time.
        (
            _text("end of trees", "end of trees\n\nparameters:\n[boosting: gbdt]"),
            "does not end with 'end of trees'",
        ),
        (_text("objective=regression", "objective=-regression"), "objective is '-regression'"),
        (
            _text("label_index=0", "label_index=0\nmonotone_constraints=1 0 0"),
            "has the line 'monotone_constraints'",
        ),
        (_text("num_cat=0", "num_cat=0\ncat_threshold=1 2"), "has the line 'cat_threshold'"),
        (_text("version=v4", "version=v9"), "version is 'v9'"),
    ],
)
def test_trees_that_cannot_be_walked(
    registry: ModelRegistry, outside: Path, change: Callable[[Path], None], says: str
) -> None:
    change(outside)
    signed(outside)

    with pytest.raises(InvalidRequest, match=says):
        registry.import_folder(outside, actor="mallory")


def test_trees_without_their_sizes_are_trees(registry: ModelRegistry, outside: Path) -> None:
    _text(SEVEN, SEVEN)(outside)
    signed(outside)

    assert registry.import_folder(outside, actor="bob").version == 2


def _link(folder: Path) -> None:
    shutil.move(folder / MODEL, folder.with_name("elsewhere"))
    (folder / MODEL).symlink_to(folder.with_name("elsewhere"))


def _linked_folder(folder: Path) -> None:
    shutil.move(folder / "predictor", folder.with_name("elsewhere"))
    (folder / "predictor").symlink_to(folder.with_name("elsewhere"))


def _pipe(folder: Path) -> None:
    (folder / MODEL).unlink()
    os.mkfifo(folder / MODEL)


def _named(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text())
        files = {**manifest["files"], name: manifest["files"][MODEL]}
        edit(folder, "manifest.json", files=files)

    return change


STRANGE_FOLDERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "one more": (lambda folder: (folder / "predictor" / "more.txt").write_text("x"), "does not name"),
    "one more, hidden": (lambda folder: (folder / ".more").write_text("x"), "does not name"),
    "one more folder": (lambda folder: (folder / "more").mkdir(), "a link or folder that no model has"),
    "one less": (lambda folder: (folder / "scaler.json").unlink(), r"lacks the file 'scaler\.json'"),
    "a link": (_link, "a link or folder that no model has"),
    "a folder elsewhere": (_linked_folder, "a link or folder that no model has"),
    "a pipe": (_pipe, "a link or folder that no model has"),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "cannot be read"),
    "a list": (lambda folder: (folder / "manifest.json").write_text("[]"), "not the manifest of a model"),
    "deep": (
        lambda folder: (folder / "manifest.json").write_text("[" * 100_000),
        "not the manifest of a model",
    ),
    "shorter": (lambda folder: os.truncate(folder / MODEL, 100), "is damaged"),
    "longer": (lambda folder: os.truncate(folder / MODEL, 1 << 20), "is damaged"),
    "another id": (lambda folder: edit(folder, "manifest.json", id="../../evil"), "no model can be called"),
    "a name that paints": (
        lambda folder: edit(folder, "manifest.json", name="\x1b[31mred"),
        "characters that can be shown",
    ),
    "another kind": (lambda folder: edit(folder, "manifest.json", kind="os.path"), "kind"),
    "other features": (lambda folder: edit(folder, "manifest.json", features={"x": "y"}), "feature_hash"),
    "an unknown key": (lambda folder: edit(folder, "manifest.json", run="ls"), "run"),
    **{
        repr(name): (_named(name), "no file of a model can be called|a model has no file")
        for name in (
            *(
                "../model.txt",
                "predictor/../../model.txt",
                "/etc/passwd",
                "predictor\\model.txt",
                "predictor//a.txt",
            ),
            *(
                "predictor/",
                "",
                ".",
                "predictor/.hidden.txt",
                "predictor/a/b/c/d.txt",
                "other/model.txt",
                "a.txt",
            ),
            *(
                "predictor/a\n.txt",
                "predictor/a\0.txt",
                "predictor/-rf.txt",
                "predictor/=1+1.txt",
                "manifest.json",
            ),
        )
    },
}


@pytest.mark.usefixtures("never_tried")
@pytest.mark.parametrize("strange", STRANGE_FOLDERS)
def test_a_folder_holds_what_its_manifest_names_and_nothing_else(
    registry: ModelRegistry, outside: Path, strange: str
) -> None:
    change, says = STRANGE_FOLDERS[strange]
    change(outside)

    with pytest.raises(InvalidRequest, match=says):
        registry.import_folder(outside, actor="mallory")

    assert len(registry.list()) == 1
    assert {each.name for each in registry.get("trial").folder.parent.iterdir()} == {"1"}


def _canary(place: int, value: float) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        predictions = json.loads((folder / "canary.json").read_text())["predictions"]
        moved = float.fromhex(predictions[place]) + value
        predictions[place] = moved.hex()
        edit(folder, "canary.json", predictions=predictions)

    return change


def _narrow_canary(folder: Path) -> None:
    rows = json.loads((folder / "canary.json").read_text())["features"]
    edit(folder, "canary.json", features=[row[:2] for row in rows])


OTHER_MODELS: dict[str, tuple[Callable[[Path], object], str]] = {
    "differs by more than 1e-12": (_canary(3, 2e-12), "1 of 16 checks differ"),
    "was no number": (_canary(0, float("nan")), "15 finite predictions"),
    "was infinite": (_canary(0, float("inf")), "15 finite predictions"),
    "rows of other features": (_narrow_canary, "16, 2"),
    "no rows": (lambda folder: edit(folder, "canary.json", features=[], predictions=[]), "does not hold"),
    "rows of texts": (lambda folder: edit(folder, "canary.json", features=[["a"]]), "does not hold"),
    "another scaler": (lambda folder: edit(folder, "scaler.json", centre=[9.0, 9.0, 9.0]), "checks differ"),
    "a narrow scaler": (
        lambda folder: edit(folder, "scaler.json", centre=[0.0], scale=[1.0]),
        "2 features|scaler",
    ),
    "no scaler": (lambda folder: (folder / "scaler.json").write_text("{}"), "scaler"),
    "another specification": (lambda folder: edit(folder, "spec.json", id="other"), "the lightgbm other"),
    "another task": (lambda folder: edit(folder, "spec.json", task="ranking"), "does not hold"),
    "a specification of nothing": (lambda folder: (folder / "spec.json").write_text("{}"), "does not hold"),
    "a reference of two features": (
        lambda folder: (folder / "reference.json").write_text(json.dumps(trained.reference(2).to_dict())),
        "2 features; valid are 3",
    ),
    "a reference of nothing": (
        lambda folder: (folder / "reference.json").write_text('{"missing": 1}'),
        "not hold",
    ),
    "more features": (lambda folder: edit(folder, "predictor/predictor.json", features=4), "3 features"),
    "a task it cannot do": (
        lambda folder: edit(folder, "predictor/predictor.json", task="classification"),
        "classification with 0 classes",
    ),
}


@pytest.mark.parametrize("other", OTHER_MODELS)
@pytest.mark.usefixtures("tried_here")
def test_a_model_must_be_the_one_that_it_says(registry: ModelRegistry, outside: Path, other: str) -> None:
    change, says = OTHER_MODELS[other]
    change(outside)
    signed(outside)

    with pytest.raises(InvalidRequest, match=says):
        registry.import_folder(outside, actor="mallory")

    assert len(registry.list()) == 1


def test_a_difference_that_is_none_is_forgiven(registry: ModelRegistry, outside: Path) -> None:
    _canary(3, 1e-15)(outside)
    signed(outside)

    assert registry.import_folder(outside, actor="bob").version == 2


@pytest.mark.usefixtures("tried_here")
def test_a_model_is_not_promoted_for_other_features(registry: ModelRegistry) -> None:
    right = dict(trained.about().digests)
    wrong = {
        "1 missing (gamma)": {name: right[name] for name in ("alpha", "beta")},
        "1 not learnt from (delta)": {**right, "delta": "new"},
        "1 computed otherwise (beta)": {**right, "beta": "changed"},
        "they are in another order": dict(reversed(right.items())),
    }

    for says, digests in wrong.items():
        with pytest.raises(InvalidRequest) as refused:
            registry.promote("trial", 1, "production", reason="good", actor="ada", digests=digests)
        assert says in str(refused.value)
        with pytest.raises(InvalidRequest):
            registry.load(registry.get("trial")).check_features(digests)
    assert registry.get("trial").stage == "candidate"
    done = registry.promote("trial", 1, "production", reason="good", actor="ada", digests=right)
    assert done.stage == "production"


@pytest.mark.usefixtures("never_tried")
def test_a_registered_version_is_never_another(registry: ModelRegistry, version: ModelVersion) -> None:
    edit(version.folder, "manifest.json", figures={"rank_ic": 0.9})

    with pytest.raises(StoreCorrupt, match="is not the one that was registered"):
        registry.load(version)


@pytest.mark.parametrize("name", ["../../etc", "a/../b", "/etc", "trial/../trial"])
def test_no_id_leads_out_of_the_registry(registry: ModelRegistry, name: str) -> None:
    with pytest.raises(LookupError, match="no model is called"):
        registry.get(name)


KINDS = [
    "ridge",
    *(pytest.param(kind, marks=pytest.mark.slow) for kind in trained.SMALL if kind != "lightgbm"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_models_of_all_kinds_pass(tmp_path: Path, clock: FixedClock, kind: str) -> None:
    _passes(tmp_path, clock, kind)


@pytest.mark.usefixtures("tried_here")
def test_a_model_of_models_has_folders_in_its_folder(tmp_path: Path, clock: FixedClock) -> None:
    _passes(tmp_path, clock, "ensemble")

    folder = ModelRegistry(tmp_path, clock).get("trial").folder / "predictor"
    assert (folder / "member_0" / "model.json").exists() and (folder / "member_1" / "model.txt").exists()


def _passes(tmp_path: Path, clock: FixedClock, kind: str) -> None:
    registry = ModelRegistry(tmp_path, clock)
    spec, predictor, scaler = trained.fitted(kind)
    features = trained.sample().features()

    loaded = registry.load(registry.add(spec, predictor, scaler, trained.about(), actor="ada"))

    assert loaded.predict(features).tobytes() == predictor.predict(scaler.apply(features)).tobytes()
    assert loaded.spec == spec


def _tree(**changed: Any) -> Callable[[dict[str, Any]], None]:
    """Change columns of the first tree, node by node."""

    def change(learner: dict[str, Any]) -> None:
        for name, (node, value) in changed.items():
            learner["gradient_booster"]["model"]["trees"][0][name][node] = value

    return change


def _set(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(learner: dict[str, Any]) -> None:
        for name in path[:-1]:
            learner = learner[name]
        learner[path[-1]] = value

    return change


def _in_model(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return _set("gradient_booster", "model", name, value=value)


@pytest.mark.usefixtures("never_tried")
def test_trees_of_xgboost_that_cannot_be_walked(
    registry: ModelRegistry, outside: Path, boosted: Path, clock: FixedClock
) -> None:
    changes: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
        "back to the root": (_tree(left_children=(1, 0)), "back to the root"),
        "round and round": (_tree(left_children=(1, 1)), "two ways lead to one node"),
        "too far": (_tree(right_children=(0, 99)), "leads to a node that is not there"),
        "before the first": (_tree(right_children=(0, -7)), "leads to a node that is not there"),
        "half a leaf": (_tree(left_children=(0, -1)), "leads to a node that is not there"),
        "a feature too many": (_tree(split_indices=(0, 3)), "splits a feature that is not there"),
        "a category": (_tree(split_type=(0, 1)), "a threshold, a value or a way is none"),
        "no value": (_tree(split_conditions=(0, float("inf"))), "a threshold, a value or a way is none"),
        "a text": (_tree(split_conditions=(0, "x")), "no sound trees"),
        "a class too many": (_in_model("tree_info", [0, 0, 5]), "do not belong to 1 scores"),
        "rounds too many": (_in_model("iteration_indptr", [0, 1, 2, 3, 4]), "its rounds are not those"),
        "no trees": (_in_model("trees", None), "no sound trees"),
        "other features": (_set("learner_model_param", "num_feature", value="4"), "it has other features"),
        "another booster": (_set("gradient_booster", "name", value="dart"), "it is a dart"),
    }
    for change, says in changes.values():
        values = json.loads(boosted.read_text())
        change(values["learner"])
        (outside / "predictor" / "model.json").write_text(json.dumps(values))
        signed(outside)

        with pytest.raises(InvalidRequest, match=says):
            registry.import_folder(outside, actor="mallory")


@pytest.fixture(scope="module")
def boosted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of XGBoost whose first tree splits twice or more."""
    folder = tmp_path_factory.mktemp("boosted")
    trained.fitted("xgboost")[1].save(folder)
    path = folder / "model.json"
    assert problem_of_boosted(json.loads(path.read_text())) == ""
    return path
