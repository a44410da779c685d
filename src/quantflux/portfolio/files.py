"""Reads portfolio files, TOML or YAML, into `PortfolioFile`. Every mistake is named with its key and what is valid."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from quantflux.core.documents import Document, read_document
from quantflux.portfolio.portfolio_file import PortfolioFile


def read_portfolio_file(path: Path) -> PortfolioFile:
    """Read a portfolio file.

    Raises
    ------
    InvalidRequest
        If it cannot be read, or listing every problem: file, key, what was found and what would be valid.
    """
    return portfolio_file_of(read_document(path))


def portfolio_file_of(document: Document) -> PortfolioFile:
    """Return what a document says.

    Examples
    --------
    >>> from quantflux.core.documents import parse_document
    >>> text = 'capital = 1e7\\nmethod = "minimum_variance"\\n[constraints]\\nweights = 0.05'
    >>> portfolio_file_of(parse_document(text)).constraints.weights.most
    0.05
    >>> portfolio_file_of(parse_document(text.replace("weights", "wieghts")))
    Traceback (most recent call last):
    ...
    quantflux.core.errors.InvalidRequest: the document: constraints.wieghts: is unknown; did you mean weights?
    """
    found = document.into(PortfolioFile)
    return found if found.name else found.model_copy(update={"name": Path(document.name).stem})


def example() -> str:
    """Return a portfolio file with comments, in TOML, to begin with."""
    return files("quantflux.portfolio").joinpath("example.toml").read_text("utf-8")
