"""The process in which a model's files are tried first: they may break it, but nothing else.

It is started by `gate.py` as a script, so that its limits stand before anything of the model's is read, and so that it
imports only what the model needs. Standard input tells what to do, one JSON object; standard output gets the answer,
another. Whatever libraries print goes to standard error.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from quantflux.core.errors import MissingDependency

_FORBIDDEN = frozenset(
    {
        "pickle.find_class",
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.fork",
        "subprocess.Popen",
        "socket.connect",
    }
)
_MOST_WRITTEN = 16 << 20  # bytes that a file of this process may get
_PROBES = 512

_SPARED = {"lightgbm": ("pandas", "sklearn"), "xgboost": ("pandas", "sklearn")}
"""Libraries that these would import if they can, without need: they are most of the time that the child takes."""


def main() -> None:
    """Answer the request on standard input."""
    answer = os.dup(1)
    os.dup2(2, 1)
    request = json.load(sys.stdin)
    limit(request["memory"], request["seconds"])
    sys.addaudithook(_refuse)
    os.write(answer, json.dumps(answer_to(request)).encode())


def limit(memory: int, seconds: int) -> None:
    """Bound this process: its memory in bytes, its processor time, the files it writes, and no core dump."""
    for what, wanted in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, _MOST_WRITTEN),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(what, (most, most))


def answer_to(request: dict[str, Any]) -> dict[str, Any]:
    """Return what the model predicts of the rows, as hexadecimal floats, or what went wrong."""
    rows = np.array([[float.fromhex(value) for value in row] for row in request["rows"]], dtype=np.float32)
    warnings.simplefilter("ignore")
    try:
        found = _tried(Path(request["folder"]), request["kind"], rows, missing=request["missing"])
    except MissingDependency as error:
        return {"missing": [error.package, error.extra]}
    except Exception as error:  # noqa: BLE001 - a hostile file may raise anything
        return {"problem": f"{type(error).__name__}: {error}"[:1000]}
    return {"predictions": [float(value).hex() for value in found]}


def _tried(folder: Path, kind: str, rows: np.ndarray, *, missing: bool) -> np.ndarray:
    from quantflux.learning.models import load  # noqa: PLC0415 - not before the limits stand

    for name in _SPARED.get(kind, ()):
        sys.modules[name] = None  # type: ignore[assignment] # which makes `import` say that there is none
    predictor = load(kind, folder, threads=1)
    # Rows beyond those that are compared reach parts of the model which these do not: what lies there may break now.
    random = np.random.default_rng(0)
    for odd in (False, True):
        made = _like(rows, random, odd=odd, missing=missing)
        told = np.asarray(predictor.predict(made))
        if told.shape != (_PROBES,):
            raise ValueError(f"{_PROBES} rows got predictions of shape {told.shape}")
        if not odd and not np.isfinite(told).all():
            raise ValueError(
                f"{int((~np.isfinite(told)).sum())} of {_PROBES} plain rows got no finite prediction"
            )
    return np.asarray(predictor.predict(rows))


def _like(rows: np.ndarray, random: np.random.Generator, *, odd: bool, missing: bool) -> np.ndarray:
    """Return rows of values like the given ones, or of values of any size, some of them missing."""
    known = np.where(np.isfinite(rows), rows, 0.0)
    made = known[random.integers(len(rows), size=(_PROBES, rows.shape[1])), np.arange(rows.shape[1])]
    made = made * random.normal(1.0, 0.5, made.shape) + random.normal(0.0, 0.01, made.shape)
    if odd:
        made *= 10.0 ** random.integers(-6, 12, made.shape)
        if missing:
            made[random.random(made.shape) < 0.3] = np.nan
    return made.astype(np.float32)


def _refuse(event: str, _: tuple[Any, ...]) -> None:
    if event in _FORBIDDEN:
        raise PermissionError(f"what a model's file leads to may not use {event}")


if __name__ == "__main__":
    main()
