"""The error tree: what its docstring draws is what there is, and messages say what would be valid."""

from __future__ import annotations

import inspect
import re

from quantflux.core import errors
from quantflux.core.errors import (
    InvalidData,
    MissingDependency,
    OutcomeUnknown,
    PartialWrite,
    QuantfluxError,
    RateLimited,
    RejectedRow,
    StoreCorrupt,
    StoreError,
    UnknownDataset,
    UnknownSymbol,
)

TREE = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, QuantfluxError)
}


def drawn() -> dict[str, tuple[int, str | None]]:
    """Depth and builtin kind of each class in the module's picture."""
    lines = re.findall(r"^( *[│ ]*[├└]── )(\w+)(?:\((\w+)\))?", inspect.getdoc(errors) or "", re.MULTILINE)
    return {name: (len(indent) // 4, builtin or None) for indent, name, builtin in lines}


def test_the_picture_shows_every_class_at_its_place() -> None:
    picture = drawn()

    assert set(picture) == set(TREE) - {"QuantfluxError"}
    for name, (depth, builtin) in picture.items():
        ours = [kind for kind in TREE[name].__mro__ if issubclass(kind, QuantfluxError)]
        outside = [base.__name__ for base in TREE[name].__bases__ if not issubclass(base, QuantfluxError)]
        assert (len(ours) - 1, outside) == (depth - 1, [builtin] if builtin else [])


def test_only_what_may_be_sent_again_says_so() -> None:
    retryable = {name for name, kind in TREE.items() if kind.retryable}

    assert retryable == {
        "StoreUnavailable",
        "StoreFull",
        "OutcomeUnknown",
        "VersionConflict",
        "SourceUnavailable",
        "RateLimited",
        "LimitReached",
        "Busy",
    }
    assert issubclass(OutcomeUnknown, StoreError)


def test_messages_name_what_is_known_or_near() -> None:
    assert "known: a, b" in str(UnknownDataset("c", ["b", "a"]))
    assert "A, B, C, D, E and 2 more" in str(UnknownSymbol("ABCDEFG", "bars"))
    assert "Similar: 600519.SH." in str(UnknownSymbol(["600518.SH"], "bars", ["600519.SH"]))
    assert "pip install 'quantflux[mysql]'" in str(MissingDependency("PyMySQL", "mysql"))


def test_facts_are_attributes() -> None:
    partial = PartialWrite(7, [RejectedRow(3, "600519.SH 2024-01-02", "too old")])
    invalid = InvalidData("no", dataset="bars", column="close", rule="positive", row=4, count=2)

    assert (partial.accepted, partial.rejected[0].row) == (7, 3)
    assert "7 rows were stored, 1 refused; first: row 3 (600519.SH 2024-01-02): too old" in str(partial)
    assert (invalid.dataset, invalid.column, invalid.rule, invalid.row, invalid.count) == (
        "bars",
        "close",
        "positive",
        4,
        2,
    )
    assert RateLimited("slow down", 2.5).retry_after == 2.5
    assert StoreCorrupt("bad sum", "a/b").path == "a/b"
