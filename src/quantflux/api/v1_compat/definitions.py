"""What v1's table `ml_model_definition` held: models that are described, whether or not they are trained.

A trained model is a version in the registry, shared with version 2; what was described and not trained yet, or how v1
described what is trained now, stands in a book beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from quantflux.api.v1_compat.asked import Asked, Values
from quantflux.api.v1_compat.book import Book
from quantflux.api.v1_compat.envelope import Refused
from quantflux.api.v1_compat.factors import builtin_ids, full_name, short_name
from quantflux.core.errors import InvalidRequest
from quantflux.data.schema import DAILY
from quantflux.learning.registry import ModelVersion, check_model_id
from quantflux.learning.specification import ModelSpec, specification_of, specification_of_v1
from quantflux.platform import Platform

REQUIRED = ("model_id", "model_name", "model_type", "factor_list", "target_type")
_FOLDS = 5
_LEAST_PART = 5  # days of a test or valid part


def create_model(asked: Asked) -> dict[str, Any]:
    """Describe a model, to be trained later."""
    row = row_of(asked.body)
    add(asked, row)
    return {"message": f"成功创建模型定义: {row['model_id']}"}


def list_models(asked: Asked) -> dict[str, Any]:
    """Return every model, described or trained."""
    platform = asked.platform
    rows = {name: _shown(row) for name, row in Book.of(platform, "models").all().items()}
    for version in platform.models.registry.list():
        rows.setdefault(version.id, _trained(platform, version))
    return {"models": [rows[name] for name in sorted(rows)], "total_count": len(rows)}


def row_of(body: Values) -> dict[str, Any]:
    """Return the definition that a request gives, in v1's words."""
    for name in REQUIRED:
        body.require(name)
    return {
        "model_id": body.text("model_id"),
        "model_name": body.text("model_name"),
        "model_type": body.text("model_type"),
        "factor_list": body.names("factor_list"),
        "target_type": body.text("target_type"),
        "model_params": body.mapping("model_params").given or None,
        "training_config": body.mapping("training_config").given or None,
    }


def add(asked: Asked, row: Mapping[str, Any]) -> None:
    """Keep a definition.

    Raises
    ------
    Refused
        409 if the id is taken, 400 if the definition can mean nothing here.
    """
    platform, name = asked.platform, check_model_id(row["model_id"])
    book = Book.of(platform, "models")
    if book.get(name) is not None or platform.models.registry.list(name):
        raise Refused(409, f"创建模型定义失败: {name} exists already")
    meant(platform, row)
    now = platform.clock.now().isoformat(timespec="seconds")
    book.put(name, {**row, "created_at": now, "updated_at": now, "owner": asked.caller.owner})


def meant(platform: Platform, row: Mapping[str, Any]) -> ModelSpec:
    """Return the model that a row of v1 means; custom factors may be among its features.

    Raises
    ------
    InvalidRequest, NotFound
        If it means nothing here; says why.
    """
    names = [full_name(platform, each) for each in row["factor_list"]]
    spec = specification_of_v1({**row, "factor_list": [builtin_ids()[0]]})
    told = spec.to_dict()
    told["features"] = {**told["features"], "names": names}
    return specification_of(told, f"v1's model {row['model_id']}")


def to_train(platform: Platform, model_id: str, start: date, end: date) -> ModelSpec:
    """Return a model as it is to be trained on some days.

    Raises
    ------
    Refused
        404 if there is none of that id.
    InvalidRequest
        If the days are too few.
    """
    row = Book.of(platform, "models").get(model_id)
    registry = platform.models.registry
    if row is not None:
        spec = meant(platform, row)
    elif registry.list(model_id):
        spec = registry.load(registry.get(model_id)).spec
    else:
        raise Refused(404, f"no model is called {model_id!r:.60}")
    told = spec.to_dict()
    told["universe"] = {**told.get("universe", {}), "start": start, "end": end}
    if row is not None:
        told["split"] = _split(platform, spec, start, end)
    return specification_of(told, f"the model {model_id}")


def _split(platform: Platform, spec: ModelSpec, start: date, end: date) -> dict[str, Any]:
    """Return folds along time that fit into so many days: as many as v1 meant, or fewer."""
    times = platform.data.panel(["close"], None, start, end, dataset=DAILY).times
    reach = spec.label.horizon + 1
    usable = len(times) - 3 * reach
    for folds in range(spec.split.folds or _FOLDS, 0, -1):
        part = usable // (folds + 5)  # valid and each test; four of them are left to learn from
        if part >= _LEAST_PART:
            train = usable - (folds + 1) * part
            return {"train": train, "valid": part, "test": part, "folds": folds, "expanding": True}
    need = 6 * _LEAST_PART + 3 * reach
    raise InvalidRequest(
        f"there are {len(times)} trading days from {start} to {end}; a model of {spec.label.horizon} days needs {need}"
    )


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    columns = (*REQUIRED, "model_params", "training_config", "created_at", "updated_at")
    return {"is_active": True, **{name: row.get(name) for name in columns}}


def _trained(platform: Platform, version: ModelVersion) -> dict[str, Any]:
    """Return a model that version 2 made, in v1's words."""
    model = platform.models.registry.load(version)
    label = model.spec.label
    return {
        "model_id": version.id,
        "model_name": version.name or version.id,
        "model_type": version.kind,
        "factor_list": [short_name(name) for name in model.digests],
        "target_type": f"return_{label.horizon}d" if label.kind == "return" else str(label.expression),
        "model_params": dict(model.spec.parameters),
        "training_config": None,
        "is_active": True,
        "created_at": version.created.isoformat(timespec="seconds"),
        "updated_at": version.since.isoformat(timespec="seconds"),
    }
