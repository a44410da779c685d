"""Log records on standard error: readable lines, or one JSON object each for a log collector."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from rich.logging import RichHandler

from quantflux.cli.output import notes


class JsonFormatter(logging.Formatter):
    """One JSON object per record: time in UTC, level, logger, message, and the exception if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def log_to_stderr(level: str, form: str) -> None:
    """Send every record of `level` and above to standard error.

    Parameters
    ----------
    level : str
        DEBUG, INFO, WARNING or ERROR.
    form : {"text", "json"}
    """
    handler: logging.Handler
    if form == "json":
        handler = logging.StreamHandler()
        handler.setFormatter(JsonFormatter())
    else:
        handler = RichHandler(console=notes, show_path=False, show_time=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # A line for each HTTP request, or each look at the schema, says more than anybody asked for.
    for chatty in ("httpx", "alembic"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level)))
