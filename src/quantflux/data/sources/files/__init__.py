"""Imports CSV and Parquet files: `inspect_file` says how, `run_import` does it.

`import_factors` joins factors to stored bars, `import_actions` stores corporate actions.
"""

from quantflux.data.sources.files.actions import ActionsReport, import_actions
from quantflux.data.sources.files.factors import FactorReport, import_factors
from quantflux.data.sources.files.layouts import Layout, known_layouts
from quantflux.data.sources.files.plan import ImportOptions, ImportPlan, inspect_file
from quantflux.data.sources.files.run import ImportReport, Progress, run_import

__all__ = [
    "ActionsReport",
    "FactorReport",
    "ImportOptions",
    "ImportPlan",
    "ImportReport",
    "Layout",
    "Progress",
    "import_actions",
    "import_factors",
    "inspect_file",
    "known_layouts",
    "run_import",
]
