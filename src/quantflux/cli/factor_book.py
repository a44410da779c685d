"""`quantflux factor list`, `show`, `define`, `retire`, `export` and `import`: which factors there are."""

from __future__ import annotations

import getpass
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantflux.cli.context import opened, settings_of
from quantflux.cli.output import add_row, answers, counted, notes, table
from quantflux.core.errors import InvalidRequest

if TYPE_CHECKING:
    from quantflux.platform import Platform

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="A factor, such as alpha158.ROC20 or one of yours.")
]

_ARROWS = {1: "more", -1: "less", 0: "-"}


class Better(StrEnum):
    """Which values promise a higher return."""

    MORE = "more"
    LESS = "less"
    UNKNOWN = "unknown"

    @property
    def orientation(self) -> int:
        """1, -1 or 0."""
        return {Better.MORE: 1, Better.LESS: -1, Better.UNKNOWN: 0}[self]


def list_factors(
    context: typer.Context,
    library: Annotated[
        str | None, typer.Argument(metavar="LIBRARY", help="One library; an overview of all if left out.")
    ] = None,
) -> None:
    """Show the libraries, or the factors of one."""
    with opened(settings_of(context)) as platform:
        registry = platform.factors.registry
        if library is None:
            _print_libraries(platform)
            return
        made = table("factor", "better", "expression", "what it is")
        for factor in registry.library(library):
            add_row(made, factor.id, _ARROWS[factor.orientation], factor.expression, factor.description)
        answers.print(made)
        if not made.row_count:
            notes.print("none yet; define one with: quantflux factor define NAME EXPRESSION")


def _print_libraries(platform: Platform) -> None:
    from quantflux.factors.libraries import load_library
    from quantflux.factors.registry import USER_LIBRARY

    made = table("library", "factors", "where it comes from", right=("factors",))
    registry = platform.factors.registry
    for name in registry.libraries():
        yours = name == USER_LIBRARY
        source = "you: quantflux factor define NAME EXPRESSION" if yours else load_library(name).source
        add_row(made, name, str(len(registry.library(name))), source)
    answers.print(made)
    notes.print("one of them: quantflux factor list LIBRARY; one factor: quantflux factor show NAME")


def show(context: typer.Context, name: NameArgument) -> None:
    """Show a factor: its formula, what it reads, how far it looks back, and its versions."""
    from quantflux.expressions.nodes import fields_of, lookback_of
    from quantflux.expressions.text import to_text

    with opened(settings_of(context)) as platform:
        registry = platform.factors.registry
        factor = registry.get(name)
        versions = registry.versions(factor.id)
    back, canonical = lookback_of(factor.node), to_text(factor.node)
    facts = {
        "factor": f"{factor.library}.{factor.id}, version {factor.version}, of {factor.owner or 'nobody'}",
        "what it is": factor.description or "-",
        "from": factor.source or "-",
        "better": _ARROWS[factor.orientation],
        "expression": factor.expression,
        "canonical": canonical if canonical != factor.expression else "the same",
        "reads": ", ".join(fields_of(factor.node)),
        "looks back": "over all rows" if back is None else counted(back, "row"),
        "digest": factor.node.digest,
    }
    made = table("", "")
    made.show_header = False
    for label, text in facts.items():
        add_row(made, label, text)
    answers.print(made)
    for older in versions[:-1]:
        notes.print(f"version {older.version}: {older.expression}", markup=False)


def operators(
    word: Annotated[
        str, typer.Argument(metavar="WORD", help="Only operators whose name or text has it; all if left out.")
    ] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="As the page of the documentation.")] = False,
) -> None:
    """Show the operators of the expression language."""
    from quantflux.expressions import handbook

    if markdown:
        sys.stdout.write(handbook.page())
        return
    shown = 0
    for title, found in handbook.by_family():
        made = table("operator", "what it is", title=title)
        for operator in found:
            usage, text = handbook.usage(operator), handbook.definition(operator)
            if word.lower() in f"{usage} {text}".lower():
                add_row(made, usage, text)
        if made.row_count:
            answers.print(made)
        shown += made.row_count
    if not shown:
        notes.print(f"no operator has {word!r} in its name or text", markup=False)


def define(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits and underscores.")],
    expression: Annotated[
        str, typer.Argument(metavar="EXPRESSION", help="Such as 'rank(ts_corr(close, volume, 10))'.")
    ],
    description: Annotated[str, typer.Option("--description", help="What it is, in a line.")] = "",
    better: Annotated[
        Better, typer.Option("--better", help="Whether more or less of it is better.")
    ] = Better.UNKNOWN,
) -> None:
    """Define a factor of your own, or a new version of it."""
    with opened(settings_of(context)) as platform:
        factor = platform.factors.registry.define(
            name, expression, description=description, orientation=better.orientation, owner=_owner()
        )
    answers.print(f"{factor.id}, version {factor.version}: {factor.expression}", markup=False, soft_wrap=True)


def retire(context: typer.Context, name: NameArgument) -> None:
    """Take a factor of yours out of the lists; its versions stay on record."""
    with opened(settings_of(context)) as platform:
        platform.factors.registry.retire(name, owner=_owner())
    answers.print(f"{name} is retired", markup=False, soft_wrap=True)


def export(
    context: typer.Context,
    output: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A JSON file; the terminal if left out.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write the definitions of your factors, all versions, as JSON."""
    with opened(settings_of(context)) as platform:
        text = platform.factors.registry.exported()
    if output is None:
        sys.stdout.write(text + "\n")
        return
    if output.exists() and not force:
        raise InvalidRequest(f"{output} is there already; give --force to replace it")
    output.write_text(text + "\n", encoding="utf-8")
    answers.print(f"definitions in {output}", markup=False, soft_wrap=True)


def import_definitions(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="What `factor export` wrote.")],
) -> None:
    """Define the factors of an export here; all of them or none."""
    try:
        text = source.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"{source} is no export of factor definitions: it is no text in UTF-8"
        ) from error
    with opened(settings_of(context)) as platform:
        defined = platform.factors.registry.imported(text, owner=_owner())
    if not defined:
        notes.print("nothing to define: there is no factor in it that is in use", markup=False)
        return
    made = table("factor", "version", "expression", right=("version",))
    for factor in defined:
        add_row(made, factor.id, str(factor.version), factor.expression)
    answers.print(made)


def _owner() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        return f"uid {os.getuid()}"
