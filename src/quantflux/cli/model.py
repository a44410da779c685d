"""`quantflux model`: trains models, says what they are worth, and predicts with them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quantflux.cli.context import opened, settings_of
from quantflux.cli.model_tables import (
    print_contest,
    print_drift,
    print_evaluation,
    print_explained,
    print_folds,
    print_health,
    print_predictions,
    print_strongest,
    print_tuning,
    print_version,
    print_versions,
)
from quantflux.cli.options import parsed_symbols, split
from quantflux.cli.output import answers, counted, notes, progress_bars
from quantflux.core.errors import InvalidRequest

if TYPE_CHECKING:
    from quantflux.factors.stored import Hooks as ValueHooks
    from quantflux.learning.service import TrainedModel
    from quantflux.learning.training import Hooks
    from quantflux.platform import Platform

app = typer.Typer(no_args_is_help=True, help="Train models, say what they are worth, and predict with them.")

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="A model file, .toml or .yaml; see: quantflux model init")
]
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
ControlOption = Annotated[
    bool,
    typer.Option("--control", help="Train on shuffled labels as well: what luck looks like on these data."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print everything as JSON instead of tables.")]
TopOption = Annotated[int, typer.Option("--top", min=1, help="How many to show.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it is kept in the history.")]


@app.command()
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.")] = Path("model.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write a model file with comments, to begin with."""
    from quantflux.learning.specification import example

    if file.suffix.lower() != ".toml":
        raise InvalidRequest(f"the example is TOML, so its file ends with .toml; was {file}")
    if file.exists() and not force:
        raise InvalidRequest(f"{file} is there already; give --force to replace it")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(example(), encoding="utf-8")
    answers.print(
        f"{file} written; train it with: quantflux model train {file}", markup=False, soft_wrap=True
    )


