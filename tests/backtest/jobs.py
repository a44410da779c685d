"""Work for processes of their own: functions that a spawned process can find."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from quantflux.backtest.sweeps.sharing import unpack
from quantflux.core.errors import InvalidRequest


def open_adder(start: int) -> Callable[[int], int]:
    return lambda task: start + task


def open_trouble(_: Any) -> Callable[[str], str]:
    """Tasks that end well, raise, or take their process with them."""

    def work(task: str) -> str:
        match task:
            case "refuse":
                raise InvalidRequest("top is 0; valid is at least 1")
            case "raise":
                raise KeyError("x")
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                os._exit(3)
            case "sleep":
                time.sleep(60)
        return f"{task} done"

    return work


def open_nothing(_: Any) -> Callable[[Any], Any]:
    raise InvalidRequest("the data are gone")


def open_sum(shared: tuple[bytes, Path]) -> Callable[[float], tuple[float, bool]]:
    values = unpack(*shared)["values"]
    return lambda task: (float(values.sum()) + task, values.flags.writeable)
