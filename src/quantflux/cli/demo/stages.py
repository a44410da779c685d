"""The stages of a long command: a progress bar while each runs, one line and a timing when it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress


class Stages:
    """Shows and times stages.

    Parameters
    ----------
    bars : rich.progress.Progress
        Running, or disabled where there is no terminal.

    Attributes
    ----------
    seconds : dict of str to float
        How long each finished stage took.
    """

    def __init__(self, bars: Progress) -> None:
        self.seconds: dict[str, float] = {}
        self._bars = bars

    @contextmanager
    def stage(self, title: str, steps: int = 1) -> Iterator[Callable[[], None]]:
        """Show a stage; yields what to call after each of its steps."""
        task = self._bars.add_task(title, total=steps)
        begun = time.perf_counter()
        yield lambda: self._bars.advance(task)
        self.seconds[title] = time.perf_counter() - begun
        self._bars.remove_task(task)
        self._bars.console.print(f"[green]✓[/] {title:<28}[dim]{self.seconds[title]:6.1f} s[/]")
