"""The operators, one class each, by family; a class's docstring is its definition.

`elementwise` sees one symbol in one row, `rolling` its last rows, `recursive` all its rows so far, `cross_section` all
symbols of a row. `composite`, `technical` and `risk` are defined by the others.
"""

from quantflux.expressions.operators import (
    composite,
    cross_section,
    elementwise,
    recursive,
    risk,
    rolling,
    technical,
)

__all__ = ["composite", "cross_section", "elementwise", "recursive", "risk", "rolling", "technical"]
