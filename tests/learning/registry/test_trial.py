"""What the process may do that tries a model, and what becomes of one that breaks it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantflux.core.errors import MissingDependency, StoreCorrupt
from quantflux.learning.registry import Limits, trial
from quantflux.learning.registry.child import answer_to

TELLS = """
import json, os, resource, sys
import runpy
limit = runpy.run_path(CHILD)["limit"]
request = json.load(sys.stdin)
limit(request["memory"], request["seconds"])
told = {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name))[0] for name in ("AS", "CPU", "CORE")}
print(json.dumps({"problem": json.dumps([told, dict(os.environ), os.getcwd(), sorted(os.listdir("/proc/self/fd"))])}))
"""


def _tried(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str, limits: Limits) -> np.ndarray:
    """Run another script in the place of the child."""
    path = folder / "script.py"
    path.write_text(f"CHILD = {str(trial._CHILD)!r}\n{script}")
    monkeypatch.setattr(trial, "_CHILD", path)
    rows = np.zeros((2, 3), np.float32)
    return trial.predictions_of(folder, "lightgbm", rows, missing=True, size=1000, limits=limits)


def test_it_knows_no_secret_and_has_little(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QUANTFLUX_TOKEN", "secret")
    with pytest.raises(StoreCorrupt) as refused, (tmp_path / "open").open("w"):
        _tried(monkeypatch, tmp_path, TELLS, Limits(seconds=3, memory=1 << 30))

    text = str(refused.value).removeprefix("the model cannot be used: ")
    limits, environment, folder, handles = json.loads(text)
    assert limits == {"AS": (1 << 30) + 8000, "CPU": 3, "CORE": 0}
    assert "secret" not in text
    assert set(environment) - {"LC_CTYPE"} == {
        *(
            "PYTHONPATH",
            "PYTHONDONTWRITEBYTECODE",
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "MKL_NUM_THREADS",
        )
    }
    assert folder == "/" and len(handles) == 4  # the last lists the folder itself


LIMITED = """
import json, sys
import runpy
limit = runpy.run_path(CHILD)["limit"]
limit({memory}, {seconds})
{rest}
"""


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (
            LIMITED.format(memory=4 << 30, seconds=1, rest="while True: pass"),
            "more than 1 s of processor time",
        ),
        (LIMITED.format(memory=1 << 30, seconds=5, rest="x = bytearray(2 << 30)"), "MemoryError"),
        ("import os; os.abort()", r"it ended the process that tried it \(SIGABRT\)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"\(SIGSEGV\)"),
        ("import sys; sys.exit(3)", "ended with 3"),
        ("print('[]')", "gave no answer"),
        ("print('{}')", "gave no answer"),
        ("print('x' * 10_000_000)", "gave no answer"),
        ("""print('{"predictions": ["0x1p0", 7]}')""", "gave no answer"),
        ("import sys; sys.exit('the\\x1b[31m last\\nwords')", "its last words were 'words'"),
        ("import sys; sys.exit('red\\x1b[31m')", r"its last words were 'red\?\[31m'"),
    ],
)
def test_whatever_becomes_of_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, says: str
) -> None:
    with pytest.raises(StoreCorrupt, match=says):
        _tried(monkeypatch, tmp_path, script, Limits(seconds=1))


def test_one_that_only_waits_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(StoreCorrupt, match=r"it was not loaded within 0\.5 s"):
        _tried(monkeypatch, tmp_path, "import time; time.sleep(60)", Limits(patience=0.5))


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(MissingDependency, match=r"quantflux\[xgboost\]"):
        _tried(monkeypatch, tmp_path, """print('{"missing": ["xgboost", "xgboost"]}')""", Limits())


def test_what_a_file_leads_to_may_not_unpickle_or_run_programs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = """
import json, os, pickle, socket, subprocess, sys
import runpy
sys.addaudithook(runpy.run_path(CHILD)["_refuse"])
done = []
for step in (
    lambda: pickle.loads(pickle.dumps(os.getcwd)),
    lambda: os.system("true"),
    lambda: subprocess.run(["true"]),
    lambda: socket.create_connection(("127.0.0.1", 9)),
    lambda: os.fork(),
):
    try:
        step()
        done.append("done")
    except PermissionError as error:
        done.append(str(error).split()[-1])
print(json.dumps({"problem": " ".join(done)}))
"""
    with pytest.raises(StoreCorrupt) as refused:
        _tried(monkeypatch, tmp_path, script, Limits())

    assert str(refused.value).endswith("pickle.find_class os.system subprocess.Popen socket.connect os.fork")


class Fake:
    """Predicts what it is told to."""

    def __init__(self, predicted: Any) -> None:
        self.predicted = predicted
        self.seen: list[np.ndarray] = []

    def predict(self, features: np.ndarray) -> Any:
        self.seen.append(features)
        return self.predicted(features)


def _answer(monkeypatch: pytest.MonkeyPatch, fake: Fake, *, missing: bool = True) -> dict[str, Any]:
    monkeypatch.setattr("quantflux.learning.models.load", lambda *_, **__: fake)
    rows = [[float(value).hex() for value in row] for row in ((1.0, 2.0), (3.0, float("nan")))]
    return answer_to({"folder": "/nowhere", "kind": "fake", "rows": rows, "missing": missing})


def test_the_answer_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    told = _answer(monkeypatch, Fake(lambda x: np.nan_to_num(x).sum(axis=1) / 3))

    assert [float.fromhex(each) for each in told["predictions"]] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("predicted", "says"),
    [
        (lambda x: np.where(x[:, 0] > 1.5, np.nan, 1.0), "plain rows got no finite prediction"),
        (lambda x: np.zeros(3), "512 rows got predictions of shape (3,)"),
        (lambda x: np.zeros((len(x), 2)), "512 rows got predictions of shape (512, 2)"),
        (lambda x: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_more_rows_are_tried_than_are_compared(
    monkeypatch: pytest.MonkeyPatch, predicted: Any, says: str
) -> None:
    assert says in _answer(monkeypatch, Fake(predicted))["problem"]


@pytest.mark.parametrize("missing", [True, False])
def test_values_are_missing_only_where_they_may_be(monkeypatch: pytest.MonkeyPatch, missing: bool) -> None:
    fake = Fake(lambda x: np.zeros(len(x)))

    _answer(monkeypatch, fake, missing=missing)

    plain, odd, canaries = fake.seen
    assert np.isfinite(plain).all() and np.isnan(odd).any() == missing
    assert np.abs(odd[np.isfinite(odd)]).max() > 1e6
    assert canaries.shape == (2, 2)
