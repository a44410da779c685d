"""Finds a family of models by its name, and checks what is asked of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from quantflux.core.errors import InvalidRequest, MissingSystemLibrary, StoreCorrupt, Unsupported
from quantflux.learning.models.contract import TASKS, Learner, Predictor, Request
from quantflux.learning.models.fitted import read_head
from quantflux.learning.models.parameters import checked

# Where each kind is, and the classes that fit and hold it. Modules are imported when they are wanted: each brings
# a library of its own.
_FAMILIES: Mapping[str, tuple[str, str, str]] = {
    "lightgbm": ("lightgbm", "LightgbmLearner", "LightgbmPredictor"),
    "xgboost": ("xgboost", "XgboostLearner", "XgboostPredictor"),
    "catboost": ("catboost", "CatboostLearner", "CatboostPredictor"),
    "random_forest": ("forest", "ForestLearner", "ForestPredictor"),
    "ridge": ("linear", "LinearLearner", "LinearPredictor"),
    "lasso": ("linear", "LinearLearner", "LinearPredictor"),
    "elastic_net": ("linear", "LinearLearner", "LinearPredictor"),
    "mlp": ("mlp", "MlpLearner", "MlpPredictor"),
    "ensemble": ("ensemble", "EnsembleLearner", "EnsemblePredictor"),
}

KINDS = tuple(_FAMILIES)


def learner(
    kind: str,
    task: str,
    parameters: Mapping[str, Any],
    seed: int,
    *,
    threads: int | None = None,
    classes: int = 0,
) -> Learner:
    """Return what fits a model.

    Parameters
    ----------
    kind, task : str
        One of `KINDS`; one of `TASKS`.
    parameters : mapping
        What differs from the family's defaults.
    seed : int
        From 0 to 2**31 - 1. The same one gives the same model.
    threads : int, optional
        As many as this process may use processors.
    classes : int
        Of a classification: labels are 0 .. classes - 1.

    Raises
    ------
    InvalidRequest
        If a kind, task or parameter is unknown (with similar names) or a value is not allowed.
    Unsupported
        If the kind does not learn the task.
    """
    module = _module(kind)
    _check_task(kind, task, classes)
    if isinstance(seed, bool) or not 0 <= seed < 2**31:
        raise InvalidRequest(
            f"the seed of a model is {seed!r}; valid is a whole number from 0 to {2**31 - 1}"
        )
    if threads is not None and threads < 1:
        raise InvalidRequest(f"{threads} threads cannot fit a model; valid is at least 1")
    known = complete(kind, parameters)
    request = Request(
        kind, task, known, seed, threads or _processors(), classes if task == "classification" else 0
    )
    made: Learner = getattr(module, _FAMILIES[kind][1])(request)
    return made


def load(kind: str, folder: Path, *, threads: int | None = None) -> Predictor:
    """Read a fitted model from a folder.

    Raises
    ------
    InvalidRequest
        If the kind is unknown.
    StoreCorrupt
        If a file is damaged or holds another kind. Some damage ends the process instead: check hashes first.
    MissingDependency
        If the family's library is not installed.
    """
    module, processors = _module(kind), threads or _processors()
    kept = read_head(folder, processors)["kind"]
    if kept != kind:
        raise StoreCorrupt(f"{folder} holds a model of the kind {kept}, not {kind}", str(folder))
    found: Predictor = getattr(module, _FAMILIES[kind][2]).load(folder, processors)
    return found


def defaults(kind: str) -> dict[str, Any]:
    """Return every parameter of a family with its default."""
    return complete(kind, {})


def complete(kind: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return every parameter of a family under its own name: as given, or its default.

    Raises
    ------
    InvalidRequest
        If a kind or parameter is unknown (with similar names) or a value is not allowed.
    """
    return checked(kind, parameters, _parameters(kind), getattr(_module(kind), "ALIASES", None))


def own_name(kind: str, name: str) -> str:
    """Return what a family calls a parameter that has other usual names, or the name if it has none."""
    aliases: Mapping[str, str] = getattr(_module(kind), "ALIASES", {})
    return aliases.get(name, name)


def tasks(kind: str) -> tuple[str, ...]:
    """Return the tasks that a family learns."""
    learnt: tuple[str, ...] = _module(kind).TASKS
    return learnt


def _parameters(kind: str) -> Mapping[str, Any]:
    of_kinds: Mapping[str, Any] = getattr(_module(kind), "OF_KINDS", {})
    found: Mapping[str, Any] = of_kinds[kind] if of_kinds else _module(kind).PARAMETERS
    return found


def _check_task(kind: str, task: str, classes: int) -> None:
    if task not in TASKS:
        raise InvalidRequest(f"there is no task {task!r}; there are: {', '.join(TASKS)}")
    if task not in tasks(kind):
        able = [each for each in KINDS if task in tasks(each)]
        raise Unsupported(
            f"{kind} does not learn {task}, but {' and '.join(tasks(kind))}; {task} is learnt by {', '.join(able)}"
        )
    if task == "classification" and classes < 2:
        raise InvalidRequest(
            f"a classification into {classes} classes; valid is at least 2: label into classes"
        )


def _module(kind: str) -> Any:
    if kind not in _FAMILIES:
        near = get_close_matches(kind, KINDS, n=3)
        hint = f"similar: {', '.join(near)}" if near else f"there are: {', '.join(KINDS)}"
        raise InvalidRequest(f"there is no kind of model {kind!r}; {hint}")
    try:
        return import_module(f"{__package__}.{_FAMILIES[kind][0]}")
    except OSError as error:  # LightGBM's wheel leaves OpenMP to the system
        if "libgomp" not in str(error):
            raise
        raise MissingSystemLibrary(kind, "libgomp.so.1", "libgomp1") from error


def _processors() -> int:
    return len(os.sched_getaffinity(0))
