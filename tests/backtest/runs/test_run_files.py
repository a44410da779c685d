"""Run files: what they say, in both languages, and how mistakes are told."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from quantflux.backtest.runs.files import example, read_run_file, run_file_of, run_of_values
from quantflux.backtest.runs.run_file import RunFile
from quantflux.core.documents import parse_document
from quantflux.core.errors import InvalidRequest

TOML = """
name = "Two factors"
start = 2023-01-03
end = "2023-12-29"
capital = 2_000_000
universe = ["sh600519", "000001"]
schedule = 5
benchmark = "000300.SH"
[score]
factors = ["reversal_20", { factor = "ts_std(close, 20)", weight = 2, orientation = -1 }]
[policy]
kind = "ranked"
share = 0.2
[execution]
fill = "vwap"
without = ["lots", "fees"]
commission = { rate = 0.0003 }
"""
YAML = """
name: Two factors
start: 2023-01-03
end: "2023-12-29"
capital: 2e6
universe: [sh600519, "000001"]
schedule: 5
benchmark: 000300.SH
score:
  factors:
    - reversal_20
    - {factor: "ts_std(close, 20)", weight: 2, orientation: -1}
policy: {kind: ranked, share: 0.2}
execution:
  fill: vwap
  without: [lots, fees]
  commission: {rate: 0.0003}
"""
SMALL = 'score = "reversal_20"\n[policy]\nkind = "ranked"\ntop = 5\n'


def read(text: str) -> RunFile:
    return run_file_of(parse_document(text, name="run.toml"))


def complaint(text: str) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read(text)
    return str(caught.value)


def test_both_languages_say_the_same() -> None:
    one, two = read(TOML), run_file_of(parse_document(YAML, ".yaml"))

    assert one == two
    assert (one.start, one.end) == (date(2023, 1, 3), date(2023, 12, 29))
    assert one.universe.symbols == ("600519.SH", "000001.SZ")
    assert one.score is not None
    assert [(f.factor, f.weight, f.orientation) for f in one.score.factors] == [
        ("reversal_20", 1.0, None),
        ("ts_std(close, 20)", 2.0, -1),
    ]
    assert one.execution.commission.rate == 0.0003 and one.execution.commission.minimum == 5.0


def test_a_run_without_a_name_is_called_as_its_file_and_looks_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "momentum.toml"
    path.write_text(SMALL, encoding="utf-8")

    run = read_run_file(path)

    assert run.name == "momentum"
    assert run.folder == tmp_path


def test_content_says_everything_and_can_be_read_back() -> None:
    run = read(TOML)

    content = json.loads(json.dumps(run.content()))

    assert content["execution"]["participation"] == 0.1  # a default, which a later release may change
    assert run_of_values(content, "content") == run


def test_the_example_is_a_valid_run_file() -> None:
    run = read(example())

    assert run.policy.kind == "ranked"
    assert set(run.sweep["policy"]) == {"top", "buffer"}


def test_every_mistake_is_told_at_once() -> None:
    said = complaint(
        'start = "soon"\nscor = "a"\ncapital = "ten"\nschedule = "montly"\nbenchmark = "eqal"\n'
        '[policy]\nkind = "ranked"\ntop = 1.5\nshar = 1\n[execution]\nfill = "opn"\nwithout = ["lots", "x"]'
    )

    assert said.splitlines()[0] == "run.toml: 9 problems:"
    for line in (
        'start: found "soon"; valid is a day such as 2024-06-28',
        "scor: is unknown; did you mean score?",
        'capital: found "ten"; valid is a number',
        (
            'schedule: found "montly"; valid is one of daily, weekly, monthly, quarterly, or a whole number of trading '
            "days; did you mean monthly?"
        ),
        "policy.top: found 1.5; valid is a whole number",
        "policy.shar: is unknown; did you mean share?",
        "execution.fill: found \"opn\"; valid is one of 'open', 'close', 'vwap'",
        'execution.without.2: found "x"; valid is one of',
        (
            'benchmark: found "eqal"; valid is one of equal, cap, none, or the symbol of an index such as '
            "000300.SH; did you mean equal?"
        ),
    ):
        assert line in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SMALL + "share = 0.2", "policy: holds `top` names or a `share` of them, both are given"),
        (SMALL.replace("top = 5", ""), "policy: holds `top` names or a `share` of them, neither is given"),
        (SMALL.replace('score = "reversal_20"', ""), "score is missing; a ranked policy needs one"),
        ("start = 2024-01-02\nend = 2023-01-03\n" + SMALL, "valid is a start before the end"),
        ("start = 2024-01-02T10:00:00\n" + SMALL, "start: found 2024-01-02 10:00:00; valid is a day"),
        ("capital = true\n" + SMALL, "capital: found true; valid is a number"),
        ("capital = 1e300\n" + SMALL, "capital: found 1e+300; valid is at most 1000000000000000"),
        ("capital = nan\n" + SMALL, "capital: found nan; valid is a finite number"),
        ("universe = []\n" + SMALL, 'universe: found an empty list; valid is "all"'),
        ('universe = "al"\n' + SMALL, 'found "al"; valid is "all", a list of symbols, or a table'),
        ('universe = ["60051"]\n' + SMALL, "universe.1: '60051' is not a symbol"),
        ('schedule = 0\n' + SMALL, "schedule: found 0; valid is one of daily"),
        (SMALL + '[policy.optimiser]\nwindow = 60', 'optimiser is not used by weighting "equal"'),
        ('[policy]\nkind = "weights"\nfile = "w.csv"\n[score]\nfactors = ["a"]', "score is not used by a policy of"),
        ('schedule = 5\n[policy]\nkind = "orders"\nfile = "o.csv"', "schedule is not used by a policy of kind orders"),
        ('[policy]\nkind = "python"\nclass = "policy.Mine"', "policy.class: found \"policy.Mine\"; valid is FILE.py:"),
        ('[policy]\nkind = "rank"', "policy: kind is \"rank\"; valid is one of 'ranked', 'weights'"),
        (SMALL + '[universe]\nsymbols = ["600519"]\nfile = "a.csv"', "symbols and file both list names"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_key_and_what_is_valid(text: str, said: str) -> None:
    assert said in complaint(text)
