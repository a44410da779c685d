"""`quantflux data query` and `export`: rows to the terminal, a pipe or a file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quantflux.cli.context import opened, settings_of
from quantflux.cli.options import EndOption, FieldsOption, StartOption, SymbolsOption, parsed_symbols, split
from quantflux.cli.output import add_row, answers, notes, progress_bars, size_of, table
from quantflux.core.errors import InvalidRequest

if TYPE_CHECKING:
    import polars as pl

SymbolArgument = Annotated[
    str, typer.Argument(metavar="SYMBOL", help="Such as 600519.SH, sh600519 or 600519.")
]


class Adjustment(StrEnum):
    """How prices are adjusted."""

    NONE = "none"
    FORWARD = "forward"
    BACKWARD = "backward"


class Form(StrEnum):
    """What `query` prints."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def query(
    context: typer.Context,
    symbol: SymbolArgument,
    start: StartOption = None,
    end: EndOption = None,
    frequency: Annotated[
        str, typer.Option("--frequency", "-f", help="1d, 1w, 1mo, 1min, 5min, 15min, 30min or 60min.")
    ] = "1d",
    fields: FieldsOption = None,
    adjust: Annotated[Adjustment, typer.Option("--adjust", help="Adjustment of prices.")] = Adjustment.NONE,
    as_of: Annotated[
        int | None, typer.Option("--as-of", metavar="VERSION", help="As the dataset stood at this version.")
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="table, csv or json.")] = Form.TABLE,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Most rows of a table: the newest ones.")] = 20,
) -> None:
    """Print the bars of one symbol."""
    with opened(settings_of(context)) as platform:
        bars = platform.data.get_stock_data(
            symbol, start, end, frequency, split(fields), adjust.value, as_of=as_of
        )
        frame = bars.to_polars()
    if form is Form.CSV:
        sys.stdout.write(frame.write_csv())
        return
    if form is Form.JSON:
        sys.stdout.write(frame.write_json() + "\n")
        return
    _print_table(frame.tail(rows))
    source = bars.provenance
    shown = f"the newest {rows} of " if len(frame) > rows else ""
    notes.print(
        f"{shown}{len(frame):,} rows of {source.dataset}, version {source.version}, from the {source.tier}"
    )


def export(
    context: typer.Context,
    output: Annotated[Path, typer.Argument(metavar="FILE", help="Ends in .parquet or .csv.")],
    dataset: Annotated[str, typer.Option("--dataset", "-d", help="Which dataset.")] = "stock_daily_data",
    symbols: SymbolsOption = None,
    start: StartOption = None,
    end: EndOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write the rows of a dataset to a Parquet or CSV file, in bounded memory."""
    from quantflux.data.contract import Query
    from quantflux.data.request import parse_when
    from quantflux.data.schema import dataset as dataset_named

    if not output.parent.is_dir() or output.is_dir():
        raise InvalidRequest(f"{output} must be a file in a folder that exists")
    if output.exists() and not force:
        raise InvalidRequest(f"{output} is there already; give --force to replace it")
    open_writer = _writer(output)
    with opened(settings_of(context)) as platform:
        wanted = Query(
            dataset_named(dataset),
            parsed_symbols(symbols),
            parse_when(start, "start"),
            parse_when(end, "end"),
        )
        partial = output.with_name(output.name + ".part")
        count = 0
        try:
            with progress_bars() as bars, open_writer(str(partial), wanted.schema) as writer:
                task = bars.add_task("rows written", total=None)
                for batch in platform.store.iter_batches(wanted):
                    writer.write_batch(batch)
                    count += batch.num_rows
                    bars.update(task, completed=count)
            partial.replace(output)
        finally:
            with suppress(FileNotFoundError):
                partial.unlink()
    answers.print(
        f"{count:,} rows of {dataset} in {output} ({size_of(output.stat().st_size)})", soft_wrap=True
    )


def _writer(output: Path) -> Callable[..., Any]:
    from pyarrow import csv, parquet

    writers: dict[str, Callable[..., Any]] = {
        ".parquet": lambda path, schema: parquet.ParquetWriter(path, schema, compression="zstd"),
        ".csv": csv.CSVWriter,
    }
    if output.suffix not in writers:
        raise InvalidRequest(f"the file must end in {' or '.join(writers)}, was asked for {output.name}")
    return writers[output.suffix]


def _print_table(frame: pl.DataFrame) -> None:
    import polars as pl

    numbers = [name for name, kind in frame.schema.items() if kind.is_numeric()]
    made = table(*frame.columns, right=numbers)
    for row in frame.iter_rows():
        add_row(made, *(_cell(value) for value in row))
    answers.print(made)
    if frame.is_empty():
        notes.print(f"no rows ({', '.join(f'{n}: {t}' for n, t in pl.Schema(frame.schema).items())})")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.4f}".rstrip("0").rstrip(".")
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:%Y-%m-%d %H:%M}" if hasattr(value, "hour") else str(value)
