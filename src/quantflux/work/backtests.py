"""Work on backtests: running, comparing, sweeping and replaying them, and the shelf on which their records stand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from quantflux.accounts.permissions import Permission
from quantflux.core.errors import InvalidRequest
from quantflux.jobs.told import Told
from quantflux.work.contract import Work
from quantflux.work.documents import run_document, sweep_sets
from quantflux.work.hooks import steps, value_hooks
from quantflux.work.records import RecordShelf
from quantflux.work.requests import CompareRuns, request_of

if TYPE_CHECKING:
    from quantflux.platform import Platform

OWNER = "owner"
"""Key of a payload under which stands whose work it is; never a caller's own word."""


def shelf_of(platform: Platform) -> RecordShelf:
    """Return where the records of an installation's backtests stand."""
    return RecordShelf(platform.settings.data_dir / "backtests" / "records")


def run(platform: Platform, payload: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """Carry out a backtest and keep its record: `owner`, `run` (a run file's content) and `rules`.

    Returns
    -------
    dict
        The `id` of its record, the study, and how many strategies were tried on these data.
    """
    from quantflux.backtest.report import as_plain  # noqa: PLC0415 - brings the compiler

    run_file = run_document(payload["run"])
    backtester = platform.backtests
    done = backtester.run(run_file, ladder=bool(payload.get("rules", True)), hooks=value_hooks(told))
    told.check()
    study = as_plain(done.study)
    kept = shelf_of(platform).keep(str(payload[OWNER]), done.record, study)
    return {"id": kept, "study": study, "trials": backtester.trials()}


def compare(platform: Platform, payload: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """Carry out several backtests over the same days: a payload is a `CompareRuns`, and the `owner`.

    Returns
    -------
    dict
        The `ids` of the records, the `studies` in the order of the runs, and in which keys the runs differ.
    """
    from quantflux.backtest.report import as_plain  # noqa: PLC0415 - brings the compiler
    from quantflux.backtest.runs.comparison import check_comparable, differing  # noqa: PLC0415

    rest = {key: value for key, value in payload.items() if key != OWNER}
    wanted = request_of(CompareRuns, rest)
    runs = [run_document(each) for each in wanted.runs]
    check_comparable(runs)
    done = platform.backtests.compare(
        runs, ladder=wanted.rules, hooks=value_hooks(told), progress=_checked(told, "runs simulated")
    )
    shelf, studies = shelf_of(platform), [as_plain(each.study) for each in done]
    ids = [
        shelf.keep(str(payload[OWNER]), each.record, study) for each, study in zip(done, studies, strict=True)
    ]
    return {
        "ids": ids,
        "studies": studies,
        "differing": {key: list(values) for key, values in differing(runs).items()},
    }


def sweep(platform: Platform, payload: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """Try every combination of the values under a run's `sweep`: `run`. What is done when it is cancelled is told.

    Raises
    ------
    InvalidRequest
        If there is no sweep, or no set of it could be carried out.
    """
    from quantflux.backtest.sweeps.output import to_json  # noqa: PLC0415 - brings the compiler

    run_file = run_document(payload["run"])
    sweep_sets(run_file)
    found = platform.backtests.sweep(
        run_file,
        hooks=value_hooks(told),
        progress=steps(told, "sets tried"),
        cancelled=told.cancelled,
    )
    told.check()
    if not found.done:
        raise InvalidRequest(f"no set of the sweep could be carried out: {found.failed[0].problem}")
    plain: dict[str, Any] = json.loads(to_json(found))
    return plain | {"trials": platform.backtests.trials()}


def replay(platform: Platform, payload: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """Do a recorded backtest again: `owner`, `id`, and `everybody` if the caller sees all records.

    Returns
    -------
    dict
        Whether the results are `identical`, bit for bit, and every difference with its cause.

    Raises
    ------
    NotFound
        If there is no such record, or it is somebody else's.
    InvalidRequest
        If the run names files: such records are replayed at the server's own command line.
    """
    everybody = bool(payload.get("everybody", False))
    record = shelf_of(platform).read(str(payload["id"]), owner=None if everybody else str(payload[OWNER]))
    run_document(record.content)  # a record of the command line may name files, or a policy in Python
    found = platform.backtests.replay(replace(record, folder=""), value_hooks(told))
    return {
        "id": payload["id"],
        "identical": found.is_identical,
        "differences": [asdict(each) for each in found.differences],
    }


def _checked(told: Told, text: str) -> Any:
    """Return what tells progress, and stops the work between two runs if that was asked for."""

    def tell(done: int, total: int) -> None:
        told.check()
        told.progress(done, total, text)

    return tell


WORK = (
    Work("backtests.run", Permission.BACKTESTS_RUN, run),
    Work("backtests.compare", Permission.BACKTESTS_RUN, compare),
    Work("backtests.sweep", Permission.BACKTESTS_RUN, sweep),
    Work("backtests.replay", Permission.BACKTESTS_RUN, replay),
)
