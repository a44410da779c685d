"""`quantflux factor`: defines factors, computes them, judges them and explains what was computed."""

from __future__ import annotations

import typer

from quantflux.cli import factor_book, factor_compute, factor_judge

app = typer.Typer(no_args_is_help=True, help="Define, compute, judge and explain factors.")

_WRITTEN = {"ignore_unknown_options": True}
"""An expression may begin with a minus."""

app.command("list")(factor_book.list_factors)
app.command("show")(factor_book.show)
app.command("operators")(factor_book.operators)
app.command("define", context_settings=_WRITTEN)(factor_book.define)
app.command("retire")(factor_book.retire)
app.command("export")(factor_book.export)
app.command("import")(factor_book.import_definitions)
app.command("compute")(factor_compute.compute)
app.command("explain")(factor_compute.explain)

app.command("evaluate")(factor_judge.evaluate)
app.command("check", context_settings=_WRITTEN)(factor_judge.check)
