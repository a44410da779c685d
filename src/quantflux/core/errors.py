"""Every error quantflux raises on purpose, in one tree.

The class says what the caller can do; facts are attributes; the message says what was asked, what was
found and what would be valid. Each error is also a builtin kind, so plain Python code can catch it::

    QuantfluxError
    ├── InvalidRequest(ValueError)            mend the request
    │   ├── Unsupported                       this store or result has no such power
    │   └── ExpressionError                   mend the text of an expression, at the place shown
    ├── NotFound(LookupError)                 nothing by that name
    │   ├── UnknownDataset
    │   └── UnknownSymbol
    ├── InvalidData(ValueError)               the rows break the dataset's schema; nothing was stored
    ├── NotAuthenticated(PermissionError)     log in
    ├── Forbidden(PermissionError)            ask somebody whose role may
    ├── Conflict(RuntimeError)                it exists already, or has changed since it was read
    ├── LimitReached(RuntimeError)            too many or too much; retry after `retry_after` seconds
    ├── Busy(RuntimeError)                    no room for the work now; nothing was done, retry later
    ├── Cancelled(RuntimeError)               somebody asked for it to stop
    ├── ConfigError(ValueError)               mend the configuration file or variable
    ├── MissingDependency(ImportError)        install an extra
    │   └── MissingSystemLibrary                install a package of the system
    ├── StoreError(RuntimeError)              the truth store
    │   ├── StoreUnavailable(ConnectionError)   nothing was done; retry later
    │   │   └── StoreFull                       nothing was written; free space, then retry
    │   ├── OutcomeUnknown(TimeoutError)        a write may have been applied; send the same batch again
    │   ├── PartialWrite                        some rows were stored, the rejected ones are listed
    │   ├── VersionConflict                     somebody else wrote first; read again
    │   ├── StoreCorrupt                        a file or answer fails its checksum
    │   └── AccessDenied(PermissionError)       mend the credentials or rights
    ├── OptimisationError(RuntimeError)       a solver gave no portfolio; the message has its status
    │   ├── Infeasible                          no weights meet all constraints
    │   └── Unbounded                           the objective has no best value: a bound is missing
    └── SourceError(RuntimeError)             a data vendor
        ├── SourceUnavailable(ConnectionError)  retry later
        ├── RateLimited                         retry after `retry_after` seconds
        └── SourceChanged                       the vendor's frame has another shape than documented
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


class QuantfluxError(Exception):
    """Root of the tree. `retryable` says whether the same call may succeed later, and is safe to repeat."""

    retryable: ClassVar[bool] = False


class InvalidRequest(QuantfluxError, ValueError):
    """The request itself is wrong; the message says what would be valid."""


class Unsupported(InvalidRequest):
    """The store, result or format has no such power."""


class ExpressionError(InvalidRequest):
    """The text of an expression has a mistake. The message shows the place.

    Attributes
    ----------
    problem, hint : str
        What is wrong, and what would be right if that can be guessed; both are part of the message.
    text : str
        The whole text.
    offset, width : int
        The offending part: where it begins, counted from 0, and how many characters it has.
    line, column : int
        The same place counted from 1; one behind the last character where the text ends too early.
    """

    def __init__(self, problem: str, text: str, offset: int, width: int = 1, hint: str = "") -> None:
        self.problem, self.hint = problem, hint
        self.text, self.offset, self.width = text, offset, max(width, 1)
        self.line = text.count("\n", 0, offset) + 1
        self.column = offset - (text.rfind("\n", 0, offset) + 1) + 1
        place = f"line {self.line}, column {self.column}" if "\n" in text.strip() else f"column {self.column}"
        super().__init__(f"{problem} ({place}){'; ' if hint else ''}{hint}\n{self._excerpt()}")

    def _excerpt(self, before: int = 48, most: int = 96) -> str:
        # Up to `most` characters of the line, with a mark below. What is not plain ASCII could hide or misalign.
        first = self.offset - self.column + 1
        newline = self.text.find("\n", self.offset)
        last = len(self.text) if newline < 0 else newline
        start = max(first, self.offset - before) if last - first > most else first
        stop = min(last, start + most)
        left, right = "..." * (start > first), "..." * (stop < last)
        shown = "".join(c if " " <= c <= "~" else " " if c == "\t" else "?" for c in self.text[start:stop])
        mark = "^" + "~" * (min(self.offset + self.width, max(stop, self.offset + 1)) - self.offset - 1)
        return f"  {left}{shown}{right}\n  {' ' * (len(left) + self.offset - start)}{mark}"


class NotFound(QuantfluxError, LookupError):
    """Nothing is known by that name."""


class UnknownDataset(NotFound):
    """No dataset is called that."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"No dataset is called {name!r}; known: {', '.join(sorted(known))}.")
        self.name = name
        self.known = tuple(known)


class UnknownSymbol(NotFound):
    """The dataset holds no row of these symbols."""

    def __init__(self, symbols: Sequence[str], dataset: str, similar: Sequence[str] = ()) -> None:
        shown = ", ".join(symbols[:5]) + (f" and {len(symbols) - 5} more" if len(symbols) > 5 else "")
        hint = f" Similar: {', '.join(similar[:5])}." if similar else ""
        super().__init__(f"{dataset} holds no row of {shown}.{hint}")
        self.symbols = tuple(symbols)
        self.dataset = dataset
        self.similar = tuple(similar)


