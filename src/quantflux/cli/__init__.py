"""The `quantflux` command."""

from __future__ import annotations

from quantflux.cli.app import main

__all__ = ["main"]
