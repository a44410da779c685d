"""Reads model files, TOML or YAML, and plain mappings into `ModelSpec`, and writes such files.

Every mistake is named with its key.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from quantflux.core.documents import Document, read_document
from quantflux.core.errors import InvalidRequest, StoreUnavailable
from quantflux.learning.specification.model import ModelSpec


def read_specification(path: Path) -> ModelSpec:
    """Read a model file.

    Raises
    ------
    InvalidRequest
        If it cannot be read, or listing every problem: file, key, what was found and what would be valid.
    """
    return read_document(path).into(ModelSpec)


def specification_of(values: Mapping[str, Any], called: str = "the model") -> ModelSpec:
    """Return a model from values such as a file holds; `called` is what messages call them.

    Raises
    ------
    InvalidRequest
        Listing every problem.

    Examples
    --------
    >>> spec = specification_of({"id": "first", "features": ["alpha158"]})
    >>> spec.kind, spec.features.names
    ('lightgbm', ('alpha158',))
    >>> specification_of(spec.to_dict()) == spec
    True
    >>> specification_of({"id": "first", "features": ["alpha158"], "kind": "lightgmb"})
    Traceback (most recent call last):
    ...
    quantflux.core.errors.InvalidRequest: the model: kind: found "lightgmb"; valid is one of lightgbm, xgboost, \
catboost, random_forest, ridge, lasso, elastic_net, mlp, ensemble; did you mean lightgbm?
    """
    return Document(called, "", dict(values)).into(ModelSpec)


def write_specification(spec: ModelSpec, path: Path) -> None:
    """Write a model file, in YAML, that `read_specification` reads back as the same model.

    Raises
    ------
    InvalidRequest
        If the file does not end with .yaml or .yml.
    StoreUnavailable
        If it cannot be written.
    """
    from quantflux.core.yaml_core import written  # noqa: PLC0415 - only who writes needs it

    if path.suffix.lower() not in (".yaml", ".yml"):
        raise InvalidRequest(f"{path}: a model is written as YAML; valid endings are .yaml and .yml")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(written(spec.to_dict()), encoding="utf-8")
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be written: {error.strerror or error}") from error


def example() -> str:
    """Return a model file with comments, in TOML, to begin with."""
    return files("quantflux.learning.specification").joinpath("example.toml").read_text("utf-8")
