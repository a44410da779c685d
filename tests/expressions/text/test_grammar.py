"""How texts are read: precedence, calls, names. The right sides of the table are built in Python, call by call."""

from __future__ import annotations

import ast
import functools
import itertools

import pytest

from quantflux.core.errors import ExpressionError, InvalidRequest, NotFound
from quantflux.expressions import Constant, Field, Node, functions, parse
from quantflux.expressions import functions as fn
from quantflux.expressions.nodes import OPERATOR_WORDS, OPERATORS, Family
from quantflux.expressions.text.names import ALIASES

A, B, C, D = (Field(name) for name in "abcd")

READINGS = {
    "a": A,
    " a ": A,
    "((a))": A,
    "+a": A,
    "5": Constant(5),
    "-5": Constant(-5),
    "5.": Constant(5),
    ".5": Constant(0.5),
    "05": Constant(5),
    "1e-12": Constant(1e-12),
    "1E+3": Constant(1000),
    "2.5e3": Constant(2500),
    "1.7976931348623157e308": Constant(1.7976931348623157e308),
    "5e-324": Constant(5e-324),
    "0e-999": Constant(0),
    # From left to right, products before sums.
    "a - b - c": fn.sub(fn.sub(A, B), C),
    "a - (b - c)": fn.sub(A, fn.sub(B, C)),
    "a / b / c": fn.div(fn.div(A, B), C),
    "a / b * c": fn.mul(fn.div(A, B), C),
    "a + b * c": fn.add(A, fn.mul(B, C)),
    "(a + b) * c": fn.mul(fn.add(A, B), C),
    "a * b + c / d": fn.add(fn.mul(A, B), fn.div(C, D)),
    "a-b*-c": fn.sub(A, fn.mul(B, fn.neg(C))),
    # Powers from right to left, before a sign on their left, after one in the exponent.
    "a ** b ** c": fn.power(A, fn.power(B, C)),
    "(a ^ b) ^ c": fn.power(fn.power(A, B), C),
    "a ^ b ** c": fn.power(A, fn.power(B, C)),
    "-a ** b": fn.neg(fn.power(A, B)),
    "-a ^ 2": fn.neg(fn.power(A, 2)),
    "(-a) ** b": fn.power(fn.neg(A), B),
    "a ** -b": fn.power(A, fn.neg(B)),
    "a ** -b ** c": fn.power(A, fn.neg(fn.power(B, C))),
    "a ** -b * c": fn.mul(fn.power(A, fn.neg(B)), C),
    "a * b ** c": fn.mul(A, fn.power(B, C)),
    "-2 ** 2": Constant(-4),
    "(-2) ** 2": Constant(4),
    "--a": fn.neg(fn.neg(A)),
    "- + - a": fn.neg(fn.neg(A)),
    "-a * b": fn.mul(fn.neg(A), B),
    "-a - -b": fn.sub(fn.neg(A), fn.neg(B)),
    # Comparisons after arithmetic; logic after comparisons.
    "a > b": fn.gt(A, B),
    "a < b": fn.gt(B, A),
    "a >= b": fn.ge(A, B),
    "a <= b": fn.ge(B, A),
    "a == b": fn.eq(A, B),
    "a != b": fn.ne(A, B),
    "a + b > c * d": fn.gt(fn.add(A, B), fn.mul(C, D)),
    "(a > b) == (c > d)": fn.eq(fn.gt(A, B), fn.gt(C, D)),
    "a > b and c > d": fn.and_(fn.gt(A, B), fn.gt(C, D)),
    "a > b && c > d": fn.and_(fn.gt(A, B), fn.gt(C, D)),
    "(a > b) & (c > d)": fn.and_(fn.gt(A, B), fn.gt(C, D)),
    "a or b and c": fn.or_(A, fn.and_(B, C)),
    "a || b && c": fn.or_(A, fn.and_(B, C)),
    "(a or b) and c": fn.and_(fn.or_(A, B), C),
    "a | b & c": fn.or_(A, fn.and_(B, C)),
    "a & b + c": fn.and_(A, fn.add(B, C)),
    "a and b | c": fn.and_(A, fn.or_(B, C)),
    "not a": fn.not_(A),
    "!a": fn.not_(A),
    "~a": fn.not_(A),
    "not not a": fn.not_(fn.not_(A)),
    "not a > b": fn.not_(fn.gt(A, B)),
    "!(a > b)": fn.not_(fn.gt(A, B)),
    "a > !b": fn.gt(A, fn.not_(B)),
    "not a and b": fn.and_(fn.not_(A), B),
    "not a & b": fn.not_(fn.and_(A, B)),
    "!a & b": fn.and_(fn.not_(A), B),
    "a and not b": fn.and_(A, fn.not_(B)),
    "!a ** b": fn.not_(fn.power(A, B)),
    "!-a": fn.not_(fn.neg(A)),
    # Choices last of all, from right to left.
    "a ? b : c": fn.where(A, B, C),
    "a > b ? c : d": fn.where(fn.gt(A, B), C, D),
    "a or b ? c : d": fn.where(fn.or_(A, B), C, D),
    "a ? b : c ? d : a": fn.where(A, B, fn.where(C, D, A)),
    "a ? b ? c : d : a": fn.where(A, fn.where(B, C, D), A),
    "(a ? b : c) ? d : a": fn.where(fn.where(A, B, C), D, A),
    "a ? b + 1 : c - 1": fn.where(A, fn.add(B, 1), fn.sub(C, 1)),
    "abs(a ? b : c)": fn.abs(fn.where(A, B, C)),
    "max(a ? b : c, d)": fn.max(fn.where(A, B, C), D),
    # Calls.
    "ts_mean(a, 20)": fn.ts_mean(A, 20),
    "ts_mean ( a , 20 )": fn.ts_mean(A, 20),
    "ts_mean(a, 20, 15)": fn.ts_mean(A, 20, least=15),
    "ts_mean(a, 20, least=15)": fn.ts_mean(A, 20, least=15),
    "ts_mean(a, least=15, window=20)": fn.ts_mean(A, 20, least=15),
    "ts_mean(window=20, x=a)": fn.ts_mean(A, 20),
    "ts_mean(a, 2 * 10)": fn.ts_mean(A, 20),
    "ts_mean(a, (20))": fn.ts_mean(A, 20),
    "ts_mean(a, 2e1)": fn.ts_mean(A, 20),
    "ts_corr(a + 1, b / c, 10)": fn.ts_corr(fn.add(A, 1), fn.div(B, C), 10),
    "ts_quantile(a, 5, .2)": fn.ts_quantile(A, 5, 0.2),
    "fill_after(a, -1, b)": fn.fill_after(A, -1, B),
    "scale(a, a=-1)": fn.scale(A, -1),
    "neutralize(a, b, c)": fn.neutralize(A, B, C),
    "group_neutralize(a, b, c)": fn.group_neutralize(A, B, C),
    "ts_rank(rank(a), 5) * rank(-b)": fn.mul(fn.ts_rank(fn.rank(A), 5), fn.rank(fn.neg(B))),
    "min(a, 5)": fn.min(A, 5),
    "and_(a, b)": fn.and_(A, B),
    # A name is a function only where it is called.
    "rank": Field("rank"),
    "rank(rank)": fn.rank(Field("rank")),
    "if": Field("if"),
    "_x9": Field("_x9"),
}


