"""`/api/ml-factor/factors/*`: the 18 built-in factors, custom ones, and their values of a day."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from quantflux.api.v1_compat.asked import Asked
from quantflux.api.v1_compat.book import Book
from quantflux.api.v1_compat.envelope import Refused
from quantflux.api.v1_compat.formula import expression_of
from quantflux.core.errors import InvalidRequest, QuantfluxError, StoreError
from quantflux.data.schema import DAILY, FACTOR_VALUES
from quantflux.factors.definition import FactorDefinition
from quantflux.factors.libraries import load_library
from quantflux.factors.registry import USER_LIBRARY
from quantflux.platform import Platform

logger = logging.getLogger(__name__)

_TYPES: Mapping[str, str] = {
    **dict.fromkeys(("momentum_1d", "momentum_5d", "momentum_20d", "volatility_20d"), "technical"),
    **dict.fromkeys(("volume_ratio_20d", "price_to_ma20"), "technical"),
    **dict.fromkeys(("pe_percentile", "pb_percentile", "ps_percentile"), "fundamental"),
    **dict.fromkeys(("roe_ttm", "roa_ttm", "revenue_growth", "profit_growth"), "fundamental"),
    **dict.fromkeys(("money_flow_strength", "big_order_ratio", "money_flow_momentum"), "money_flow"),
    **dict.fromkeys(("chip_concentration", "winner_rate_change"), "chip"),
}
"""What v1's page groups factors by; it guessed two of them from their names, and wrongly."""

_CUSTOM = "custom"
_LONGEST = 500


@cache
def builtin_ids() -> tuple[str, ...]:
    """Return the ids of the factors that v1 had."""
    return tuple(factor.id for factor in load_library("v1").factors)


def full_name(platform: Platform, factor_id: str) -> str:
    """Return what a factor of v1 is called here, its library first.

    Raises
    ------
    NotFound
        If there is none.
    """
    if factor_id in builtin_ids():
        return f"v1.{factor_id}"
    found = platform.factors.registry.get(factor_id)
    return f"{found.library}.{found.id}"


def short_name(name: str) -> str:
    """Return what v1 called a factor.

    Examples
    --------
    >>> short_name("v1.momentum_5d"), short_name("close / open")
    ('momentum_5d', 'close / open')
    """
    return name.removeprefix("v1.").removeprefix(f"{USER_LIBRARY}.")


def usable(platform: Platform, wanted: Sequence[str]) -> list[str]:
    """Return full names of those factors that the data allow; where none is wanted, of the built-in ones.

    v1 took the values that it found: a factor without data was not among them.

    Raises
    ------
    NotFound
        If a factor is unknown.
    Refused
        404 if the data allow none.
    """
    lacks = platform.factors.left_out(["v1"])
    found = [full_name(platform, each) for each in wanted or builtin_ids() if each not in lacks]
    if not found:
        raise Refused(404, f"未找到因子数据: {next(iter(lacks.values()), '')}")
    return found


def calculate(asked: Asked) -> dict[str, Any]:
    """Compute factors of a day, all or those named, and save them."""
    asked.body.require("trade_date", message="缺少交易日期参数")
    day = asked.body.the_day("trade_date").isoformat()
    return {"trade_date": day, "results": calculated(asked.platform, day, asked)}


def calculated(platform: Platform, day: str, asked: Asked, key: str = "factor_ids") -> Any:
    """Return v1's account of a computation: one entry a factor named, or one for all of them."""
    codes, wanted = asked.body.codes(), asked.body.names(key)
    if not wanted:
        return _all(platform, day, codes)
    names: dict[str, str | Exception] = {}
    for each in wanted:
        try:
            names[each] = full_name(platform, each)
        except QuantfluxError as exc:
            names[each] = exc
    good = {each: name for each, name in names.items() if isinstance(name, str)}
    tables = _together(platform, day, good, codes)
    return [_entry(platform, each, tables.get(each, names[each])) for each in wanted]


