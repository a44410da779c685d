"""What the model commands share: their options, and how they show what they found."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quantflux.cli.output import notes
from quantflux.core.errors import InvalidRequest

if TYPE_CHECKING:
    from quantflux.learning.evaluation import Evaluation
    from quantflux.learning.explanation import Explanation
    from quantflux.learning.monitoring import Contest, Health
    from quantflux.learning.registry import ModelVersion

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="A model's id.")]
VersionOption = Annotated[
    int | None,
    typer.Option(
        "--version",
        help="One of its versions. [default: the one in production, or else the newest candidate]",
    ),
]
DateOption = Annotated[
    str | None,
    typer.Option("--date", metavar="DATE", help="A day with bars. [default: the last one there is]"),
]
ReportOption = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="Write a report too, as one .html file.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print everything as JSON instead of tables.")]
TopOption = Annotated[int, typer.Option("--top", min=1, help="How many to show.")]


def check_report(report: Path | None) -> None:
    """Refuse a report that would not be a page, before anything is worked out."""
    if report is not None and report.suffix.lower() != ".html":
        raise InvalidRequest(f"a report is one .html file, was {report}")


def write_report(
    path: Path,
    version: ModelVersion,
    evaluation: Evaluation,
    explanation: Explanation | None = None,
    control: Evaluation | None = None,
) -> None:
    """Write the report on a version."""
    from quantflux.learning.findings import Basis, folds_in
    from quantflux.learning.report import ModelReport, write_model_report
    from quantflux.pages import Words

    about = [
        (Words("模型", "Model"), f"{version.kind}, {version.task}"),
        (Words("学习区间", "Learnt from"), f"{version.first} .. {version.last}"),
        (Words("样本", "Cells"), f"{version.cells:,}"),
        (Words("特征", "Features"), f"{len(Basis.of(version).expressions):,}"),
        (Words("种子", "Seed"), str(version.seed)),
    ]
    report = ModelReport(version.label, about, evaluation, folds_in(version), explanation, control)
    write_model_report(report, path)
    notes.print(f"report {path}", markup=False, soft_wrap=True)


def read_json(path: Path) -> Any:
    """Return what a JSON file holds."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"{path} is not JSON: {error}") from error


def version_told(version: ModelVersion) -> dict[str, Any]:
    """Return all that is known of a version, for JSON."""
    return asdict(version) | {"folder": str(version.folder)}


def health_told(health: Health) -> dict[str, Any]:
    """Return how a model does, for JSON, without its series."""
    names = ("days", "mean", "recent", "shortfall_t", "threshold", "notice", "since")
    told = {name: getattr(health, name) for name in names}
    return {"state": str(health.state), "reason": health.reason.en, **told}


def contest_told(contest: Contest) -> dict[str, Any]:
    """Return a contest, for JSON."""
    return asdict(contest) | {"reason": contest.reason.en, "recommendation": str(contest.recommendation)}


def show(told: Callable[[], Any], printed: Callable[[], None], *, as_json: bool) -> None:
    """Print JSON or tables."""
    if as_json:
        print_json(told())
    else:
        printed()


def print_json(told: Any) -> None:
    """Print JSON; what is no finite number is null."""
    from quantflux.learning.registry import plain

    json.dump(plain(told, "the answer"), sys.stdout, indent=1, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")
