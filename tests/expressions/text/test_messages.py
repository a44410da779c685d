"""What a user reads who mistypes: each message names the mistake, the place and, where it can, the way out."""

from __future__ import annotations

import pytest

from quantflux.core.errors import ExpressionError
from quantflux.expressions import parse

FIELDS = ["open", "high", "low", "close", "volume", "amount", "industry"]

MISTAKES = {
    "ts_men(close, 20)": "unknown function 'ts_men' (column 1); did you mean ts_mean?",
    "Ts_Mean(close, 20)": "unknown function 'Ts_Mean' (column 1); did you mean ts_mean?",
    "ts_mean(clsoe, 20)": "unknown field 'clsoe' (column 9); did you mean close?",
    "ts_mean(Close, 20)": "unknown field 'Close' (column 9); did you mean close?",
    "ts_mean(close)": "ts_mean(x, window, least=window): window is missing (column 1)",
    "ts_mean(close 20)": "an operator is missing between 'close' and '20' (column 15)",
    "ts_mean(close, 0)": "ts_mean: window must be 1 to 5000, was 0 (column 16)",
    "ts_mean(close, 20, lest=5)": (
        "ts_mean(x, window, least=window) has no argument called 'lest' (column 20); did you mean least?"
    ),
    "ts_mean(close, 20": "this bracket is never closed (column 8); ')' is missing",
    "ts_mean(close, 20))": "this bracket was never opened (column 19); '(' is missing",
    "ts_mean(close, volume)": "ts_mean: window must be a plain number, not an expression (column 16)",
    "delay(close, -1)": (
        "delay: rows must be 0 to 5000, was -1 (column 14); "
        "rows count back from the present; a negative number would look into the future"
    ),
    "close +": "an operand is missing between '+' and the end (column 8)",
    "close + * open": "an operand is missing between '+' and '*' (column 9)",
    "close open": "an operator is missing between 'close' and 'open' (column 7)",
    "2close": (
        "'2close' is not a number (column 1); between a number and a name stands an operator, as in 2 * close"
    ),
    "close = open": "'=' gives an argument a name inside a call (column 7); equality is written ==",
    "close => open": "'=' gives an argument a name inside a call (column 7); write >=",
    "close <> open": "an operand is missing between '<' and '>' (column 8); unequal is written !=",
    "low < close < high": "comparisons cannot be chained (column 13); write a < b and b < c",
    "close > open & volume > 0": "'&' beside '>' needs brackets (column 7); such as (a > b) & c",
    "!close > open": "'!' beside '>' needs brackets (column 8); such as !(a > b)",
    "close adn open": "an operator is missing between 'close' and 'adn' (column 7); did you mean and?",
    "close if close > open else open": (
        "an operator is missing between 'close' and 'if' (column 7); "
        "a choice is written c ? a : b or where(c, a, b)"
    ),
    "close > open ? 1": "this '?' has no ':' after it (column 14); a choice is written c ? a : b",
    "close.shift(1)": (
        "'.' has no meaning here (column 6); "
        "nothing has attributes or methods; functions are called, as in ts_mean(close, 20)"
    ),
    "close[1]": (
        "'[' has no meaning here (column 6); "
        "there are no subscripts or lists; an earlier value is delay(close, 1)"
    ),
    "'close'": (
        '"\'" has no meaning here (column 1); '
        "there is no quoted text; fields and functions are written bare, as in ts_mean(close, 20)"
    ),
    "rank(close\N{FULLWIDTH RIGHT PARENTHESIS}": (
        "U+FF09 FULLWIDTH RIGHT PARENTHESIS has no meaning here: expressions are plain ASCII (column 11); "
        "did you mean ')'?"
    ),
    "close * 5%": ("'%' has no meaning here (column 10); a percentage is written as a fraction: 5 % is 0.05"),
    "close, open": (
        "this ',' stands in no call (column 6); several values have no meaning outside a function's brackets"
    ),
    "Mean(close, 20)": (
        "unknown function 'Mean' (column 1); "
        "it is Qlib's; write fields as $close to have the text read in Qlib's spelling"
    ),
    "Ref($close, -1)": (
        "Ref with -1 rows would look into the future; rows count back from the present (column 13)"
    ),
    "Rsqare($close, 5)": "unknown function 'Rsqare' (column 1); did you mean Rsquare?",
    "$ts_mean($close, 5)": "unknown field 'ts_mean' (column 1); functions are written without '$': ts_mean(...)",
    "close / (high - high * 1) + 1 / 0": "div of 1, 0 is not a finite number (column 31)",
    "ts_corr(close, volume, 1)": "ts_corr needs a window of at least 2 rows, was 1 (column 1)",
    "": "the expression is empty (column 1)",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_the_message_says_what_is_wrong_and_where(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text, fields=FIELDS)

    assert str(caught.value).split("\n")[0] == MISTAKES[text]


def test_the_place_is_marked_below_the_text() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("rank(ts_men(close, 20)) + 1")

    assert str(caught.value).split("\n")[1:] == [
        "  rank(ts_men(close, 20)) + 1",
        "       ^~~~~~",
    ]
    error = caught.value
    assert (error.text, error.offset, error.width) == ("rank(ts_men(close, 20)) + 1", 5, 6)
    assert (error.line, error.column, error.problem) == (1, 6, "unknown function 'ts_men'")


def test_of_several_lines_the_one_at_fault_is_shown() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("ts_mean(\n\tclose,\n    windw=20\n)")

    assert str(caught.value) == (
        "ts_mean(x, window, least=window) has no argument called 'windw' (line 3, column 5); did you mean window?\n"
        "      windw=20\n"
        "      ^~~~~"
    )


def test_of_a_long_text_the_part_around_the_mistake_is_shown() -> None:
    text = " + ".join(["close"] * 100) + " + clo se + " + " + ".join(["open"] * 100)

    with pytest.raises(ExpressionError) as caught:
        parse(text)

    _, shown, mark = str(caught.value).split("\n")
    assert len(shown) < 110 and shown.startswith("  ...") and shown.endswith("...")
    assert shown[mark.index("^") : mark.index("^") + 2] == "se" and mark.strip() == "^~"


def test_what_could_hide_or_mislead_is_not_repeated() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("clo\N{ZERO WIDTH SPACE}se + \N{RIGHT-TO-LEFT OVERRIDE}open")

    assert str(caught.value).split("\n")[1:] == ["  clo?se + ?open", "     ^"]
