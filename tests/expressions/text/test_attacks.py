"""Texts that must not be expressions: each gets its error at its place, and nothing else ever happens.

`attacks.txt` holds most of them, by kind: attributes, builtins, statements, strings, numbers, windows, malformed
grammar. A line is the text, the column and the problem. Texts that need an escape or a formula are made here.
"""

from __future__ import annotations

import ast
import gc
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

import quantflux.expressions
from quantflux.core.errors import ExpressionError, InvalidRequest
from quantflux.expressions import Field, Node, parse
from quantflux.expressions.text import limits
from quantflux.expressions.text.tokens import tokenize

HERE = Path(__file__).parent
CLOSE = Field("close")


def corpus() -> list[tuple[str, int, str]]:
    """Texts with the column and the problem of their errors."""
    lines = [line.split("\t") for line in (HERE / "attacks.txt").read_text(encoding="ascii").split("\n")]
    return [(fields[0], int(fields[1]), fields[2]) for fields in lines if len(fields) == 3]


def refused(text: str, **options: object) -> ExpressionError:
    """The error of a text, whose place must lie in the text or just behind it."""
    with pytest.raises(ExpressionError) as caught:
        parse(text, **options)  # type: ignore[arg-type]
    error = caught.value
    assert 0 <= error.offset <= len(text)
    line = text.split("\n")[error.line - 1]
    assert 1 <= error.column <= len(line) + 1
    shown = str(error)
    assert error.problem in shown and shown.isascii() and len(shown) < 1500
    assert "\x1b" not in shown and "\r" not in shown
    return error


def test_the_corpus_is_large() -> None:
    assert len({text for text, _, _ in corpus()}) >= 500


@pytest.mark.parametrize(("text", "column", "problem"), corpus(), ids=lambda value: repr(value)[:40])
def test_every_text_of_the_corpus_gets_its_error(text: str, column: int, problem: str) -> None:
    error = refused(text)

    assert (error.column, error.problem) == (column, problem)
    assert f"column {column}" in str(error)


LOOKALIKES = {
    "close \N{MINUS SIGN} open": (7, "did you mean '-'?"),
    "close \N{MULTIPLICATION SIGN} open": (7, "did you mean '*'?"),
    "close \N{DIVISION SIGN} open": (7, "did you mean '/'?"),
    "close \N{EN DASH} open": (7, "did you mean '-'?"),
    "close \N{GREATER-THAN OR EQUAL TO} open": (7, "did you mean '>='?"),
    "rank\N{FULLWIDTH LEFT PARENTHESIS}close)": (5, "did you mean '('?"),
    "rank(close\N{FULLWIDTH RIGHT PARENTHESIS}": (11, "did you mean ')'?"),
    "delay(close\N{FULLWIDTH COMMA}1)": (12, "did you mean ','?"),
    "delay(close\N{IDEOGRAPHIC COMMA}1)": (12, "did you mean ','?"),
    "delay(close, \N{FULLWIDTH DIGIT ONE})": (14, "did you mean '1'?"),
    "close\N{NO-BREAK SPACE}+ open": (6, "did you mean ' '?"),
    "close\N{IDEOGRAPHIC SPACE}+ open": (6, "did you mean ' '?"),
    "\N{FULLWIDTH LATIN SMALL LETTER C}lose": (1, "did you mean 'c'?"),
    "cl\N{CYRILLIC SMALL LETTER O}se": (3, ""),
    "clos\N{CYRILLIC SMALL LETTER IE}": (5, ""),
    "\N{GREEK SMALL LETTER ALPHA}": (1, ""),
    "\N{CJK UNIFIED IDEOGRAPH-6536}": (1, ""),
    "close\N{LATIN SMALL LETTER E WITH ACUTE}": (6, ""),
    "close\N{COMBINING ACUTE ACCENT}": (6, ""),
    "\N{ARABIC-INDIC DIGIT FIVE}": (1, ""),
    "\N{LEFT DOUBLE QUOTATION MARK}close": (1, ""),
    "close \N{RIGHT SINGLE QUOTATION MARK}": (7, ""),
    "close\N{RIGHT-TO-LEFT OVERRIDE} + 1": (6, ""),
    "close\N{LEFT-TO-RIGHT ISOLATE} + 1": (6, ""),
    "\N{RIGHT-TO-LEFT MARK}close": (1, ""),
    "clo\N{ZERO WIDTH SPACE}se": (4, ""),
    "clo\N{ZERO WIDTH JOINER}se": (4, ""),
    "clo\N{SOFT HYPHEN}se": (4, ""),
    "clo\N{WORD JOINER}se": (4, ""),
    "\N{ZERO WIDTH NO-BREAK SPACE}close": (1, ""),
    "close\N{LINE SEPARATOR}+ open": (6, ""),
    "close\N{NEXT LINE}": (6, ""),
    "\N{GRINNING FACE}": (1, ""),
    "close + \N{MATHEMATICAL BOLD SMALL A}": (9, "did you mean 'a'?"),
    "close\N{SUPERSCRIPT TWO}": (6, "did you mean '2'?"),
    "\N{INFINITY}": (1, ""),
    "\ud800": (1, ""),
    "close\udfff": (6, ""),
    "\uffff": (1, ""),
    "\U0010ffff": (1, ""),
    "\ue000": (1, ""),
}


