"""What functions are called in text: the operators' own names, and the other names that the field knows them by."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches
from types import MappingProxyType

import quantflux.expressions.operators  # noqa: F401 - fills OPERATORS
from quantflux.expressions.arguments import signature
from quantflux.expressions.nodes import OPERATORS, Family, Node

ALIASES = MappingProxyType(
    {
        "correlation": "ts_corr",
        "corr": "ts_corr",
        "ts_correlation": "ts_corr",
        "covariance": "ts_cov",
        "cov": "ts_cov",
        "ts_covariance": "ts_cov",
        "stddev": "ts_std",
        "std": "ts_std",
        "ts_stddev": "ts_std",
        "ts_std_dev": "ts_std",
        "variance": "ts_var",
        "ts_variance": "ts_var",
        "sum": "ts_sum",
        "mean": "ts_mean",
        "ts_average": "ts_mean",
        "ts_avg": "ts_mean",
        "median": "ts_median",
        "skewness": "ts_skew",
        "ts_skewness": "ts_skew",
        "kurtosis": "ts_kurt",
        "ts_kurtosis": "ts_kurt",
        "product": "ts_product",
        "ts_prod": "ts_product",
        "ts_arg_max": "ts_argmax",
        "ts_arg_min": "ts_argmin",
        "ts_delay": "delay",
        "ref": "delay",
        "shift": "delay",
        "lag": "delay",
        "ts_delta": "delta",
        "diff": "delta",
        "decay": "decay_linear",
        "wma": "decay_linear",
        "ts_decay_linear": "decay_linear",
        "ewma": "ema",
        "signedpower": "signed_power",
        "pow": "power",
        "ln": "log",
        "iif": "where",
        "if_else": "where",
        "cs_rank": "rank",
        "cs_zscore": "zscore",
        "cs_demean": "demean",
        "cs_scale": "scale",
        "indneutralize": "group_demean",
        "indneutralise": "group_demean",
        "neutralise": "neutralize",
        "group_neutralise": "group_neutralize",
        "winsorise": "winsorize",
    }
)
"""Other names of operators, as in the WorldQuant papers, pandas and charting software.

A name that means different things to different people is left out: `greater` (larger of two, or a comparison?), `count`
(of numbers, or of what is true?), `quantile`. `min(x, y)` and `max(x, y)` are always the smaller and larger of two
values, also where y is a number, although some papers mean the extreme of the last y rows, which is `ts_min(x, y)`.
"""


def function(name: str) -> type[Node] | None:
    """Return the operator of that name or alias; None if there is none.

    Examples
    --------
    >>> function("correlation") is function("ts_corr")
    True
    """
    operator = OPERATORS.get(ALIASES.get(name, name))
    return None if operator is None or operator.family is Family.INPUT else operator


def how_to_call(operator: type[Node]) -> str:
    """Return how a call is written.

    Examples
    --------
    >>> how_to_call(function("ref")), how_to_call(function("neutralize"))
    ('delay(x, rows)', 'neutralize(x, ...)')
    """
    if takes_any_number(operator):
        return f"{operator.name}(x, ...)"
    return signature(operator.name, operator.arguments)


def takes_any_number(operator: type[Node]) -> bool:
    """Whether it takes inputs without names, as many as are given, instead of the arguments it lists."""
    return operator.__new__ is not Node.__new__


def similar(name: str, known: Iterable[str]) -> str:
    """Return a hint with the known names that come nearest, whatever their case; empty if none does.

    Examples
    --------
    >>> similar("ts_men", ["ts_mean", "rank"])
    'did you mean ts_mean?'
    """
    by_lower: dict[str, str] = {}
    for candidate in known:
        by_lower.setdefault(candidate.lower(), candidate)
    nearest = get_close_matches(name.lower(), by_lower, n=3, cutoff=0.65)
    closeness = {n: SequenceMatcher(None, n, name.lower()).ratio() for n in nearest}
    nearest = [n for n in nearest if closeness[n] > closeness[nearest[0]] - 0.05]
    return f"did you mean {' or '.join(by_lower[n] for n in nearest)}?" if nearest else ""


def function_names() -> list[str]:
    """Return every name and alias that can be called, sorted."""
    own = [name for name, operator in OPERATORS.items() if operator.family is not Family.INPUT]
    return sorted([*own, *ALIASES])
