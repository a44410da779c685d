"""`quantflux model init|train|retrain|tune|from-v1`: from model files to models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress, TaskID

from quantflux.cli.context import opened, settings_of
from quantflux.cli.examples import ForceOption, TargetArgument, write_example
from quantflux.cli.model_options import (
    IdArgument,
    JsonOption,
    ReportOption,
    check_report,
    contest_told,
    print_json,
    read_json,
    show,
    version_told,
    write_report,
)
from quantflux.cli.model_tables import (
    print_contest,
    print_evaluation,
    print_folds,
    print_strongest,
    print_tuning,
)
from quantflux.cli.output import answers, notes, progress_bars
from quantflux.core.errors import InvalidRequest

if TYPE_CHECKING:
    from quantflux.factors.stored import Hooks as ValueHooks
    from quantflux.learning.monitoring import Contest
    from quantflux.learning.service import TrainedModel
    from quantflux.learning.training import Hooks

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="A model file, .toml or .yaml; see: quantflux model init")
]
ControlOption = Annotated[
    bool,
    typer.Option("--control", help="Train on shuffled labels as well: what luck looks like on these data."),
]


def init(file: TargetArgument = Path("model.toml"), force: ForceOption = False) -> None:
    """Write a model file with comments, to begin with."""
    from quantflux.learning.specification import example

    write_example(file, example(), "train it with: quantflux model train", force=force)


def train(
    context: typer.Context,
    file: FileArgument,
    control: ControlOption = False,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a model fold by fold, judge what it predicted out of sample, and keep it as a candidate."""
    from quantflux.learning.specification import read_specification

    check_report(report)
    spec = read_specification(file)
    with opened(settings_of(context)) as platform, _told() as (hooks, value_hooks):
        made = platform.models.train(spec, control=control, hooks=hooks, value_hooks=value_hooks)
    _tell_trained(made, report, as_json=as_json)


def retrain(
    context: typer.Context,
    model: IdArgument,
    promote: Annotated[
        bool,
        typer.Option("--promote", help="Bring it to production, unless it is worse or has found nothing."),
    ] = False,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a model anew on all days up to the newest, and set it beside the version in production."""
    check_report(report)
    with opened(settings_of(context)) as platform, _told() as (hooks, value_hooks):
        made, contest = platform.models.retrain(model, promote=promote, hooks=hooks, value_hooks=value_hooks)
    _tell_trained(made, report, as_json=as_json, contest=contest)


def tune(
    context: typer.Context,
    file: FileArgument,
    trials: Annotated[
        int, typer.Option("--trials", min=1, help="How many sets of parameters are tried.")
    ] = 30,
    held_out: Annotated[
        int, typer.Option("--held-out", min=1, help="How many of the last folds the search never sees.")
    ] = 1,
    space: Annotated[
        Path | None,
        typer.Option(
            "--space",
            metavar="JSON",
            help='Ranges in place of the kind\'s own, such as {"num_leaves": [16, 256]}.',
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the best model as a .yaml file."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Search for better parameters; run it again to go on where it ended."""
    from quantflux.learning.specification import read_specification, write_specification
    from quantflux.learning.tuning import Hooks as TuningHooks

    if output is not None and output.suffix.lower() not in (".yaml", ".yml"):
        raise InvalidRequest(f"the best model is written as a .yaml file; was {output}")
    spec, ranges = read_specification(file), None if space is None else _space(space)
    with opened(settings_of(context)) as platform, progress_bars() as bars:
        _, value_hooks = _hooks(bars)
        bar = bars.add_task("searching", total=trials)

        def told(done: int, total: int, best: float) -> None:
            bars.update(bar, completed=done, total=total, description=f"searching, best RankIC {best:+.4f}")

        found = platform.models.tune(
            spec,
            trials=trials,
            held_out=held_out,
            space=ranges,
            hooks=TuningHooks(progress=told),
            value_hooks=value_hooks,
        )
    if output is not None:
        write_specification(found.spec, output)
        notes.print(f"model {output}", markup=False, soft_wrap=True)
    show(found.to_dict, lambda: print_tuning(found), as_json=as_json)


def from_v1(
    rows: Annotated[
        Path, typer.Argument(metavar="JSON", help="Rows of version 1's ml_model_definition, as a JSON list.")
    ],
    folder: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the model files go.")
    ] = Path("models"),
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Turn version 1's models into model files; the same ids, to be trained with `model train`."""
    from quantflux.learning.specification import specification_of_v1, write_specification

    told = read_json(rows)
    if not isinstance(told, list) or not all(isinstance(row, dict) for row in told):
        raise InvalidRequest(f"{rows} must hold a JSON list of rows, each an object; holds {told!r:.60}")
    refused = 0
    for row in told:
        try:
            spec = specification_of_v1(row)
            path = folder / f"{spec.id}.yaml"
            if path.exists() and not force:
                raise InvalidRequest(f"{path} is there already; give --force to replace it")
        except InvalidRequest as error:
            refused += 1
            notes.print(f"left out: {error}", markup=False, soft_wrap=True)
            continue
        write_specification(spec, path)
        answers.print(f"{path}  {spec.kind}, {spec.label.horizon} days", markup=False, soft_wrap=True)
    if refused:
        raise typer.Exit(1)


@contextmanager
def _told() -> Iterator[tuple[Hooks, ValueHooks]]:
    """Show how far features and folds are."""
    with progress_bars() as bars:
        yield _hooks(bars)


def _hooks(bars: Progress) -> tuple[Hooks, ValueHooks]:
    from quantflux.factors.stored import Hooks as ValueHooks
    from quantflux.learning.training import Hooks

    shown: dict[str, TaskID] = {}

    def bar(what: str) -> Callable[[int, int], None]:
        def advance(done: int, total: int) -> None:
            if what not in shown:
                shown[what] = bars.add_task(what, total=total)
            bars.update(shown[what], completed=done, total=total)

        return advance

    return (
        Hooks(folds=bar("training folds"), rounds=bar("rounds of a fold")),
        ValueHooks(compiled=bar("compiling kernels"), progress=bar("computing features")),
    )


def _tell_trained(
    made: TrainedModel, report: Path | None, *, as_json: bool, contest: Contest | None = None
) -> None:
    version = made.version
    if report is not None:
        write_report(report, version, made.evaluation, made.explanation, made.control)
    if as_json:
        print_json(version_told(version) | {"contest": None if contest is None else contest_told(contest)})
        return
    print_folds(made.folds)
    print_evaluation(made.evaluation, made.control)
    print_strongest(version, 8)
    for note in made.notes:
        notes.print(note, markup=False, soft_wrap=True)
    if contest is not None:
        print_contest(contest)
    said = f"kept as {version.label}, a candidate"
    if version.stage == "production":
        said = f"kept as {version.label}, which is in production now"
    use = f"; use it with: quantflux model promote {version.id} {version.version}"
    answers.print(said + (use if version.stage == "candidate" else ""), markup=False, soft_wrap=True)


def _space(path: Path) -> dict[str, Any]:
    told = read_json(path)
    if not isinstance(told, dict):
        raise InvalidRequest(f"{path} must hold a JSON object of ranges by parameter, holds {told!r:.60}")
    return told
