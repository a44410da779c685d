"""`quantflux model evaluate|predict|explain|drift`: what a model is worth, and what it says."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from quantflux.cli.context import opened, settings_of
from quantflux.cli.model_options import (
    IdArgument,
    JsonOption,
    ReportOption,
    VersionOption,
    check_report,
    health_told,
    print_json,
    show,
    write_report,
)
from quantflux.cli.model_tables import (
    print_drift,
    print_evaluation,
    print_explained,
    print_health,
    print_predictions,
    print_strongest,
)
from quantflux.cli.options import parsed_symbols
from quantflux.cli.output import notes
from quantflux.core.errors import InvalidRequest

if TYPE_CHECKING:
    from quantflux.platform import Platform

DateOption = Annotated[
    str | None,
    typer.Option("--date", metavar="DATE", help="A day with bars. [default: the last one there is]"),
]
TopOption = Annotated[int, typer.Option("--top", min=1, help="How many to show.")]


def evaluate(
    context: typer.Context,
    model: IdArgument,
    version: VersionOption = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a version by what it predicted of days that it had not seen, and how it does since."""
    from quantflux.core.errors import NotFound

    check_report(report)
    with opened(settings_of(context)) as platform:
        models = platform.models
        found = models.evaluate(model, version)
        known = models.registry.get(model, version)
        try:
            health, unknown = models.health(model, version), ""
        except (NotFound, InvalidRequest) as error:
            health, unknown = None, str(error)
    if report is not None:
        write_report(report, known, found)
    if as_json:
        print_json(
            found.to_dict() | {"health": {"unknown": unknown} if health is None else health_told(health)}
        )
        return
    print_evaluation(found)
    if health is not None:
        print_health(health)
    else:
        notes.print(f"since then: {unknown}", markup=False, soft_wrap=True)


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
    show(found.to_pylist, lambda: print_predictions(found, top), as_json=as_json)
    if save:
        notes.print(f"all predictions of {model} on that day are saved", markup=False)


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
            show(
                lambda: found.figures.get("strongest", []),
                lambda: print_strongest(found, top),
                as_json=as_json,
            )
            return
        names = parsed_symbols(symbols) or ()
        told = models.explain(model, day or _last_day(platform), names, version=version)
    show(lambda: [asdict(each) for each in told], lambda: print_explained(told, top), as_json=as_json)


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
    show(
        lambda: [{"feature": d.name, "index": d.index, "change": str(d.change)} for d in found],
        lambda: print_drift(found, top),
        as_json=as_json,
    )


def _last_day(platform: Platform) -> str:
    from quantflux.core.errors import NotFound
    from quantflux.data.contract import day_of
    from quantflux.data.schema import DAILY

    span = platform.store.span(DAILY)
    if span is None:
        raise NotFound("there are no daily bars yet; bring some with: quantflux data import FILE")
    return str(day_of(span.last))