@pytest.mark.parametrize("text", READINGS)
def test_a_text_is_read_as_it_is_built(text: str) -> None:
    assert parse(text) is READINGS[text]


ARITHMETIC = ["or", "and", "|", "&", "+", "-", "*", "/", "**"]
COMPARISONS = [">", ">=", "<", "<=", "==", "!="]
SIGNS = ["", "-", "not ", "~"]


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("first", ARITHMETIC + COMPARISONS)
def test_operators_group_as_in_python_or_brackets_are_asked_for(first: str, sign: str) -> None:
    for second, inner in itertools.product(ARITHMETIC + COMPARISONS, SIGNS):
        text = f"{sign}a {first} {inner}b {second} c"
        chained = first in COMPARISONS and second in COMPARISONS
        unclear = {first, second} & {"|", "&"} and {first, second} & set(COMPARISONS)
        try:
            tree = ast.parse(text, mode="eval").body
        except SyntaxError:
            tree = None
        try:
            read = parse(text)
        except ExpressionError as error:
            bracketed = "needs brackets" in error.problem
            assert tree is None or chained or ((unclear or sign == "~" or inner == "~") and bracketed), text
        else:
            assert tree is not None and read is from_python(tree), text


PYTHON = {
    ast.Add: fn.add,
    ast.Sub: fn.sub,
    ast.Mult: fn.mul,
    ast.Div: fn.div,
    ast.Pow: fn.power,
    ast.BitAnd: fn.and_,
    ast.And: fn.and_,
    ast.BitOr: fn.or_,
    ast.Or: fn.or_,
    ast.Not: fn.not_,
    ast.Invert: fn.not_,
    ast.USub: fn.neg,
    ast.Gt: fn.gt,
    ast.GtE: fn.ge,
    ast.Lt: lambda x, y: fn.gt(y, x),
    ast.LtE: lambda x, y: fn.ge(y, x),
    ast.Eq: fn.eq,
    ast.NotEq: fn.ne,
}


def from_python(tree: ast.expr) -> Node:
    """The expression of a Python expression, grouped as Python groups it."""
    if isinstance(tree, ast.Name):
        return Field(tree.id)
    if isinstance(tree, ast.UnaryOp):
        return PYTHON[type(tree.op)](from_python(tree.operand))
    if isinstance(tree, ast.BoolOp):
        return functools.reduce(PYTHON[type(tree.op)], map(from_python, tree.values))
    if isinstance(tree, ast.Compare):
        assert len(tree.ops) == 1
        return PYTHON[type(tree.ops[0])](from_python(tree.left), from_python(tree.comparators[0]))
    assert isinstance(tree, ast.BinOp)
    return PYTHON[type(tree.op)](from_python(tree.left), from_python(tree.right))


