"""`quantflux model`: from files to models and back, what it prints, and how it says no."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from quantflux.cli import app as root
from quantflux.learning.specification import read_specification
from tests.cli.test_factor import Answer, flat
from tests.learning.in_process import tried_here  # noqa: F401 - a fixture
from tests.portfolio.markets import LAST, market_folder  # noqa: F401 - a fixture

Command = Callable[..., Answer]

MODEL = """id = "reversal"
kind = "ridge"
[features]
names = ["reversal_20", "ts_std(close / delay(close, 1), 10)"]
scale = "standard"
missing = "median"
[label]
horizon = 3
[split]
train = 120
valid = 20
test = 60
"""
SEARCHED = MODEL.replace("ridge", "elastic_net").replace('"reversal"', '"searched"')


@pytest.fixture(scope="module")
def folder(market_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """A data folder of the synthetic market to which models may be added."""
    return Path(shutil.copytree(market_folder, tmp_path_factory.mktemp("models") / "data"))


@pytest.fixture
def model(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run `quantflux model ARGUMENTS` in this process, in a folder of its own and a terminal of 80 columns."""
    monkeypatch.setenv("QUANTFLUX_DATA_DIR", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("quantflux.cli.context.log_to_stderr", lambda level, form: None)

    def call(*arguments: str, code: int = 0) -> Answer:
        monkeypatch.setattr("quantflux.cli.model_tables.answers", Console(width=80, highlight=False))
        monkeypatch.setattr(sys, "argv", ["quantflux", "model", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            root.main()
        found = capsys.readouterr()
        ended = left.value.code or 0
        assert ended == code, found.err or found.out
        return Answer(int(ended), found.out, found.err)

    return call


@pytest.fixture
def trained(model: Command, folder: Path) -> Answer | None:
    """A model there is: what was said when it was trained, if that was now."""
    if (folder / "models" / "models" / "reversal").exists():
        return None
    Path("m.toml").write_text(MODEL)
    return model("train", "m.toml", "--control", "--report", "told.html")


def told(answer: Answer) -> dict[str, object]:
    found: dict[str, object] = json.loads(answer.out, parse_constant=pytest.fail)
    return found


def test_init_writes_a_model_file_once(model: Command) -> None:
    model("init", "new/first.toml")

    assert read_specification(Path("new/first.toml")).id == "alpha158_5d"
    assert "give --force" in model("init", "new/first.toml", code=1).err
    model("init", "new/first.toml", "--force")
    assert "ends with .toml" in model("init", "first.yaml", code=1).err


def test_training_shows_folds_figures_and_luck_in_80_columns(model: Command) -> None:
    Path("m.toml").write_text(MODEL.replace('"reversal"', '"shown"'))

    answer = model("train", "m.toml", "--control", "--report", "told.html")

    lines = answer.out.splitlines()
    tables = [line for line in lines if not line.startswith(("The mean", "kept as"))]
    assert max(map(len, tables)) <= 80
    assert flat(lines[1]) == "learnt until tested until cells rounds valid test"
    assert len(flat(lines[2]).split()) == 8
    heads = next(line for line in lines if "shuffled labels" in line)
    assert flat(heads) == "found shuffled labels"
    verdicts = next(line for line in lines if line.startswith("verdict"))
    assert verdicts.count("noise") >= 1
    assert lines[-1].startswith(
        "kept as shown version 1, a candidate; use it with: quantflux model promote shown 1"
    )
    page = Path("told.html").read_text(encoding="utf-8")
    assert "shown version 1" in page and flat(lines[2]).split()[2] in page


def test_a_model_is_listed_shown_and_judged(model: Command, trained: Answer | None) -> None:
    listed = model("list").out.splitlines()
    assert flat(listed[0]) == "model version stage kind learnt until RankIC t verdict"
    assert any(flat(line).startswith("reversal ") for line in listed)

    shown = model("show", "reversal").out
    assert "ridge, regression, seed 0" in shown and "reversal_20" in shown
    found = told(model("show", "reversal", "--version", "1", "--json"))
    judged = told(model("evaluate", "reversal", "--version", "1", "--json", "--report", "judged.html"))

    assert found["figures"]["verdict"] == judged["verdict"]  # type: ignore[index]
    assert found["figures"]["rank_ic"] == judged["figures"]["rank_ic"]  # type: ignore[index]
    assert "unknown" in judged["health"]  # type: ignore[operator]
    assert str(found["figures"]["folds"][0]["test"][1]) in Path("judged.html").read_text(encoding="utf-8")  # type: ignore[index]
    said = model("evaluate", "reversal", "--version", "1")
    assert "RankIC, tradable" in said.out and "since then: " in said.err


def test_predictions_are_shown_saved_and_explained(model: Command, trained: Answer | None) -> None:
    answer = model("predict", "reversal", "--top", "3", "--save")

    lines = answer.out.splitlines()
    assert flat(lines[0]) == "symbol rank predicted probability" and len(lines) == 4
    assert [line.split()[1] for line in lines[1:]] == ["1", "2", "3"]
    assert f"at the close of {LAST}: 3 of " in answer.err
    assert "all predictions of reversal on that day are saved" in answer.err
    first, second = (line.split()[0] for line in lines[1:3])
    rows = json.loads(model("predict", "reversal", "--json", "--symbols", f"{first},{second}").out)
    assert [row["symbol"] for row in rows] == [first, second]
    why = model("explain", "reversal", first).out
    assert why.startswith(first) and "knowing nothing" in why
    (explained,) = json.loads(model("explain", "reversal", first, "--json").out, parse_constant=pytest.fail)
    total = explained["base"] + sum(part["contribution"] for part in explained["parts"])
    assert total == pytest.approx(rows[0]["predicted_return"])
    assert len(json.loads(model("explain", "reversal", "--json").out)) == 2
    assert flat(model("drift", "reversal").out.splitlines()[0]) == "feature PSI chance"


def test_days_without_bars_and_seen_days_are_refused(model: Command, trained: Answer | None) -> None:
    assert (
        "there are no bars on 2024-03-30" in model("predict", "reversal", "--date", "2024-03-30", code=1).err
    )
    seen = model("predict", "reversal", "--date", "2024-01-03", code=1).err
    assert "is no prediction" in seen and "in_sample" in seen
    model("predict", "reversal", "--date", "2024-01-03", "--in-sample")
    assert "says nothing of 999999.SH" in model("predict", "reversal", "--symbols", "999999.SH", code=1).err
    assert "no model is called 'other'" in model("predict", "other", code=1).err


def test_versions_are_promoted_trained_anew_compared_and_imported(
    model: Command, folder: Path, trained: Answer | None
) -> None:
    Path("m.toml").write_text(MODEL.replace('"reversal"', '"served"'))
    assert told(model("train", "m.toml", "--json"))["stage"] == "candidate"
    assert (
        model("promote", "served", "1", "--reason", "the first").out == "served version 1 is in production\n"
    )

    anew = told(model("retrain", "served", "--json"))
    compared = told(model("compare", "served", "--json"))
    listed = model("list", "served").out
    imported = model("import", str(folder / "models" / "models" / "served" / "1"))

    assert (anew["version"], anew["stage"]) == (2, "candidate")
    assert anew["contest"] == compared and compared["recommendation"] == "undecided"
    assert "the first" in listed and "trained anew" in listed
    assert imported.out == "served version 3 is a candidate\n"
    assert "champion " in model("compare", "served", "--challenger", "2").out
    assert "both champion and challenger" in model("compare", "served", "--challenger", "1", code=1).err
    assert model("promote", "served", "1", "--retire").out == "served version 1 is retired\n"


def test_a_search_writes_a_file_that_can_be_trained(model: Command) -> None:
    Path("m.toml").write_text(SEARCHED)
    Path("space.json").write_text('{"l1_ratio": [0.1, 0.9]}')

    answer = model("tune", "m.toml", "--trials", "2", "--space", "space.json", "--output", "found/best.yaml")

    assert (
        "The best trials" in answer.out and "l1_ratio" in answer.out and "model found/best.yaml" in answer.err
    )
    assert "on folds that the search never saw" in answer.out
    best = read_specification(Path("found/best.yaml"))
    assert best.id == "searched" and 0.1 <= best.parameters["l1_ratio"] <= 0.9
    again = told(model("tune", "m.toml", "--trials", "2", "--space", "space.json", "--json"))
    assert again["model"] == best.to_dict()
    assert told(model("train", "found/best.yaml", "--json"))["id"] == "searched"
    assert "as a .yaml file" in model("tune", "m.toml", "--output", "best.json", code=1).err
    Path("space.json").write_text("[1]")
    assert "JSON object of ranges" in model("tune", "m.toml", "--space", "space.json", code=1).err


def test_models_of_the_first_version_become_files(model: Command) -> None:
    plain = {"model_type": "lightgbm", "factor_list": '["momentum_20d"]', "target_type": "return_10d"}
    rows = [plain | {"model_id": "old"}, plain | {"model_id": "invented", "target_type": "simulated_return"}]
    Path("rows.json").write_text(json.dumps(rows))

    answer = model("from-v1", "rows.json", "-o", "files", code=1)

    assert flat(answer.out) == "files/old.yaml lightgbm, 10 days"
    assert "left out: v1's model invented foretells simulated_return" in flat(answer.err)
    assert read_specification(Path("files/old.yaml")).features.names == ("v1.momentum_20d",)
    assert "is there already" in model("from-v1", "rows.json", "-o", "files", code=1).err
    Path("rows.json").write_text(json.dumps(rows[:1]))
    model("from-v1", "rows.json", "-o", "files", "--force")
    for text, said in (('{"a": 1}', "JSON list of rows"), ("[1]", "JSON list of rows"), ("[", "is not JSON")):
        Path("rows.json").write_text(text)
        assert said in model("from-v1", "rows.json", code=1).err
    assert "cannot be read" in model("from-v1", "nothing.json", code=1).err


def test_what_cannot_be_done_is_said_before_anything_is_worked_out(
    model: Command, trained: Answer | None
) -> None:
    Path("m.toml").write_text(MODEL)
    Path("m.json").write_text("{}")
    assert "valid are .toml, .yaml, .yml" in model("train", "m.json", code=1).err
    assert "one .html file" in model("train", "m.toml", "--report", "told.pdf", code=1).err
    assert "one .html file" in model("evaluate", "reversal", "--report", "told.pdf", code=1).err
    assert "no version 9" in model("show", "reversal", "--version", "9", code=1).err
    assert "no model is called 'other'" in model("list", "other", code=1).err