@pytest.mark.parametrize(("text", "place"), LOOKALIKES.items(), ids=lambda value: ascii(value)[:40])
def test_what_is_not_ascii_is_named_by_its_number(text: str, place: tuple[int, str]) -> None:
    error = refused(text)

    culprit = text[place[0] - 1]
    assert (error.column, error.hint) == place
    assert f"U+{ord(culprit):04X} {unicodedata.name(culprit, '')}" in error.problem


@pytest.mark.parametrize(
    "code", [c for c in range(128) if not chr(c).isprintable() and chr(c) not in " \t\r\n"]
)
def test_control_characters_are_refused_wherever_they_stand(code: int) -> None:
    for text in (chr(code), f"close{chr(code)}", f"ts_mean(close,{chr(code)}20)", f"cl{chr(code)}ose"):
        error = refused(text)

        assert error.problem.startswith(f"U+{code:04X} a control character has no meaning here")
        assert error.offset == text.index(chr(code))


def test_white_space_is_blank_tab_and_line_break_and_never_inside_a_token() -> None:
    assert parse("\tdelay (\r\n close ,\n\t1 )  ") is parse("delay(close,1)")
    assert refused("ts_ mean(close, 2)").problem == "an operator is missing between 'ts_' and 'mean'"
    assert refused("close * * 2").column == 9
    assert refused("close > = 2").column == 9


