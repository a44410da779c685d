"""Files in TOML and YAML: what they say, and every way in which they can be wrong."""

from __future__ import annotations

import hashlib
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from quantflux.core.documents import MAX_BYTES, Section, parse_document, read_document
from quantflux.core.errors import InvalidRequest


class Cash(Section):
    kind: Literal["cash"]
    weight: float = Field(ge=0, le=1)


class Names(Section):
    kind: Literal["names"]
    names: list[str] = Field(min_length=1)


class Plan(Section):
    day: date
    parts: list[Annotated[Cash | Names, Field(discriminator="kind")]] = Field(default_factory=list)
    spare: Cash | None = None
    dry: bool = False


def wrong(text: str, suffix: str = ".yaml") -> str:
    with pytest.raises(InvalidRequest) as caught:
        parse_document(text, suffix, "plan").into(Plan)
    return str(caught.value)


def test_both_languages_say_the_same() -> None:
    toml = 'day = 2024-06-28\n[[parts]]\nkind = "cash"\nweight = 1\n[[parts]]\nkind = "names"\nnames = ["no"]'
    yaml = "day: 2024-06-28\nparts:\n  - {kind: cash, weight: 1}\n  - kind: names\n    names: [no]"

    one, two = parse_document(toml, ".toml").into(Plan), parse_document(yaml, ".yml").into(Plan)

    assert one == two
    assert one.day == date(2024, 6, 28)
    assert one.parts == [Cash(kind="cash", weight=1.0), Names(kind="names", names=["no"])]


def test_every_problem_is_told_with_key_what_was_found_and_what_is_valid() -> None:
    text = """
day: tomorrow
parts:
  - {kind: cash, weight: 2, wieght: 3}
  - {kind: names, names: []}
  - {kind: gold}
  - {weight: 1}
spare: {kind: cash}
dry: 1
dayy: 3
"""
    head, *lines = wrong(text).split("\n  ")

    assert head == "plan: 9 problems:"
    assert lines == [
        'day: found "tomorrow"; valid is a day such as 2024-06-28',
        "parts.1.weight: found 2; valid is at most 1.0",
        "parts.1.wieght: is unknown; did you mean weight?",
        "parts.2.names: found a list; valid is at least 1 of them",
        "parts.3: kind is \"gold\"; valid is one of 'cash', 'names'",
        "parts.4: lacks its kind",
        "spare.weight: is missing",
        "dry: found 1; valid is true or false",
        "dayy: is unknown; did you mean day?",
    ]


def test_nothing_is_converted() -> None:
    assert wrong("day: 2024-06-28\ndry: yes") == 'plan: dry: found "yes"; valid is true or false'
    assert "spare.weight: found true; valid is a number" in wrong("spare: {kind: cash, weight: true}")
    assert "day: found nothing" in wrong("day:")
    assert 'parts.1.names: found "a"; valid is a list' in wrong("parts: [{kind: names, names: a}]")
    assert "finite number" in wrong("spare: {kind: cash, weight: .nan}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("000001", "000001"),
        ("0", 0),
        ("-12", -12),
        ("0x1F", 31),
        ("1_000", "1_000"),
        (".5", 0.5),
        ("600519", 600519),
        ("0.7E2", 70.0),
        ("~", None),
        ("2024-01-02", date(2024, 1, 2)),
        ("'2024-01-02'", "2024-01-02"),
    ],
)
def test_yaml_is_read_by_the_core_schema(text: str, value: object) -> None:
    found = parse_document(f"x: {text}", ".yaml").values["x"]

    assert found == value and type(found) is type(value)


def test_mistakes_in_yaml_are_told_with_their_line() -> None:
    assert wrong("a: 1\na: 2") == "plan:2: is not valid YAML: the key 'a' stands twice"
    assert wrong("a: &x [1]\nb: *x").endswith("a reference (*) is not allowed here; write it out")
    assert wrong("a: [1").startswith("plan:1: is not valid YAML: ")
    assert "could not determine a constructor" in wrong("x: !!python/object:os.system 1")
    assert "the key '1' is no text" in wrong("1: a")
    assert "nested too deeply" in wrong("a: " + "[" * 5000)
    assert wrong("- 1") == "plan: holds a list at the top; valid are keys with values"


def test_mistakes_in_toml_are_told_with_their_line() -> None:
    assert wrong("day = ", ".toml").startswith("plan: is not valid TOML: Invalid value")
    assert "line 2" in wrong("x = 1\ny = z", ".toml")
    assert "more than 50 dots" in wrong("a." * 60 + "b = 1", ".toml")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "big.toml").write_bytes(b"#" * (MAX_BYTES + 1))
    (tmp_path / "odd.yaml").write_bytes(b"a: 1\nb: \xff")
    (tmp_path / "folder.toml").mkdir()

    for name, said in [
        ("none.toml", "there is no such file"),
        ("plan.json", "valid are .toml, .yaml, .yml"),
        ("big.toml", "larger than 1,000,000 bytes"),
        ("odd.yaml", "odd.yaml:2: is not UTF-8 text"),
        ("folder.toml", "is not a regular file"),
    ]:
        with pytest.raises(InvalidRequest, match=said):
            read_document(tmp_path / name)


def test_a_file_keeps_its_text_and_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text("﻿day = 2024-06-28", encoding="utf-8")

    document = read_document(path)

    assert document.values == tomllib.loads("day = 2024-06-28")
    assert document.fingerprint == hashlib.sha256(b"day = 2024-06-28").hexdigest()