@app.command()
def train(
    context: typer.Context,
    file: FileArgument,
    control: ControlOption = False,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a model fold by fold, judge what it predicted out of sample, and keep it as a candidate."""
    from quantflux.learning.specification import read_specification

    _check_report(report)
    spec = read_specification(file)
    with opened(settings_of(context)) as platform, _told() as (hooks, value_hooks):
        made = platform.models.train(spec, control=control, hooks=hooks, value_hooks=value_hooks)
    _tell_trained(made, report, as_json=as_json)


@app.command()
def retrain(
    context: typer.Context,
    model: IdArgument,
    promote: Annotated[
        bool, typer.Option("--promote", help="Bring it to production if it is better by more than chance.")
    ] = False,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a model anew on all days up to the newest, and set it beside the version in production."""
    _check_report(report)
    with opened(settings_of(context)) as platform, _told() as (hooks, value_hooks):
        made, contest = platform.models.retrain(model, promote=promote, hooks=hooks, value_hooks=value_hooks)
    _tell_trained(made, report, as_json=as_json)
    if contest is not None and not as_json:
        print_contest(contest)


@app.command()
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
        typer.Option("--output", "-o", metavar="FILE", help="Write the best model as .json file."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Search for better parameters; run it again to go on where it ended."""
    from quantflux.learning.specification import read_specification
    from quantflux.learning.tuning import Hooks as TuningHooks

    if output is not None and output.suffix.lower() != ".json":
        raise InvalidRequest(
            f"the best model is written as .json, which `model train` reads too; was {output}"
        )
    spec, ranges = read_specification(file), None if space is None else _space(space)
    with opened(settings_of(context)) as platform, _told() as (_, value_hooks), progress_bars() as bars:
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
        output.write_text(
            json.dumps(found.spec.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    _show(found.to_dict, lambda: print_tuning(found), as_json=as_json)


@app.command("list")
def list_models(
    context: typer.Context,
    model: Annotated[str | None, typer.Argument(metavar="[ID]", help="All versions of this one.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List models: the newest version of each and the one in production, or all versions of one."""
    with opened(settings_of(context)) as platform:
        registry = platform.models.registry
        versions = list(registry.list(model))
        history = registry.history(model) if model is not None else ()
    if as_json:
        _print_json([_plain(version) for version in versions])
        return
    print_versions(versions, history)


@app.command()
def show(
    context: typer.Context, model: IdArgument, version: VersionOption = None, as_json: JsonOption = False
) -> None:
    """Show what is known of a version: where it comes from, what was found, what it looks at."""
    with opened(settings_of(context)) as platform:
        found = platform.models.registry.get(model, version)
    _show(lambda: _plain(found), lambda: print_version(found), as_json=as_json)


@app.command()
def evaluate(
    context: typer.Context,
    model: IdArgument,
    version: VersionOption = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a version by what it predicted of days that it had not seen, and how it does since."""
    from quantflux.core.errors import NotFound

    _check_report(report)
    with opened(settings_of(context)) as platform:
        models = platform.models
        found = models.evaluate(model, version)
        known = models.registry.get(model, version)
        try:
            health, unknown = models.health(model), ""
        except NotFound as error:
            health, unknown = None, str(error)
    if report is not None:
        _write_kept_report(known, found, report)
    if as_json:
        _print_json(found.to_dict() | {"health": None if health is None else str(health.state)})
        return
    print_evaluation(found)
    if health is not None:
        print_health(health)
    else:
        notes.print(f"since then: {unknown}", markup=False, soft_wrap=True)


@app.command()
def predict(
    context: typer.Context,
    model: IdArgument,
    day: DateOption = None,
    symbols: Annotated[
        str | None, typer.Option("--symbols", metavar="A,B", help="Show these alone; ranks are among all.")
    ] = None,
    version: VersionOption = None,
    save: Annotated[
        bool, typer.Option("--save", help="Write all of the day's predictions into the store.")
    ] = False,
    in_sample: Annotated[
        bool, typer.Option("--in-sample", help="Allow a day from which the model has learnt.")
    ] = False,
    top: TopOption = 20,
    as_json: JsonOption = False,
) -> None:
    """Predict from what was known at the close of a day, and of no other day."""
    with opened(settings_of(context)) as platform:
        found = platform.models.predict(
            model,
            day or _last_day(platform),
            parsed_symbols(symbols),
            version=version,
            in_sample=in_sample,
            save=save,
        )
    _show(found.to_pylist, lambda: print_predictions(found, top), as_json=as_json)
    if save:
        notes.print(f"{counted(found.num_rows, 'prediction')} saved")


@app.command()
def explain(
    context: typer.Context,
    model: IdArgument,
    symbols: Annotated[
        str | None,
        typer.Argument(metavar="[A,B]", help="Whose predictions; the model as a whole if left out."),
    ] = None,
    day: DateOption = None,
    version: VersionOption = None,
    top: TopOption = 15,
    as_json: JsonOption = False,
) -> None:
    """Say what a model looks at, or why it predicts what it does of some names."""
    with opened(settings_of(context)) as platform:
        models = platform.models
        if symbols is None:
            found = models.registry.get(model, version)
            _show(lambda: found.figures["strongest"], lambda: print_strongest(found, top), as_json=as_json)
            return
        names = split(symbols) or []
        told = models.explain(model, day or _last_day(platform), names, version=version)
    _show(lambda: [asdict(each) for each in told], lambda: print_explained(told, top), as_json=as_json)


@app.command()
def drift(
    context: typer.Context,
    model: IdArgument,
    day: DateOption = None,
    version: VersionOption = None,
    top: TopOption = 20,
    as_json: JsonOption = False,
) -> None:
    """Compare the features of a day with those that a model learnt from (population stability index)."""
    with opened(settings_of(context)) as platform:
        found = platform.models.drift(model, day or _last_day(platform), version=version)
    _show(
        lambda: [{"feature": d.name, "index": d.index, "change": str(d.change)} for d in found],
        lambda: print_drift(found, top),
        as_json=as_json,
    )


@app.command()
def compare(
    context: typer.Context,
    model: IdArgument,
    challenger: Annotated[
        int | None, typer.Option("--challenger", help="Its version. [default: the newest]")
    ] = None,
    champion: Annotated[
        int | None, typer.Option("--champion", help="Its version. [default: the one in production]")
    ] = None,
    other: Annotated[
        str | None, typer.Option("--other", metavar="ID", help="The model of the challenger, if another.")
    ] = None,
) -> None:
    """Set a challenger beside the champion, by what both predicted of days that they had not seen."""
    with opened(settings_of(context)) as platform:
        print_contest(platform.models.compare(model, challenger=challenger, champion=champion, other=other))


@app.command()
def promote(
    context: typer.Context,
    model: IdArgument,
    version: Annotated[int, typer.Argument(metavar="VERSION")],
    reason: ReasonOption = "promoted by hand",
    retire: Annotated[bool, typer.Option("--retire", help="Take it out of use instead.")] = False,
) -> None:
    """Bring a version to production; what it replaces is retired, and can be promoted again."""
    from quantflux.learning.registry import PRODUCTION, RETIRED

    with opened(settings_of(context)) as platform:
        found = platform.models.promote(
            model, version, reason=reason, stage=RETIRED if retire else PRODUCTION
        )
    answers.print(f"{found.label} is {'retired' if retire else 'in production'}", markup=False)


@app.command("import")
def import_model(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A version's folder of another registry.")],
    reason: ReasonOption = "imported by hand",
) -> None:
    """Keep a model from elsewhere as a candidate, after it passed every check."""
    from quantflux.learning.service import SOMEBODY

    with opened(settings_of(context)) as platform:
        found = platform.models.registry.import_folder(folder, actor=SOMEBODY, reason=reason)
    answers.print(f"{found.label} is a candidate", markup=False)


@app.command("from-v1")
def from_v1(
    rows: Annotated[
        Path, typer.Argument(metavar="JSON", help="Rows of version 1's ml_model_definition, as a JSON list.")
    ],
    folder: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the model files go.")
    ] = Path("models"),
) -> None:
    """Turn version 1's models into model files; the same ids, to be trained with `model train`."""
    from quantflux.learning.specification import specification_of_v1

    told = _json(rows)
    if not isinstance(told, list):
        raise InvalidRequest(f"{rows} must hold a JSON list of rows, holds a {type(told).__name__}")
    refused = 0
    for row in told:
        try:
            spec = specification_of_v1(row)
        except InvalidRequest as error:
            refused += 1
            notes.print(f"left out: {error}", markup=False, soft_wrap=True)
            continue
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{spec.id}.json"
        path.write_text(json.dumps(spec.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        answers.print(f"{path}  {spec.kind}, {spec.label.horizon} days", markup=False, soft_wrap=True)
    if refused:
        raise typer.Exit(1)


@contextmanager
def _told() -> Iterator[tuple[Hooks, ValueHooks]]:
    """Show how far features and folds are."""
    from quantflux.factors.stored import Hooks as ValueHooks
    from quantflux.learning.training import Hooks

    with progress_bars() as bars:
        shown: dict[str, Any] = {}

        def bar(what: str) -> Callable[[int, int], None]:
            def show(done: int, total: int) -> None:
                if what not in shown:
                    shown[what] = bars.add_task(what, total=total)
                bars.update(shown[what], completed=done, total=total)

            return show

        yield (
            Hooks(folds=bar("training folds"), rounds=bar("rounds of a fold")),
            ValueHooks(compiled=bar("compiling kernels"), progress=bar("computing features")),
        )


def _tell_trained(made: TrainedModel, report: Path | None, *, as_json: bool) -> None:
    if report is not None:
        from quantflux.learning.report import ModelReport, write_model_report

        told = ModelReport(
            made.version.label,
            _about(made.version),
            made.evaluation,
            made.folds,
            made.explanation,
            made.control,
        )
        write_model_report(told, report)
        notes.print(f"report {report}", markup=False, soft_wrap=True)
    if as_json:
        _print_json(_plain(made.version))
        return
    print_folds(made.folds)
    print_evaluation(made.evaluation, made.control)
    print_strongest(made.version, 8)
    for note in made.notes:
        notes.print(note, markup=False, soft_wrap=True)
    answers.print(
        f"kept as {made.version.label}, a candidate; use it with: quantflux model promote {made.version.id} "
        f"{made.version.version}",
        markup=False,
        soft_wrap=True,
    )


def _write_kept_report(version: Any, evaluation: Any, path: Path) -> None:
    from quantflux.learning.report import ModelReport, write_model_report

    write_model_report(ModelReport(version.label, _about(version), evaluation, ()), path)
    notes.print(f"report {path}", markup=False, soft_wrap=True)


def _about(version: Any) -> list[tuple[Any, str]]:
    from quantflux.pages import Words

    return [
        (Words("模型", "Model"), f"{version.kind}, {version.task}"),
        (Words("学习区间", "Learnt from"), f"{version.first} .. {version.last}"),
        (Words("样本", "Cells"), f"{version.cells:,}"),
        (Words("特征", "Features"), f"{len(version.figures['sees']['expressions']):,}"),
        (Words("种子", "Seed"), str(version.seed)),
    ]


def _last_day(platform: Platform) -> str:
    from quantflux.core.errors import NotFound
    from quantflux.data.contract import day_of
    from quantflux.data.schema import DAILY

    span = platform.store.span(DAILY)
    if span is None:
        raise NotFound("there are no daily bars yet; bring some with: quantflux data import FILE")
    return str(day_of(span.last))


def _space(path: Path) -> dict[str, Any]:
    told = _json(path)
    if not isinstance(told, dict):
        raise InvalidRequest(f"{path} must hold a JSON object of ranges by parameter, holds {told!r:.60}")
    return told


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidRequest(f"{path} is not JSON: {error}") from error


def _check_report(report: Path | None) -> None:
    if report is not None and report.suffix.lower() != ".html":
        raise InvalidRequest(f"a report is one .html file, was {report}")


def _plain(version: Any) -> dict[str, Any]:
    told = asdict(version)
    return json.loads(json.dumps(told, default=str))  # type: ignore[no-any-return]


def _show(told: Callable[[], Any], printed: Callable[[], None], *, as_json: bool) -> None:
    if as_json:
        _print_json(told())
    else:
        printed()


def _print_json(told: Any) -> None:
    json.dump(told, sys.stdout, indent=1, ensure_ascii=False, default=str)
    sys.stdout.write("\n")
