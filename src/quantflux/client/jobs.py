"""Long work on the server: wait for it, stop it, take what it gave."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from html import escape
from typing import TextIO, cast

from quantflux.client.calls import Call, Document
from quantflux.client.failures import failure
from quantflux.client.schemas import JobShown, ProgressShown
from quantflux.client.transport import Transport
from quantflux.core.errors import Cancelled, QuantfluxError

_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.1, 2.0, 1.5
_ENDED = frozenset({"done", "failed", "cancelled"})
_WIDTH = 24


class Job:
    """Work that the server does in the background.

    Parameters
    ----------
    http : Transport
    shown : JobShown
        The job as the server told it.
    """

    def __init__(self, http: Transport, shown: JobShown) -> None:
        self._http = http
        self._shown = shown

    @property
    def id(self) -> str:
        """What the server knows it by."""
        return self._shown["id"]

    @property
    def kind(self) -> str:
        """What is done, such as `factors.compute`."""
        return self._shown["kind"]

    @property
    def state(self) -> str:
        """`queued`, `running`, `done`, `failed` or `cancelled`, when it was last asked."""
        return self._shown["state"]

    @property
    def progress(self) -> ProgressShown:
        """Steps done, steps in all (0: not known) and what it is doing, when it was last asked."""
        return self._shown["progress"]

    @property
    def shown(self) -> JobShown:
        """All that the server told of it last."""
        return self._shown

    @property
    def has_ended(self) -> bool:
        """Whether it is done, failed or cancelled."""
        return self.state in _ENDED

    def refresh(self) -> Job:
        """Ask the server where it stands; returns itself."""
        call = Call("GET", "/api/v2/jobs/{job_id}", {"job_id": self.id})
        self._shown = cast("JobShown", self._http.document(call))
        return self

    def wait(self, progress: bool = False, timeout: float | None = None) -> Job:
        """Wait until it has ended, however it ended; returns itself.

        Parameters
        ----------
        progress : bool
            Show how far it is on standard error, in a terminal or notebook.
        timeout : float or None
            Seconds after which to give up waiting; the work goes on.

        Raises
        ------
        TimeoutError
            If it has not ended by then.
        """
        until = None if timeout is None else time.monotonic() + timeout
        line = _Line(sys.stderr, shown=progress)
        pause = _FIRST_PAUSE
        while not self.has_ended:
            line.show(f"{self.kind} {_bar(self)}")
            rest = _LONGEST_PAUSE if until is None else until - time.monotonic()
            if rest <= 0:
                line.clear()
                raise TimeoutError(f"job {self.id} is {self.state} after {timeout:g} s; it goes on")
            self._http.retries.sleep(min(pause, rest))
            pause = min(pause * _GROWTH, _LONGEST_PAUSE)
            self.refresh()
        line.clear()
        return self

    def result(self, timeout: float | None = None) -> Document:
        """Wait for it, and return the document that it gave.

        Raises
        ------
        Cancelled
            If it was stopped.
        QuantfluxError
            If it failed: the class that the work would have raised here.
        TimeoutError
            If it has not ended after `timeout` seconds.
        """
        self.wait(timeout=timeout)
        if self.state == "done":
            call = Call("GET", "/api/v2/jobs/{job_id}/result", {"job_id": self.id})
            return cast("Document", self._http.document(call))
        raise self._why()

    def cancel(self) -> Job:
        """Ask for it to stop: at once if it waits, soon if it runs; returns itself."""
        call = Call("POST", "/api/v2/jobs/{job_id}/cancel", {"job_id": self.id})
        self._shown = cast("JobShown", self._http.document(call))
        return self

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.kind}: {_bar(self)}{_reason(self)}>"

    def _repr_html_(self) -> str:
        cells = {
            "job": self.id,
            "kind": self.kind,
            "state": _bar(self) + _reason(self),
            "created": _moment(self._shown["created"]),
            "finished": _moment(self._shown["finished"]),
        }
        rows = "".join(
            f"<tr><th style='text-align:left'>{name}</th><td style='text-align:left'>{escape(value)}</td></tr>"
            for name, value in cells.items()
            if value
        )
        return f"<table>{rows}</table>"

    def _why(self) -> QuantfluxError:
        error = self._shown["error"]
        if self.state == "cancelled":
            return Cancelled(f"job {self.id} ({self.kind}) was cancelled")
        code, detail = (error["code"], error["detail"]) if error else ("internal", "the job failed")
        made = failure(code, detail)
        made.add_note(f"job {self.id} ({self.kind}) at {self._http.wire.url}")
        return made


def _bar(job: Job) -> str:
    done, total, text = job.progress["done"], job.progress["total"], job.progress["text"]
    if job.state != "running":
        return job.state
    if total <= 0:
        return f"running {text}".rstrip()
    filled = min(_WIDTH, _WIDTH * done // total)
    return f"running [{'#' * filled}{'.' * (_WIDTH - filled)}] {done:,}/{total:,} {text}".rstrip()


def _reason(job: Job) -> str:
    error = job.shown["error"]
    return f" ({error['code']}: {error['detail'][:200]})" if error else ""


def _moment(text: str | None) -> str:
    return "" if text is None else datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


class _Line:
    """One line that is written over and over, in a terminal or notebook; elsewhere nothing."""

    def __init__(self, to: TextIO, *, shown: bool) -> None:
        self._to = to
        self._shown = shown and (to.isatty() or "ipykernel" in sys.modules)
        self._last = ""

    def show(self, text: str) -> None:
        text = "".join(each if each.isprintable() else " " for each in text)
        if self._shown and text != self._last:
            self._to.write("\r" + text[:100].ljust(len(self._last[:100])))
            self._to.flush()
            self._last = text

    def clear(self) -> None:
        if self._last:
            self._to.write("\r" + " " * len(self._last[:100]) + "\r")
            self._to.flush()
            self._last = ""
