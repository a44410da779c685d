"""What every command shares: the settings asked for on the command line, and the platform built from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from quantflux.cli.logs import log_to_stderr
from quantflux.config import ConfigManager, ConfigRequest, Settings

if TYPE_CHECKING:
    from quantflux.platform import Platform


def settings_of(context: typer.Context) -> Settings:
    """Return the settings in force for this command, and log as they say."""
    settings = ConfigManager(context.find_object(ConfigRequest)).current
    log_to_stderr(settings.logging.level, settings.logging.format)
    return settings


@contextmanager
def opened(settings: Settings) -> Iterator[Platform]:
    """Open the platform for the length of a command."""
    from quantflux.platform import Platform

    with Platform.open(settings) as platform:
        yield platform
