"""Work on factors: computing, judging and checking them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from quantflux.accounts.permissions import Permission
from quantflux.core.errors import InvalidRequest
from quantflux.jobs.told import Told
from quantflux.work.contract import Work
from quantflux.work.hooks import value_hooks
from quantflux.work.requests import ComputeFactors, EvaluateFactors, request_of

if TYPE_CHECKING:
    from quantflux.platform import Platform

_MOST_SERIES = 20


def compute(platform: Platform, payload: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """Bring the stored values of factors up to date: a payload is a `ComputeFactors`.

    Returns
    -------
    dict
        What an update did and why, and which factors of the libraries named the data do not allow.
    """
    wanted = request_of(ComputeFactors, payload)
    engine = platform.factors
    lacks = engine.left_out(wanted.factors)
    done = engine.update(wanted.factors, hooks=value_hooks(told))
    return {
        "factors": list(engine.expressions(wanted.factors)),
        "course": done.decision.course.value,
        "reason": done.decision.reason,
        "days_computed": done.rows_computed,
        "left_out": lacks,
    }


def evaluate(platform: Platform, payload: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """Judge factors: a payload is an `EvaluateFactors`.

    Returns
    -------
    dict
        A report a factor, which factors were turned round as less of them is better, and which were left out.

    Raises
    ------
    InvalidRequest
        If several factors were to be set against others, or series of too many were asked for.
    """
    from quantflux.factors.evaluation import EvaluationPlan, Evaluator  # noqa: PLC0415 - brings the compiler
    from quantflux.factors.market_data import load_market  # noqa: PLC0415
    from quantflux.factors.orientation import oriented, turned_round  # noqa: PLC0415

    wanted = request_of(EvaluateFactors, payload)
    engine = platform.factors
    chosen = engine.registry.select(wanted.factors)
    _check_evaluation(wanted, len(chosen))
    loaded = load_market(platform.data, wanted.start, wanted.end)
    span, hooks = (wanted.start, wanted.end), value_hooks(told)
    values = oriented(engine.compute(wanted.factors, *span, hooks=hooks), chosen, loaded.market)
    beside = None
    if wanted.against:
        others = engine.registry.select(wanted.against)
        beside = oriented(engine.compute(wanted.against, *span, hooks=hooks), others, loaded.market)
    plan = EvaluationPlan(horizon=wanted.horizon, quantiles=wanted.quantiles)
    evaluator = Evaluator(loaded.market, plan, industries=loaded.industries)
    reports = []
    for place, (name, array) in enumerate(values.items()):
        told.check()
        told.progress(place, len(values), "factors judged")
        reports.append(evaluator.report(name, array, beside).to_dict(series=wanted.series))
    return {
        "reports": reports,
        "turned_round": turned_round(chosen, values),
        "left_out": engine.left_out(wanted.factors),
    }


def check(platform: Platform, what: str) -> dict[str, Any]:
    """Take the future away from a factor or an expression and change it: does any earlier value change?

    Parameters
    ----------
    what : str
        The name of a factor, or an expression, in which labels may look ahead.

    Returns
    -------
    dict
        `leaks`, the leak found or None, the values and cuts compared, and the rows that the expression looks back
        (None: over all) and ahead.

    Raises
    ------
    NotFound
        If it is a name, but of no factor, or there are no data.
    ExpressionError
        If it is no expression.
    """
    from quantflux.expressions.nodes import lookback_of  # noqa: PLC0415 - brings the compiler
    from quantflux.factors.formula import meaning  # noqa: PLC0415
    from quantflux.factors.leaks import check_on_data  # noqa: PLC0415

    node = meaning(platform.factors.registry, what).node
    found = check_on_data(node, platform.data)
    return {
        "leaks": found.leak is not None,
        "leak": None if found.leak is None else asdict(found.leak),
        "values": found.values,
        "cuts": found.cuts,
        "looks_back": lookback_of(node),
        "looks_ahead": found.horizon,
    }


def _check_evaluation(wanted: EvaluateFactors, count: int) -> None:
    if wanted.against and count > 1:
        raise InvalidRequest(f"against compares one factor with others, {count} were named")
    if wanted.series and count > _MOST_SERIES:
        raise InvalidRequest(
            f"series are given of at most {_MOST_SERIES} factors at once, {count} were named; name fewer, or set "
            "series to false"
        )


WORK = (
    Work("factors.compute", Permission.FACTORS_COMPUTE, compute),
    Work("factors.evaluate", Permission.FACTORS_COMPUTE, evaluate),
)
