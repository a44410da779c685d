"""Keeps HiGHS from greeting on standard output, where a command's answers go."""

from __future__ import annotations

import os
import sys
from functools import cache


@cache
def silence_highs() -> None:
    """Make the first object of HiGHS with standard output closed: it greets once a process, whatever its options."""
    import highspy  # noqa: PLC0415 - only linear problems need it

    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        highspy.Highs()  # type: ignore[no-untyped-call]
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
