"""Random texts: none may crash, hang or mean two things."""

from __future__ import annotations

import random

import pytest

from quantflux.expressions import Node, parse, to_text
from quantflux.expressions.nodes import Family
from tests.expressions.strategies import Shape, random_expression
from tests.expressions.text.fuzzing import Findings, examine, strange_text


def hunt(count: int, seed: int) -> Findings:
    """Examine so many texts."""
    rng = random.Random(seed)
    findings = Findings()
    for _ in range(count):
        examine(strange_text(rng), findings)
    return findings


@pytest.mark.parametrize("seed", range(4))
def test_strange_texts_are_read_or_refused(seed: int) -> None:
    findings = hunt(5_000, seed)

    assert findings.read > 400 and findings.refused > 3_000 and len(findings.problems) > 50


@pytest.mark.slow
def test_two_million_strange_texts_are_read_or_refused() -> None:
    findings = hunt(2_000_000, seed=20)

    print(findings.line())  # noqa: T201 - the report of a run by hand
    assert findings.read > 100_000


SIMILAR = Shape(
    families=(Family.ELEMENTWISE, Family.ROLLING, Family.CROSS_SECTION),
    depth=3,
    windows=(2, 4),
    fields=("close", "open"),
    numbers=(0.0, 1.0, 0.5),
)


def one_to_one(count: int, seed: int) -> int:
    """Check that texts and digests name the same expressions in all pairs of so many; return the number of pairs."""
    rng = random.Random(seed)
    by_text: dict[str, Node] = {}
    by_digest: dict[str, str] = {}
    for _ in range(count):
        node = random_expression(rng, SIMILAR)
        text = to_text(node)
        assert by_text.setdefault(text, node) is node
        assert by_digest.setdefault(node.digest, text) == text
        assert parse(text).digest == node.digest
    assert len(by_text) == len(by_digest)
    return len(by_text) * (len(by_text) - 1) // 2


def test_equal_digests_are_equal_texts_in_a_million_pairs() -> None:
    assert one_to_one(2_500, seed=1) > 1_000_000


@pytest.mark.slow
def test_equal_digests_are_equal_texts_in_half_a_billion_pairs() -> None:
    assert one_to_one(100_000, seed=2) > 500_000_000


def test_texts_that_differ_in_one_place_differ_in_digest() -> None:
    texts = [
        "ts_mean(close, 20)", "ts_mean(close, 21)", "ts_mean(open, 20)", "ts_sum(close, 20)",
        "ts_mean(close, 20, least=19)", "ts_mean(close, 20, least=1)", "ts_beta(close, open, 20)",
        "ts_beta(open, close, 20)", "close - open", "open - close", "close / open", "close > open", "close >= open",
        "fill_after(close, 0, open)", "fill_after(close, 1, open)", "fill_after(open, 0, close)",
        "delay(close, 2)", "delta(close, 2)", "where(close, open, low)", "where(close, low, open)",
        "neutralize(close, open, low)", "neutralize(close, low, open)", "group_neutralize(close, open, low)",
        "close + 1e-12", "close + 1e-13", "close ** 2", "2 ** close", "signed_power(close, 2)",
    ]  # fmt: skip

    assert len({parse(text).digest for text in texts}) == len(texts)