def create_custom(asked: Asked) -> dict[str, Any]:
    """Define a factor by a formula, or define it anew."""
    body = asked.body
    for name in ("factor_id", "factor_name", "factor_formula", "factor_type"):
        body.require(name)
    factor_id, formula = body.text("factor_id"), body.text("factor_formula")
    params = body.mapping("params").given
    title, kind, description = (body.text(each) for each in ("factor_name", "factor_type", "description"))
    if max(len(title), len(kind), len(description)) > _LONGEST:
        raise Refused(400, f"factor_name, factor_type and description have at most {_LONGEST} characters")
    registry = asked.platform.factors.registry
    try:
        registry.define(
            factor_id,
            expression_of(formula),
            description=" ".join((description or title).split()),
            owner=asked.caller.owner,
        )
    except InvalidRequest as exc:
        raise Refused(400, f"创建因子失败: {exc}") from exc
    book, now = Book.of(asked.platform, "factors"), asked.platform.clock.now().isoformat(timespec="seconds")
    before = book.get(factor_id) or {}
    book.put(
        factor_id,
        {
            "factor_name": title,
            "factor_type": kind,
            "formula": formula,
            "description": description or None,
            "params": params,
            "created_at": before.get("created_at", now),
            "updated_at": now,
        },
    )
    return {"message": f"成功创建自定义因子: {factor_id}"}


def list_factors(asked: Asked) -> dict[str, Any]:
    """Return the built-in factors and the custom ones, of one type if it is given."""
    kind = asked.query.text("factor_type")
    platform = asked.platform
    told = Book.of(platform, "factors").all()
    found = [_builtin(each) for each in load_library("v1").factors]
    found += [_custom(each, told.get(each.id, {})) for each in platform.factors.registry.user_factors()]
    kept = [each for each in found if not kind or each["factor_type"] == kind]
    return {"factors": kept, "total_count": len(kept)}


def _builtin(factor: FactorDefinition) -> dict[str, Any]:
    return {
        "factor_id": factor.id,
        "factor_name": factor.id.replace("_", " ").title(),
        "factor_type": _TYPES.get(factor.id, "other"),
        "is_builtin": True,
        "is_active": True,
        "description": factor.description,
    }


def _custom(factor: FactorDefinition, told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "factor_id": factor.id,
        "factor_name": told.get("factor_name", factor.id.replace("_", " ").title()),
        "factor_type": told.get("factor_type", _CUSTOM),
        "is_builtin": False,
        "is_active": True,
        "description": told.get("description", factor.description),
        "formula": told.get("formula", factor.expression),
        "params": told.get("params", {}),
        "created_at": told.get("created_at"),
        "updated_at": told.get("updated_at"),
    }


def _all(platform: Platform, day: str, codes: Sequence[str]) -> dict[str, Any]:
    names = ["v1", *(f"{USER_LIBRARY}.{each.id}" for each in platform.factors.registry.user_factors())]
    try:
        table = platform.factors.calculate(_known(platform, codes), day, names)
    except QuantfluxError as exc:
        return {"total_calculated": 0, "error": f"无数据: {exc}"}
    counts = pc.value_counts(table["factor_id"]).to_pylist()
    return {
        "total_calculated": table.num_rows,
        "factor_stats": {each["values"]: each["counts"] for each in counts},
        "saved": _saved(platform, table),
    }


def _together(
    platform: Platform, day: str, names: Mapping[str, str], codes: Sequence[str]
) -> dict[str, pa.Table | Exception]:
    """Return the values of each factor, computed together, or one by one if that is not possible."""
    symbols = _known(platform, codes)
    try:
        table = platform.factors.calculate(symbols, day, list(names.values()))
        return {
            each: table.filter(pc.equal(table["factor_id"], short_name(name))) for each, name in names.items()
        }
    except QuantfluxError:
        found: dict[str, pa.Table | Exception] = {}
        for each, name in names.items():
            try:
                found[each] = platform.factors.calculate(symbols, day, [name])
            except QuantfluxError as exc:
                found[each] = exc
        return found


def _entry(platform: Platform, factor_id: str, found: pa.Table | Exception | str) -> dict[str, Any]:
    if isinstance(found, Exception):
        return {"factor_id": factor_id, "calculated_count": 0, "error": str(found)}
    assert isinstance(found, pa.Table)  # noqa: S101 - a name was replaced by its values
    if not found.num_rows:
        return {"factor_id": factor_id, "calculated_count": 0, "error": "无数据"}
    return {"factor_id": factor_id, "calculated_count": found.num_rows, "saved": _saved(platform, found)}


def _saved(platform: Platform, table: pa.Table) -> bool:
    """Write values; a store that takes none is told as v1 told it."""
    try:
        platform.data.write(FACTOR_VALUES, table)
    except (StoreError, InvalidRequest) as exc:
        logger.warning("factor values were not saved: %s", exc)
        return False
    return bool(table.num_rows)


def _known(platform: Platform, codes: Sequence[str]) -> list[str] | None:
    """Return those of some symbols that have bars; None for all."""
    if not codes:
        return None
    found = sorted(set(codes) & set(platform.data.symbols(DAILY)))
    if not found:
        raise Refused(404, f"none of {', '.join(codes[:5])} has bars")
    return found
