"""Imports CSV and Parquet files: `inspect_file` says how, `run_import` does it."""

from quantflux.data.sources.files.layouts import Layout, layouts
from quantflux.data.sources.files.plan import ImportOptions, ImportPlan, inspect_file
from quantflux.data.sources.files.run import ImportReport, Progress, run_import

__all__ = [
    "ImportOptions",
    "ImportPlan",
    "ImportReport",
    "Layout",
    "Progress",
    "inspect_file",
    "layouts",
    "run_import",
]
