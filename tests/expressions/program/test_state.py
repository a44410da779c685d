"""Saved states: they read back as they were, and damage is found."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.core.errors import StoreCorrupt
from quantflux.expressions import parse
from quantflux.expressions.program.program import Program
from quantflux.expressions.program.state import State
from tests.expressions.program.runs import fed
from tests.expressions.reference.panels import tame_panel

PROGRAM = Program({"a": parse("rank(ema(close, 5))"), "b": parse("delay(ts_mean(rank(close), 4), 3)")})


def saved(rows: int = 20, columns: int = 3) -> State:
    return fed(PROGRAM, tame_panel(1, rows, columns))[1]


CONTENT = saved().encode()


def test_a_state_reads_back_to_the_last_bit() -> None:
    state = saved()

    again = State.decode(state.encode())

    assert (again.digest, again.rows, again.columns) == (PROGRAM.digest, 20, 3)
    assert [a.tobytes() for a in again.arrays] == [a.tobytes() for a in state.arrays]
    assert again.encode() == state.encode()


def test_a_state_that_was_read_may_be_written_to() -> None:
    """It is gone on from in place nowhere, but nothing should forbid it."""
    assert all(array.flags.writeable for array in State.decode(CONTENT).arrays)


def test_a_state_says_how_large_it_is() -> None:
    state = saved(columns=3)

    assert state.nbytes == sum(a.nbytes for a in state.arrays) > 0
    assert saved(columns=6).nbytes == 2 * state.nbytes


def test_a_fresh_state_is_that_of_no_rows() -> None:
    fresh = State.fresh(PROGRAM.digest, PROGRAM.schedule, 4)

    assert fresh.rows == 0
    assert fresh.columns == 4
    assert all(np.isnan(tail).all() for tail in (*fresh.local_tails, *fresh.wide_tails))
    assert all((state == 0).all() for state in fresh.states)


def test_new_symbols_begin_like_fresh_ones() -> None:
    state, fresh = saved(columns=2), State.fresh(PROGRAM.digest, PROGRAM.schedule, 5)

    wider = state.on_columns(np.array([1, 4]), 5)

    assert wider.rows == 20
    for moved, own, new in zip(wider.arrays, state.arrays, fresh.arrays, strict=True):
        assert np.array_equal(moved[:, [1, 4]], own, equal_nan=True)
        assert np.array_equal(moved[:, [0, 2, 3]], new[:, [0, 2, 3]], equal_nan=True)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(CONTENT) - 1))
def test_a_state_that_is_cut_short_is_corrupt(length: int) -> None:
    with pytest.raises(StoreCorrupt, match=r"state\.bin cannot be read"):
        State.decode(CONTENT[:length], "state.bin")


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(CONTENT) - 1), st.integers(0, 7))
def test_a_state_with_a_flipped_bit_is_corrupt(place: int, bit: int) -> None:
    damaged = bytearray(CONTENT)
    damaged[place] ^= 1 << bit

    with pytest.raises(StoreCorrupt):
        State.decode(bytes(damaged))


@pytest.mark.parametrize(
    "content", [b"", b"\n\n\n", b"quantflux state 1\n", b"something else\n", bytes(200), CONTENT + b"\0" * 8]
)
def test_something_else_is_corrupt(content: bytes) -> None:
    with pytest.raises(StoreCorrupt, match="a saved state cannot be read"):
        State.decode(content)


@pytest.mark.parametrize(
    "head",
    [
        [], {}, 5, {"digest": "d", "rows": 1, "columns": 1, "heights": [[1]]},
        {"digest": "d", "rows": 1, "columns": 1, "heights": [[-1], [], []]},
        {"digest": "d", "rows": "x", "columns": 1, "heights": [[1], [], []]},
        {"digest": "d", "rows": 1, "columns": 10**30, "heights": [[1], [], []]},
        {"digest": "d", "rows": 1e400, "columns": 1, "heights": [[1], [], []]},
        {"digest": "d", "rows": 1, "columns": 1, "heights": [["1"], [], []]},
    ],
)  # fmt: skip
def test_a_head_that_does_not_fit_is_corrupt(head: object) -> None:
    body = json.dumps(head).encode() + b"\n" + np.ones(1).tobytes()

    with pytest.raises(StoreCorrupt):
        State.decode(b"quantflux state 2\n%08x\n" % zlib.crc32(body) + body)