class InvalidData(QuantfluxError, ValueError):
    """Rows break the schema of their dataset. Nothing was stored.

    Attributes
    ----------
    dataset, column, rule : str
        Where, and which rule of the schema.
    row : int or None
        Index of the first offending row in the table as given.
    count : int
        How many rows offend.
    """

    def __init__(
        self,
        message: str,
        *,
        dataset: str,
        column: str = "",
        rule: str = "",
        row: int | None = None,
        count: int = 1,
    ) -> None:
        super().__init__(message)
        self.dataset = dataset
        self.column = column
        self.rule = rule
        self.row = row
        self.count = count


class NotAuthenticated(QuantfluxError, PermissionError):
    """Nobody is logged in, or not any more. The message never says why a credential was refused."""


class Forbidden(QuantfluxError, PermissionError):
    """Whoever asks may not do this.

    Attributes
    ----------
    permission : str
        The one that was missing; empty if it is not a matter of permissions.
    """

    def __init__(self, message: str, permission: str = "") -> None:
        super().__init__(message)
        self.permission = permission


class Conflict(QuantfluxError, RuntimeError):
    """It exists already, or is not as the caller thinks it is. Read again, then decide."""


class LimitReached(QuantfluxError, RuntimeError):
    """A limit on how often or how much was reached. Nothing was done.

    Attributes
    ----------
    retry_after : float
        Seconds until the same request may be made.
    """

    retryable = True

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Busy(QuantfluxError, RuntimeError):
    """There is no room for the work now. Nothing was done; retrying is safe."""

    retryable = True


class Cancelled(QuantfluxError, RuntimeError):
    """The work was stopped because somebody asked for that. What it had finished is kept."""


class ConfigError(QuantfluxError, ValueError):
    """The configuration is wrong; the message names file, key, what was found and what is valid.

    Attributes
    ----------
    problems : tuple of str
        Every single problem, one line each, where the whole configuration was checked.
    """

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class MissingDependency(QuantfluxError, ImportError):
    """An optional library is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; install it with: pip install 'quantflux[{extra}]'")
        self.package = package
        self.extra = extra


class MissingSystemLibrary(MissingDependency):
    """A shared library that comes from the system's packages is not installed."""

    def __init__(self, needed_by: str, library: str, package: str) -> None:
        ImportError.__init__(
            self,
            f"{needed_by} needs {library}, which this system does not have; on Debian: apt-get install {package}",
        )
        self.package = package
        self.extra = ""


class StoreError(QuantfluxError, RuntimeError):
    """The truth store failed."""


class StoreUnavailable(StoreError, ConnectionError):
    """The store cannot be reached or refused to work. Nothing was done; retrying is safe."""

    retryable = True


class StoreFull(StoreUnavailable):
    """The store has no space left. Nothing was written."""


class OutcomeUnknown(StoreError, TimeoutError):
    """The reply was lost: the write may have been applied. Sending the identical batch again is safe."""

    retryable = True


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One row that a store refused: its index in the batch as given, its key and the store's reason."""

    row: int
    key: str
    reason: str


class PartialWrite(StoreError):
    """Some rows of a batch were stored, others refused. Sending the accepted ones again is pointless."""

    def __init__(self, accepted: int, rejected: Sequence[RejectedRow]) -> None:
        first = rejected[0]
        super().__init__(
            f"{accepted} rows were stored, {len(rejected)} refused; "
            f"first: row {first.row} ({first.key}): {first.reason}"
        )
        self.accepted = accepted
        self.rejected = tuple(rejected)


class VersionConflict(StoreError):
    """Another writer committed first and the two cannot be merged."""

    retryable = True


class StoreCorrupt(StoreError):
    """Stored bytes fail their check. `path` names the file or series."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class AccessDenied(StoreError, PermissionError):
    """The store refused the credentials, or they lack the right."""


class OptimisationError(QuantfluxError, RuntimeError):
    """A solver gave no portfolio that can be used.

    Attributes
    ----------
    status : str
        What the solver said.
    """

    def __init__(self, message: str, status: str) -> None:
        super().__init__(message)
        self.status = status


class Infeasible(OptimisationError):
    """No weights meet all constraints.

    Attributes
    ----------
    diagnosis : mapping or None
        Why, and what has to give, as plain values, where somebody has looked.
    """

    def __init__(self, message: str, status: str, diagnosis: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, status)
        self.diagnosis = diagnosis


class Unbounded(OptimisationError):
    """The objective has no best value."""


class SourceError(QuantfluxError, RuntimeError):
    """A data vendor failed."""


class SourceUnavailable(SourceError, ConnectionError):
    """The vendor cannot be reached; retry later."""

    retryable = True


class RateLimited(SourceError):
    """The vendor refused for now."""

    retryable = True

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SourceChanged(SourceError):
    """The vendor's answer no longer has the documented shape."""
