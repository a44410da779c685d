"""`quantflux model list|show|compare|promote|import`: which models there are, and which one is in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quantflux.cli.context import opened, settings_of
from quantflux.cli.model_options import (
    IdArgument,
    JsonOption,
    VersionOption,
    contest_told,
    print_json,
    show,
    version_told,
)
from quantflux.cli.model_tables import print_contest, print_version, print_versions
from quantflux.cli.output import answers

ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it is kept in the history.")]


def list_models(
    context: typer.Context,
    model: Annotated[str | None, typer.Argument(metavar="[ID]", help="All versions of this one.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List models: the newest version of each and the one in production, or all versions of one."""
    with opened(settings_of(context)) as platform:
        registry = platform.models.registry
        history = registry.history(model) if model is not None else ()
        versions = list(registry.list(model))
    if model is None:
        newest = {version.id: version.version for version in versions}
        versions = [
            each for each in versions if each.stage == "production" or each.version == newest[each.id]
        ]
    if as_json:
        print_json([version_told(version) for version in versions])
        return
    print_versions(versions, history)


def show_version(
    context: typer.Context, model: IdArgument, version: VersionOption = None, as_json: JsonOption = False
) -> None:
    """Show what is known of a version: where it comes from, what was found, what it looks at."""
    with opened(settings_of(context)) as platform:
        found = platform.models.registry.get(model, version)
    show(lambda: version_told(found), lambda: print_version(found), as_json=as_json)


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
    as_json: JsonOption = False,
) -> None:
    """Set a challenger beside the champion, by what both predicted of days that they had not seen."""
    with opened(settings_of(context)) as platform:
        found = platform.models.compare(model, challenger=challenger, champion=champion, other=other)
    show(lambda: contest_told(found), lambda: print_contest(found), as_json=as_json)


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
