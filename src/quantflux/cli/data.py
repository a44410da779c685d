"""`quantflux data`: brings market data in, shows what is there, and hands it out."""

from __future__ import annotations

import typer

from quantflux.cli import data_in, data_out, data_quality, data_upkeep

app = typer.Typer(no_args_is_help=True, help="Import, download, inspect, query and export market data.")

app.command("import")(data_in.import_file)
app.command("sync")(data_in.sync)
app.command("status")(data_upkeep.status)
app.command("quality")(data_quality.quality)
app.command("query")(data_out.query)
app.command("export")(data_out.export)
app.command("compact")(data_upkeep.compact)
