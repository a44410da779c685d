"""Factors by name: libraries and users' own definitions, with versions and owners."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import (
    ExpressionError,
    InvalidRequest,
    NotFound,
    StoreCorrupt,
    StoreUnavailable,
)
from quantflux.expressions import parse
from quantflux.expressions.nodes import Field
from quantflux.factors.registry import FactorRegistry
from tests.factors.children import forked, status_of

CLOCK = FixedClock(datetime(2026, 3, 2, 7, 30, tzinfo=UTC))
REVERSAL = "1 - close / delay(close, 5)"


@pytest.fixture(params=["file", "memory"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> FactorRegistry:
    return FactorRegistry(tmp_path / "made" / "definitions.db" if request.param == "file" else None, CLOCK)


@pytest.fixture
def kept(tmp_path: Path) -> FactorRegistry:
    return FactorRegistry(tmp_path / "definitions.db", CLOCK)


def test_libraries_can_be_listed_before_anything_was_defined(tmp_path: Path) -> None:
    registry = FactorRegistry(tmp_path / "definitions.db", CLOCK)

    assert registry.libraries()[-1] == "user"
    assert {"alpha158", "alpha101", "v1"} < set(registry.libraries())
    assert len(registry.library("alpha158")) == 158
    assert registry.user_factors() == registry.library("user") == registry.versions("x") == ()
    assert json.loads(registry.exported())["factors"] == []
    assert list(tmp_path.iterdir()) == []


def test_a_definition_is_kept_in_canonical_text(registry: FactorRegistry) -> None:
    made = registry.define(
        "mine", "1-(close/delay(close,5))", description="reverses", orientation=1, owner="ann"
    )

    found = registry.get("mine")
    assert found == made == registry.get("user.mine")
    assert (found.expression, found.version, found.library, found.owner) == (REVERSAL, 1, "user", "ann")
    assert (found.description, found.orientation) == ("reverses", 1)
    assert found.node is parse(REVERSAL)


def test_a_new_expression_is_a_new_version_and_the_same_one_is_none(registry: FactorRegistry) -> None:
    registry.define("mine", REVERSAL)
    registry.define("mine", REVERSAL)
    registry.define("mine", "delta(close, 5)")
    registry.define("mine", "delta(close, 5)", description="now described")
    registry.define("mine", "delta(close, 5)", description="now described", orientation=-1)

    assert [v.version for v in registry.versions("mine")] == [1, 2, 3, 4]
    assert registry.get("mine").version == 4
    assert registry.get("mine", 1).expression == REVERSAL
    assert registry.get("user.mine", 2).expression == "delta(close, 5)"
    assert [f.version for f in registry.user_factors()] == [4]


def test_versions_that_are_not_there(registry: FactorRegistry) -> None:
    registry.define("mine", REVERSAL)

    with pytest.raises(NotFound, match="mine has no version 7; it has: 1"):
        registry.get("mine", 7)
    with pytest.raises(NotFound, match=r"ROC5 has no version 2; it has: 1"):
        registry.get("alpha158.ROC5", 2)
    with pytest.raises(NotFound, match="no factor is called 'nothing'"):
        registry.get("nothing", 1)
    assert registry.get("alpha158.ROC5", 1) is registry.get("alpha158.ROC5")


def test_retiring_and_defining_again(registry: FactorRegistry) -> None:
    registry.define("mine", REVERSAL, owner="ann")
    registry.retire("mine", owner="ann")

    with pytest.raises(NotFound):
        registry.get("mine")
    with pytest.raises(NotFound):
        registry.retire("mine", owner="ann")
    with pytest.raises(InvalidRequest, match="belongs to ann"):
        registry.define("mine", REVERSAL, owner="bob")
    assert registry.user_factors() == ()
    assert registry.get("mine", 1).expression == REVERSAL
    again = registry.define("mine", REVERSAL, owner="ann")
    assert again.version == 3
    assert registry.get("mine") == again


def test_retiring_takes_the_name_of_the_library_too(registry: FactorRegistry) -> None:
    registry.define("mine", REVERSAL)

    registry.retire("user.mine")

    assert registry.user_factors() == ()


def test_another_owner_neither_redefines_nor_retires(registry: FactorRegistry) -> None:
    registry.define("mine", REVERSAL, owner="ann")

    with pytest.raises(InvalidRequest, match="mine belongs to ann; choose another name"):
        registry.define("mine", "delta(close, 5)", owner="bob")
    with pytest.raises(InvalidRequest, match="mine belongs to ann, who alone may retire it"):
        registry.retire("mine", owner="bob")
    assert [v.version for v in registry.versions("mine")] == [1]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "a letter first"),
        ("5day", "a letter first"),
        ("_hidden", "a letter first"),
        ("with space", "a letter first"),
        ("a.b", "a letter first"),
        ("naïve", "a letter first"),
        ("因子", "a letter first"),
        ("a" * 65, "up to 64"),
        ("x'; DROP TABLE factor_versions; --", "a letter first"),
        ("../../etc/passwd", "a letter first"),
        ("close", "close is a field"),
        ("revenue_ttm", "is a field"),
        ("rank", "a meaning of its own"),
        ("correlation", "a meaning of its own"),
        ("and", "a meaning of its own"),
        ("user", "is a library"),
        ("alpha158", "is a library"),
        ("ROC5", "taken by the library alpha158"),
        ("alpha001", "taken by the library alpha101"),
        (None, "texts"),
    ],
)
def test_names_that_are_refused(registry: FactorRegistry, name: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        registry.define(name, REVERSAL)
    assert registry.user_factors() == ()


def test_the_longest_name(registry: FactorRegistry) -> None:
    name = "n" * 64

    registry.define(name, REVERSAL)
    registry.define("other", f"{name} * 2")

    assert registry.get(name).node is parse(REVERSAL)
    assert registry.get("other").node is parse(f"({REVERSAL}) * 2")


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("ts_men(close, 5)", "did you mean ts_mean"),
        ("close +", "the end"),
        ("nonsense", "unknown field 'nonsense'"),
        ("lead(close, 5) / close - 1", "looks 5 rows ahead; a factor must not"),
        ("__import__('os')", "quoted"),
        ("1 + 2", "reads no field"),
        (7, "texts"),
    ],
)
def test_expressions_that_are_refused(registry: FactorRegistry, expression: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        registry.define("mine", expression)
    assert registry.versions("mine") == ()


@pytest.mark.parametrize("orientation", [2, "1", None, [1]])
def test_orientations_that_are_refused(registry: FactorRegistry, orientation: int) -> None:
    with pytest.raises(InvalidRequest, match="orientation is 1"):
        registry.define("mine", REVERSAL, orientation=orientation)


@pytest.mark.parametrize("description", ["two\nlines", "bell\a", "\x1b[31mred", "half \ud800", "x" * 501])
def test_descriptions_that_could_harm_a_terminal(registry: FactorRegistry, description: str) -> None:
    with pytest.raises(InvalidRequest, match="one line of at most 500 printable characters"):
        registry.define("mine", REVERSAL, description=description)


@pytest.mark.parametrize(
    "description",
    [
        "'); DROP TABLE factor_versions; --",
        "[bold red]loud[/]",
        "<script>alert(1)</script>",
        "五日反转 ±½",
        "%s {0} \\n",
    ],
)
def test_descriptions_survive_to_the_letter(tmp_path: Path, description: str) -> None:
    FactorRegistry(tmp_path / "a.db", CLOCK).define(
        "mine", REVERSAL, description=description, owner=description
    )
    again = FactorRegistry(tmp_path / "a.db", CLOCK)

    other = FactorRegistry(tmp_path / "b.db", CLOCK)
    other.imported(again.exported())

    assert again.get("mine").description == other.get("mine").description == description
    assert again.get("mine").owner == description


# Factors that name factors


def test_a_factor_names_another_as_it_was_then(registry: FactorRegistry) -> None:
    registry.define("fall", REVERSAL)
    registry.define("calm", "fall / ts_std(close, 5) + ROC5")
    registry.define("fall", "delta(close, 3)")

    found = registry.get("calm")
    assert found.node is parse(f"({REVERSAL}) / ts_std(close, 5) + ({registry.get('ROC5').expression})")
    assert "fall" not in found.expression and "ROC5" not in found.expression


def test_a_factor_that_names_itself_grows_and_never_turns_in_a_circle(registry: FactorRegistry) -> None:
    registry.define("a", "close * 2")
    registry.define("b", "a + volume")
    registry.define("a", "b - open")
    registry.define("b", "a * b")

    assert registry.get("a").node is parse("close * 2 + volume - open")
    assert registry.get("b").node is parse("(close * 2 + volume - open) * (close * 2 + volume)")
    with pytest.raises(ExpressionError, match="unknown field 'c'"):
        registry.define("c", "c + 1")


def test_what_is_retired_can_no_longer_be_named(registry: FactorRegistry) -> None:
    registry.define("a", REVERSAL)
    registry.define("b", "a * 2")
    registry.retire("a")

    assert registry.get("b").node is parse(f"({REVERSAL}) * 2")
    with pytest.raises(ExpressionError, match="unknown field 'a'"):
        registry.define("d", "a * 3")


def test_a_text_that_grows_beyond_bounds_by_naming_is_refused(registry: FactorRegistry) -> None:
    registry.define("g0", "close / delay(close, 1) + ts_mean(volume, 5)")

    def grow() -> None:
        for number in range(1, 40):
            registry.define(f"g{number}", f"g{number - 1} * ts_max(g{number - 1}, 3)")

    with pytest.raises(InvalidRequest, match=r"longer than 4,096 characters|nested more than"):
        grow()

    for factor in registry.user_factors():
        assert factor.node is parse(factor.expression)


def test_nodes_can_be_defined_like_texts(registry: FactorRegistry) -> None:
    made = registry.define("mine", Field("close") / Field("open") - 1)

    assert made.expression == "close / open - 1"


# Finding


def test_similar_names_are_offered(registry: FactorRegistry) -> None:
    registry.define("my_reversal", REVERSAL)

    with pytest.raises(NotFound, match="no factor is called 'my_reversl'; similar: my_reversal"):
        registry.get("my_reversl")
    with pytest.raises(NotFound, match=r"similar: .*ROC5"):
        registry.get("alpha158.ROC55")
    with pytest.raises(NotFound, match="no library is called 'beta'; there are: alpha101, "):
        registry.get("beta.ROC5")
    with pytest.raises(NotFound, match="no library is called 'beta'"):
        registry.library("beta")


def test_a_name_in_several_libraries_has_to_say_which(
    registry: FactorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.define("twin", REVERSAL)
    twins = registry.library("user")
    monkeypatch.setattr(FactorRegistry, "libraries", lambda self: ("a", "b"))
    monkeypatch.setattr(FactorRegistry, "library", lambda self, name: twins)

    with pytest.raises(
        InvalidRequest, match=r"several factors are called 'twin'; say which: user.twin, user.twin"
    ):
        registry.get("twin")


def test_selecting_factors_and_libraries(registry: FactorRegistry) -> None:
    registry.define("mine", REVERSAL)

    chosen = registry.select(["mine", "alpha158.ROC5", "ROC5", "user"])

    assert [f.id for f in chosen] == ["mine", "ROC5"]
    assert len(registry.select(["alpha158"])) == 158
    with pytest.raises(NotFound, match="no factors were named"):
        registry.select([])
    with pytest.raises(InvalidRequest, match="factors must be a list of names, was the text 'alpha158'"):
        registry.select("alpha158")


def test_an_empty_library_has_nothing_to_select(registry: FactorRegistry) -> None:
    with pytest.raises(NotFound, match="or there are none in them"):
        registry.select(["user"])


# Export and import


def exported(tmp_path: Path) -> str:
    registry = FactorRegistry(tmp_path / "source.db", CLOCK)
    registry.define("a", REVERSAL, description="first", owner="ann")
    registry.define("a", "delta(close, 2)", description="second", orientation=1, owner="ann")
    registry.define("b", "a * volume", owner="ann")
    registry.define("gone", REVERSAL, owner="ann")
    registry.retire("gone", owner="ann")
    return registry.exported()


def test_an_export_tells_everything(tmp_path: Path) -> None:
    told = json.loads(exported(tmp_path))

    assert told["format"] == 1
    assert [(f["id"], f["version"], f["retired"]) for f in told["factors"]] == [
        ("a", 1, False),
        ("a", 2, False),
        ("b", 1, False),
        ("gone", 1, False),
        ("gone", 2, True),
    ]
    assert told["factors"][0] == {
        "id": "a",
        "version": 1,
        "expression": REVERSAL,
        "description": "first",
        "orientation": 0,
        "owner": "ann",
        "created": "2026-03-02T07:30:00+00:00",
        "retired": False,
    }


def test_an_import_defines_the_newest_of_each(registry: FactorRegistry, tmp_path: Path) -> None:
    text = exported(tmp_path)

    defined = registry.imported(text, owner="bob")

    assert [(f.id, f.version, f.owner) for f in defined] == [("a", 1, "bob"), ("b", 1, "bob")]
    assert registry.get("a").expression == "delta(close, 2)"
    assert (registry.get("a").description, registry.get("a").orientation) == ("second", 1)
    assert registry.get("b").node is parse("delta(close, 2) * volume")
    assert registry.imported(text, owner="bob") == defined
    assert [v.version for v in registry.versions("a")] == [1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"expression": "ts_men(close, 5)"}, "ts_mean"),
        ({"expression": "lead(close, 1)"}, "rows ahead"),
        ({"expression": None}, "texts"),
        ({"id": "close"}, "close is a field"),
        ({"id": "ROC5"}, "taken by the library"),
        ({"id": 5}, "texts"),
        ({"orientation": 5}, "orientation"),
        ({"orientation": "1"}, "orientation"),
        ({"description": "\x1b[2J"}, "printable"),
        ({"version": "newest"}, "no export"),
        ({"version": None}, "no export"),
    ],
)
def test_an_import_is_all_or_nothing(
    registry: FactorRegistry, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    told = json.loads(exported(tmp_path))
    told["factors"][2] |= change

    with pytest.raises(InvalidRequest, match=says):
        registry.imported(json.dumps(told))

    assert registry.user_factors() == ()


def test_an_import_over_another_owners_factor_is_all_or_nothing(
    registry: FactorRegistry, tmp_path: Path
) -> None:
    registry.define("b", REVERSAL, owner="cid")

    with pytest.raises(InvalidRequest, match="b belongs to cid"):
        registry.imported(exported(tmp_path), owner="bob")

    assert [f.id for f in registry.user_factors()] == ["b"]
    assert registry.get("b").expression == REVERSAL


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "{}",
        "null",
        '{"format": 2, "factors": []}',
        '{"format": 1, "factors": 3}',
        '{"format": 1, "factors": [3]}',
        '{"format": 1, "factors": [{"id": "a"}]}',
        '{"format": 1, "factors": [{"id": ["a"], "version": 1, "retired": false}]}',
        "[" * 100_000,
    ],
)
def test_texts_that_are_no_export(registry: FactorRegistry, text: str) -> None:
    with pytest.raises(InvalidRequest, match="this is no export of factor definitions"):
        registry.imported(text)


# The file


def test_several_processes_define_at_once(tmp_path: Path) -> None:
    path = tmp_path / "definitions.db"

    def define(process: int) -> None:
        registry = FactorRegistry(path, CLOCK)
        for number in range(1, 16):
            registry.define("shared", f"delta(close, {number}) + {process}")
            registry.define(f"own_{process}", f"delta(close, {number})")

    children = [forked(partial(define, process)) for process in (1, 2, 3)]

    assert [status_of(child) for child in children] == [0, 0, 0]
    registry = FactorRegistry(path, CLOCK)
    assert [v.version for v in registry.versions("shared")] == list(range(1, 46))
    assert len({v.expression for v in registry.versions("shared")}) == 45
    assert [len(registry.versions(f"own_{n}")) for n in (1, 2, 3)] == [15, 15, 15]


def test_threads_share_a_registry(registry: FactorRegistry) -> None:
    def define(number: int) -> int:
        registry.define(f"f{number % 4}", f"delta(close, {number + 1})")
        return len(registry.user_factors())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(define, range(40)))

    assert sum(len(registry.versions(f"f{n}")) for n in range(4)) == 40


def test_a_transaction_that_was_killed_leaves_the_old_definitions(
    tmp_path: Path, kept: FactorRegistry
) -> None:
    kept.define("a", REVERSAL)

    def die_within() -> None:
        connection = sqlite3.connect(tmp_path / "definitions.db", isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("PRAGMA cache_size = 1")  # much is on the disk before anything is committed
        connection.execute("UPDATE factor_versions SET expression = 'torn'")
        for number in range(2000):
            row = (f"n{number}", 1, "x", "d" * 300, 0, "", "", 0)
            connection.execute("INSERT INTO factor_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        os.kill(os.getpid(), signal.SIGKILL)

    assert status_of(forked(die_within)) == -signal.SIGKILL

    assert [f.expression for f in kept.user_factors()] == [REVERSAL]
    kept.define("b", REVERSAL)


def test_an_empty_file_is_as_none(tmp_path: Path, kept: FactorRegistry) -> None:
    (tmp_path / "definitions.db").touch()

    assert kept.user_factors() == ()
    kept.define("a", REVERSAL)


def test_a_damaged_file_is_named(tmp_path: Path, kept: FactorRegistry) -> None:
    for number in range(60):
        kept.define(f"factor_{number}", REVERSAL, description="x" * 200)
    path = tmp_path / "definitions.db"
    whole = path.read_bytes()

    for damaged in (b"not a database, but long enough to be one" * 200, whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(StoreCorrupt, match=r"definitions.db cannot be read.*import an export") as caught:
            kept.user_factors()
        assert caught.value.path == str(path)
        with pytest.raises(StoreCorrupt):
            kept.define("more", REVERSAL)
    path.write_bytes(whole)
    assert len(kept.user_factors()) == 60


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    registry = FactorRegistry(tmp_path / "file" / "definitions.db", CLOCK)

    assert registry.user_factors() == ()
    with pytest.raises(StoreUnavailable, match="cannot be made"):
        registry.define("a", REVERSAL)


def test_a_file_held_by_somebody_else_is_waited_for(tmp_path: Path, kept: FactorRegistry) -> None:
    kept.define("a", REVERSAL)
    holder = sqlite3.connect(tmp_path / "definitions.db", isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(kept.define, "b", REVERSAL)
        assert len(kept.user_factors()) == 1  # readers need not wait
        holder.execute("ROLLBACK")
        waiting.result(timeout=60)
    holder.close()

    assert len(kept.user_factors()) == 2


def test_what_was_kept_in_memory_is_forgotten_when_closed() -> None:
    registry = FactorRegistry(None, CLOCK)
    registry.define("a", REVERSAL)

    registry.close()
    registry.close()

    assert registry.user_factors() == ()
    registry.close()


def test_numbers_name_the_newest_version_of_those_that_users_defined(tmp_path, clock):
    registry = FactorRegistry(tmp_path / "definitions.db", clock)
    assert registry.numbers(["mine"]) == {}
    registry.define("mine", "close / open")
    registry.define("mine", "open / close")
    registry.define("other", "close - open")
    many = [f"no_{number}" for number in range(1200)]

    assert registry.numbers(["mine", "ROC5", *many]) == {"mine": 2}
    registry.retire("mine")
    assert registry.numbers(["mine", "other"]) == {"mine": 3, "other": 1}


def test_a_definition_reads_no_more_of_the_others_when_there_are_many(tmp_path, clock, monkeypatch):
    registry = FactorRegistry(tmp_path / "definitions.db", clock)
    registry.define("base", "close / open")
    monkeypatch.setattr(FactorRegistry, "user_factors", lambda self: pytest.fail("read all of them"))

    made = registry.define("next_one", "base - 1")

    assert made.expression == "close / open - 1"
    assert registry.get("user.next_one") == made