DEEP = {
    "brackets": lambda n: "(" * n + "close" + ")" * n,
    "open brackets": lambda n: "(" * n,
    "calls": lambda n: "abs(" * n + "close" + ")" * n,
    "second arguments": lambda n: "max(1,".replace("1", "low") * n + "close" + ")" * n,
    "minus signs": lambda n: "-" * n + "close",
    "plus signs": lambda n: "+" * n + "close",
    "mixed signs": lambda n: "-!~+"[n % 4] * n + "close",
    "not": lambda n: "not " * n + "close",
    "powers": lambda n: "close**" * n + "close",
    "negative powers": lambda n: "close^-" * (n // 2 + 1) + "close",
    "choices": lambda n: "a?b:" * n + "close",
    "choices within": lambda n: "a?" * n + "close" + ":b" * n,
    "brackets and signs": lambda n: "-(" * (n // 2 + 1) + "close" + ")" * (n // 2 + 1),
}


@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("depth", [33, 64, 500, 1000])
def test_deep_nesting_is_refused(kind: str, depth: int) -> None:
    text = DEEP[kind](depth)[: limits.MAX_LENGTH]

    error = refused(text)

    assert error.problem == "nested more than 32 deep"


@pytest.mark.parametrize("kind", sorted(set(DEEP) - {"open brackets"}))
def test_nesting_up_to_the_limit_is_read(kind: str) -> None:
    halved = kind in {"negative powers", "brackets and signs"}

    parse(DEEP[kind](31 if halved else 32))


@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("size", [10_000, 1_000_000])
def test_long_texts_are_refused_before_they_are_read(kind: str, size: int) -> None:
    text = DEEP[kind](size)

    error = refused(text)

    assert error.problem == f"a text of {len(text):,} characters; an expression has up to 4,096"


def test_the_longest_text_is_read_and_one_character_more_is_not() -> None:
    longest = "close" + " " * (limits.MAX_LENGTH - 5)

    assert parse(longest) is CLOSE
    assert refused(longest + " ").column == limits.MAX_LENGTH + 1


def test_many_terms_are_refused_by_depth_of_the_result() -> None:
    assert parse("+".join(["close"] * 255)).depth == 255
    assert refused("+".join(["close"] * 400)).problem == "the expression is more than 256 operators deep"


def test_numbers_and_names_have_a_length() -> None:
    assert parse("1" * 32) is parse("1.1111111111111111e31")
    assert refused("1" * 33).problem == "a number of 33 characters; numbers have up to 32"
    assert refused("0." + "0" * 40 + "1").problem == "a number of 43 characters; numbers have up to 32"
    assert refused("ts_mean(close, " + "9" * 4000 + ")").problem.startswith("a number of 4,000 characters")
    assert parse("a" * 64) is Field("a" * 64)
    assert refused("a" * 65).problem == "a name of 65 characters; names have up to 64"
    assert refused("$" + "a" * 65).problem == "a name of 65 characters; names have up to 64"
    assert refused("a" * 4000 + "(close)").column == 1


def test_named_expressions_cannot_add_up_to_more_nodes_than_the_limit() -> None:
    names: dict[str, Node] = {}
    for k in range(80):
        total: Node = Field(f"f{k}")
        for n in range(100):
            total = total + float(k * 1000 + n)
        names[f"n{k}"] = total

    error = refused("+".join(names), names=names)

    assert error.problem == "the expression has more than 10,000 nodes, counting what its names stand for"
    assert parse("+".join(list(names)[:40]), names=names).depth == 101 + 39


def test_what_a_name_shares_is_counted_once() -> None:
    doubled: Node = CLOSE
    for _ in range(100):
        doubled = doubled * doubled  # 2 ** 100 paths, 101 nodes

    assert parse("x + 1", names={"x": doubled}).depth == 102


@pytest.mark.parametrize("given", [None, 5, b"close", ["close"], CLOSE])
def test_only_a_str_is_text(given: object) -> None:
    with pytest.raises(InvalidRequest, match="the text of an expression is a str, was "):
        parse(given)  # type: ignore[arg-type]


class Counted(str):
    """Text that counts the characters that are looked at."""

    looked: int = 0

    def __getitem__(self, key: object) -> str:  # type: ignore[override]
        piece = str.__getitem__(self, key)  # type: ignore[index]
        self.looked += len(piece)
        return piece


UNITS = {
    "names": "close + ",
    "long name runs": "a" * 60 + " ",
    "numbers": "1234567890.5e-3 * ",
    "points and digits": "1.5 .5 2. ",
    "symbols": "**&&||<=>=!=",
    "stars": "*",
    "blanks": " " * 50 + "\t\n",
    "brackets": "()(",
    "fields": "$close,",
}


@pytest.mark.parametrize("kind", UNITS)
def test_tokenizing_looks_at_each_character_a_bounded_number_of_times(kind: str) -> None:
    looked = []
    for size in (2_000, 4_000, 64_000):
        text = Counted((UNITS[kind] * size)[: size - size % len(UNITS[kind])])
        tokenize(text)
        looked.append(text.looked / len(text))

    assert max(looked) <= 6
    assert looked[1] < 1.01 * looked[0] and looked[2] < 1.01 * looked[0]


@pytest.mark.parametrize(
    "text", ["a" * 200_000, "1" * 200_000, "1." * 100_000, "1e" * 100_000, "." * 200_000]
)
def test_a_bad_token_is_refused_after_one_pass(text: str) -> None:
    counted = Counted(text)

    with pytest.raises(ExpressionError):
        tokenize(counted)

    assert counted.looked < 2.1 * len(text)


WORK = {
    "many operands": lambda n: " + ".join(f"({' * '.join(['close'] * 8)})" for _ in range(n)),
    "many arguments": lambda n: " - ".join(["ts_mean(close, 20, least=15)"] * n),
    "many levels": lambda n: " or ".join(["a > -b * c ^ d and not x & y"] * n),
    "Qlib's": lambda n: "/".join(["Mean($close>Ref($close,1),5)"] * n),
}


@pytest.mark.parametrize("kind", WORK)
def test_the_work_of_parsing_grows_with_the_length(kind: str) -> None:
    def calls(text: str) -> int:
        made = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal made
            made += event in {"call", "c_call"}

        built = parse(text)  # builds the nodes, so that only reading them is left
        gc.disable()  # what other tests left behind would be counted when it is taken away
        sys.setprofile(count)
        try:
            assert parse(text) == built
        finally:
            sys.setprofile(None)
            gc.enable()
        return made

    assert calls(WORK[kind](40)) < 2.1 * calls(WORK[kind](20))


def sources() -> Iterator[tuple[Path, ast.AST]]:
    """Every file of the package."""
    for path in sorted(Path(quantflux.expressions.__file__).parent.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "open", "input", "globals", "locals", "vars"}
FORBIDDEN_MODULES = {
    "ast",
    "importlib",
    "pickle",
    "marshal",
    "shelve",
    "subprocess",
    "code",
    "codeop",
    "re",
    "builtins",
}


def test_the_package_executes_no_text() -> None:
    checked = 0
    for path, tree in sources():
        for node in ast.walk(tree):
            where = f"{path.name}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import):
                assert not {a.name.split(".")[0] for a in node.names} & FORBIDDEN_MODULES, where
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] not in FORBIDDEN_MODULES, where
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in FORBIDDEN_CALLS, where
                if node.func.id in {"getattr", "setattr", "hasattr", "delattr"}:
                    assert isinstance(node.args[1], ast.Constant), where
        checked += 1
    assert checked > 20


AUDITED = """
import sys
from pathlib import Path
from quantflux.core.errors import ExpressionError
from quantflux.expressions import parse, to_text

texts = Path(sys.argv[1]).read_text(encoding="ascii").split("\\n")
texts = [line.split("\\t")[0] for line in texts] + ["\\u202eclose", "(" * 4096, "rank(ts_corr(close, volume, 10))"]
seen = []
sys.addaudithook(lambda event, arguments: seen.append(event))
read = 0
for text in texts:
    try:
        to_text(parse(text))
    except ExpressionError:
        pass
    read += 1
print(read, sorted(set(seen)))
"""


def test_reading_the_corpus_opens_executes_and_imports_nothing() -> None:
    run = subprocess.run(
        [sys.executable, "-c", AUDITED, str(HERE / "attacks.txt")], capture_output=True, text=True, check=True
    )

    read, seen = run.stdout.split(" ", 1)
    # Every audit event of the interpreter is recorded: open, exec, compile, import, socket, os.*, ctypes and the rest.
    assert int(read) > 500 and seen.strip() in {"[]", "['object.__setattr__']"}