@pytest.mark.parametrize("alias", ALIASES)
def test_aliases_name_operators_and_hide_none(alias: str) -> None:
    assert alias not in OPERATORS
    assert OPERATORS[ALIASES[alias]].family is not Family.INPUT


def test_the_papers_names_mean_our_operators() -> None:
    assert parse("correlation(a, b, 10)") is fn.ts_corr(A, B, 10)
    assert parse("covariance(a, b, 10)") is fn.ts_cov(A, B, 10)
    assert parse("stddev(a, 20)") is fn.ts_std(A, 20)
    assert parse("sum(a, 5) / product(b, 5)") is fn.ts_sum(A, 5) / fn.ts_product(B, 5)
    assert parse("signedpower(a, 2)") is fn.signed_power(A, 2)
    assert parse("indneutralize(a, b)") is fn.group_demean(A, B)
    assert parse("ts_delay(a, 1) + ref(a, 2)") is fn.delay(A, 1) + fn.delay(A, 2)
    assert parse("decay(a, 5)") is fn.decay_linear(A, 5)


def test_there_is_a_function_for_every_operator() -> None:
    wanted = {
        name: operator
        for name, operator in OPERATORS.items()
        if operator.family is not Family.INPUT and name != "lead"  # of labels alone
    }
    there = {name: value for name, value in vars(functions).items() if isinstance(value, type)}

    assert there == wanted


@pytest.mark.parametrize("word", sorted(OPERATOR_WORDS))
def test_a_word_that_is_an_operator_names_no_field(word: str) -> None:
    with pytest.raises(InvalidRequest, match="that word is an operator"):
        Field(word)
    with pytest.raises(ExpressionError, match="that word is an operator"):
        parse(f"${word}")


# Names and fields.


def test_a_named_expression_stands_for_its_node() -> None:
    names = {"mom": fn.pct_change(A, 20), "vol": fn.ts_std(A, 20)}

    assert parse("mom / vol", names=names) is names["mom"] / names["vol"]
    assert parse("mom / vol", names=names.get) is names["mom"] / names["vol"]
    assert parse("mom / b", names=names) is names["mom"] / B
    assert parse("mom") is Field("mom")


def test_only_known_fields_are_fields_when_they_are_listed() -> None:
    fields = {"close", "open", "volume"}

    assert parse("close / open", fields=fields) is Field("close") / Field("open")
    with pytest.raises(ExpressionError, match=r"unknown field 'closs' \(column 8\); did you mean close\?"):
        parse("open / closs", fields=fields)
    with pytest.raises(
        ExpressionError, match=r"unknown field 'turnover' .*; the fields are close, open, volume"
    ):
        parse("turnover", fields=fields)
    with pytest.raises(ExpressionError, match=r"unknown field 'x' .*; there are no fields"):
        parse("x", fields=())
    with pytest.raises(ExpressionError, match=r"rank is a function .*; it is called as rank\(x\)"):
        parse("rank + 1", fields=fields)
    with pytest.raises(
        ExpressionError, match=r"unknown function 'close' .*; it is a field, whose value n rows ago"
    ):
        parse("close(5)", fields=fields)


def test_names_are_offered_where_a_field_is_unknown() -> None:
    with pytest.raises(ExpressionError, match=r"unknown field 'momentun' .* did you mean momentum\?"):
        parse("momentun", names={"momentum": A}, fields={"close"})


def test_a_name_that_is_both_is_refused_and_a_dollar_means_the_field() -> None:
    with pytest.raises(ExpressionError, match="'a' is both a field and a named expression"):
        parse("a + 1", names={"a": B}, fields={"a", "b"})

    assert parse("$a + 1", names={"a": B}, fields={"a", "b"}) is A + 1
    assert parse("$a + 1", names={"a": B}) is A + 1


def test_what_a_resolver_raises_is_shown_at_the_name() -> None:
    def resolve(name: str) -> Node | None:
        raise NotFound(f"the library of {name} is not installed")

    with pytest.raises(ExpressionError, match="x: the library of x is not installed") as caught:
        parse("1 + x", names=resolve)
    assert caught.value.column == 5
    with pytest.raises(InvalidRequest, match="names must map to expressions, 'a' was a str"):
        parse("a", names={"a": "b + c"})  # type: ignore[dict-item]


def test_the_dialect_is_one_of_three() -> None:
    with pytest.raises(InvalidRequest, match="dialect must be 'auto', 'native' or 'qlib', was 'python'"):
        parse("a", dialect="python")  # type: ignore[arg-type]
    with pytest.raises(ExpressionError, match="a field is written without '\\$'"):
        parse("$a", dialect="native")
