"""Texts that nobody would write, and what must hold of each: an expression that reads back, or an error at a place."""

from __future__ import annotations

import random
import resource
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from quantflux.core.errors import ExpressionError, InvalidRequest
from quantflux.expressions import Node, parse, to_text
from quantflux.expressions.text.grammar import INFIX, PREFIX
from quantflux.expressions.text.limits import MAX_LENGTH
from quantflux.expressions.text.names import function_names
from quantflux.expressions.text.qlib import FUNCTIONS

TOKENS = [
    *INFIX,
    *PREFIX,
    *"(),=?:()(),,",
    *function_names(),
    *(f"{name}(" for name in [*function_names(), *FUNCTIONS]),
    *FUNCTIONS,
    *(
        "close",
        "open",
        "$close",
        "$volume",
        "0",
        "1",
        "20",
        "0.5",
        "1e-12",
        "5000",
        "1e308",
        "least=",
        "window=",
        "x=",
    ),
    *(
        ".",
        "'",
        '"',
        "[",
        "]",
        "$",
        "$$",
        "#",
        ";",
        "\\",
        "\x00",
        "\ufeff",
        "\u202e",
        "\uff08",
        "\ud800",
        "\n",
        "\t",
        " ",
    ),
]
SOUND = [
    "rank(ts_corr(close, volume, 10)) * -1",
    "close > delay(close, 1) and volume > ts_mean(volume, 5) ? 1 : 0",
    "(-1 * rank(ts_std(abs(close - open), 5) + (close - open) + ts_corr(close, open, 10)))",
    "Mean($close>Ref($close, 1), 20)-Mean($close<Ref($close, 1), 20)",
    "Corr($close/Ref($close,1), Log($volume/Ref($volume, 1)+1), 5)",
    "ts_mean(close, 20, least=15) / close ** 2 - !(open == low) | high & 1",
    "where(close > open, fill_after(close, -1, open), neutralize(close, open, low))",
]
CORPUS = [
    line.split("\t")[0]
    for line in (Path(__file__).parent / "attacks.txt").read_text(encoding="ascii").split("\n")
    if "\t" in line
]


def strange_text(rng: random.Random) -> str:
    """A text made of tokens, of characters, or of a sound text or an attack that was damaged."""
    kind = rng.random()
    if kind < 0.3:
        return rng.choice(["", " "]).join(rng.choice(TOKENS) for _ in range(rng.randint(1, 40)))
    if kind < 0.4:
        return "".join(
            chr(rng.choice([rng.randrange(128), rng.randrange(0x11_0000)])) for _ in range(rng.randint(0, 60))
        )
    if kind < 0.55:
        return _derived(rng, rng.randint(0, 5))
    text = rng.choice(SOUND if kind < 0.8 else CORPUS)
    for _ in range(rng.randint(1, 4)):
        text = _damaged(rng, text)
    return text


def _derived(rng: random.Random, depth: int) -> str:
    # Text that follows the grammar, though what it means may be refused.
    if depth == 0:
        return rng.choice(["close", "open", "$low", "1", "0.5", "20", "2e3", "industry"])
    one, other = (_derived(rng, rng.randint(0, depth - 1)) for _ in range(2))
    kind = rng.random()
    if kind < 0.4:
        return f"{one} {rng.choice(list(INFIX))} {other}"
    if kind < 0.55:
        return f"{rng.choice(list(PREFIX))} {one}"
    if kind < 0.7:
        return f"({one})"
    if kind < 0.75:
        return f"{one} ? {other} : {_derived(rng, depth - 1)}"
    name = rng.choice([*function_names(), *FUNCTIONS])
    return f"{name}({', '.join(rng.choice([one, other, '5']) for _ in range(rng.randint(1, 4)))})"


def _damaged(rng: random.Random, text: str) -> str:
    first, last = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
    kind = rng.randrange(7)
    if kind == 0:
        return text[:first] + text[first + rng.randint(1, 3) :]
    if kind == 1:
        return text[:first] + rng.choice(TOKENS) + text[first:]
    if kind == 2:
        return text[:first] + text[first:last] * rng.randint(2, 60) + text[last:]
    if kind == 3:
        return text[:first] + rng.choice(SOUND)[:last] + text[last:]
    if kind == 4:
        return f"{rng.choice(TOKENS)}({text}" + ")" * rng.randint(0, 2)
    if kind == 5:
        return text[:first] + chr(rng.randrange(256)) + text[first + 1 :]
    return text[last:] + text[first:last] + text[:first]


@dataclass
class Findings:
    """What a run saw."""

    read: int = 0
    refused: int = 0
    unwritten: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    slowest: str = ""

    def line(self) -> str:
        """One line for a report."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return (
            f"{self.read + self.refused:,} texts: {self.read:,} read ({self.unwritten} not written), "
            f"{self.refused:,} refused in {len(self.problems)} ways; longest {1000 * self.longest:.1f} ms of "
            f"processor time for {len(self.slowest)} characters {self.slowest[:60]!r}; peak {peak:.0f} MB"
        )


def examine(text: str, findings: Findings) -> None:
    """Parse a text and hold the result to what is promised; anything but `ExpressionError` passes through."""
    began = time.thread_time()
    node: Node | None
    error: ExpressionError | None
    try:
        node = parse(text)
        error = None
    except ExpressionError as exc:
        node, error = None, exc
    spent = time.thread_time() - began
    if spent > findings.longest:
        findings.longest, findings.slowest = spent, text
    if node is not None:
        findings.read += 1
        _reads_back(node, findings)
    if error is not None:
        findings.refused += 1
        findings.problems[" ".join(error.problem.split()[:3])] += 1
        _shows_the_place(error, text)


def _shows_the_place(error: ExpressionError, text: str) -> None:
    assert 0 <= error.offset <= min(len(text), MAX_LENGTH) and error.column >= 1, text
    shown = str(error)
    assert shown.isascii() and len(shown) < 1500 and shown.count("\n") == 2, text
    assert error.problem.isprintable(), text


def _reads_back(node: Node, findings: Findings) -> None:
    try:
        written = to_text(node)
    except InvalidRequest:
        findings.unwritten += 1  # a short text can have a long one in our spelling, such as Qlib's WMA
        return
    assert parse(written) is node, written
