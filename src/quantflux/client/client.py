"""`quantflux.Client`: the platform behind a server, from notebooks and programs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias
from urllib.parse import urlsplit

import httpx
import polars as pl

import quantflux
from quantflux.client.calls import Call
from quantflux.client.credentials import Credentials, FixedHeader, Session
from quantflux.client.etags import AnswerCache
from quantflux.client.jobs import Job
from quantflux.client.operations import Operations
from quantflux.client.retries import Retries
from quantflux.client.transport import Transport
from quantflux.client.wire import Wire
from quantflux.core.documents import read_document
from quantflux.core.errors import Forbidden, InvalidRequest, NotFound, Unsupported
from quantflux.core.hosts import is_loopback

When: TypeAlias = str | date | datetime
"""A day, or an instant; without an offset it is Shanghai time."""

Names: TypeAlias = str | Sequence[str]
"""One name, or several."""

DEFAULT_URL = "http://127.0.0.1:8000"
_MOST_SYMBOLS = 500  # of one request
_VERSION = "/api/v2/system/version"


class Client(Operations):
    """The platform behind a server. Rows come as polars tables, long work as a `Job`, errors as `core.errors`.

    Every operation of the API is a method of its group (`client.factors.list()`, `client.models.read("demo")`);
    the methods of the client itself are the ones that people use most. Safe to use from threads; to be closed, or
    used in a `with` block.

    Parameters
    ----------
    url : str, optional
        The server; else the variable QUANTFLUX_URL, else http://127.0.0.1:8000.
    user, password : str, optional
        Log in with these. The access token is renewed when it ends.
    api_key : str, optional
        A key of an account; else, if there is no user or token either, the variable QUANTFLUX_API_KEY.
    token : str, optional
        An access token that somebody else got; it is not renewed.
    timeout : float
        Seconds to wait for the next bytes of an answer.
    code : str, optional
        Six digits of the second factor, with `user`.
    retries : Retries, optional
        How often, and after which pauses, what can be repeated is sent again.
    cache_bytes : int
        Of answers that are kept, so that reading them again costs no more than asking whether they changed.
    transport : httpx.BaseTransport, optional
        In place of the network.

    Raises
    ------
    InvalidRequest
        If there is nothing to log in with, or more than one way.
    NotAuthenticated
        If the server does not accept it, or wants the code of a second factor.
    ServerUnreachable
        If nothing answers there.
    Unsupported
        If the server is of a version that this client does not speak.
    """

    def __init__(
        self,
        url: str | None = None,
        user: str | None = None,
        password: str | None = None,
        api_key: str | None = None,
        token: str | None = None,
        timeout: float = 60.0,
        code: str | None = None,
        *,
        retries: Retries | None = None,
        cache_bytes: int = 64_000_000,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        if user is None and token is None and api_key is None:
            api_key = os.environ.get("QUANTFLUX_API_KEY") or None
        ways = [
            name for name, it in (("user", user), ("api_key", api_key), ("token", token)) if it is not None
        ]
        if len(ways) != 1:
            found = f"found {' and '.join(ways)}" if ways else "found none, and no variable QUANTFLUX_API_KEY"
            raise InvalidRequest(f"a client needs either user and password, or api_key, or token; {found}")
        if (user is None) != (password is None) or (code is not None and user is None):
            raise InvalidRequest("user and password are given together, and code only with them")
        wire = Wire(url or os.environ.get("QUANTFLUX_URL") or DEFAULT_URL, timeout, transport)
        try:
            credentials = _credentials(wire, user, password, code, api_key, token)
            self._http = Transport(wire, credentials, retries or Retries(), AnswerCache(cache_bytes))
            super().__init__(self._http)
            self._check_version()
        except BaseException:
            wire.close()
            raise

    @property
    def url(self) -> str:
        """The server."""
        return self._http.wire.url

    def bars(
        self,
        symbols: Names,
        *,
        start: When | None = None,
        end: When | None = None,
        frequency: str = "1d",
        fields: Names | None = None,
        adjust: str = "none",
        anchor: When | None = None,
        as_of: int | When | None = None,
    ) -> pl.DataFrame:
        """Return bars, a row for each symbol and time, in that order.

        Parameters
        ----------
        symbols : str or sequence of str
            One or several, as many as one likes; the bars of all are at `market_data.export_bars`.
        start, end : str, date or datetime, optional
            Inclusive.
        frequency : str
            1d, 1w, 1mo, 1min, 5min, 15min, 30min or 60min.
        fields : str or sequence of str, optional
            All if left out.
        adjust : {"none", "forward", "backward"}
        anchor : str or date, optional
            Day whose prices forward adjustment leaves as traded.
        as_of : int or instant, optional
            Version of the data, or the instant at which they stood so. Rows that come in several pages are of one
            version only if it is given.

        Raises
        ------
        UnknownSymbol
            If there is no row of a symbol; similar ones are in `similar`.
        InvalidRequest
        """
        query = {
            "start": start,
            "end": end,
            "frequency": frequency,
            "fields": fields,
            "adjust": adjust,
            "anchor": anchor,
            "as_of": as_of,
        }
        if isinstance(symbols, str):
            return self._http.table(Call("GET", "/api/v2/bars/{symbol}", {"symbol": symbols}, query))
        return self._in_groups("/api/v2/bars", query, symbols)

    def panel(
        self,
        fields: Names,
        symbols: Names | None = None,
        *,
        start: When | None = None,
        end: When | None = None,
        frequency: str = "1d",
        adjust: str = "none",
        anchor: When | None = None,
        as_of: int | When | None = None,
        dataset: str | None = None,
    ) -> pl.DataFrame:
        """Return fields of many symbols, a row for each symbol and time that is there; at most 1,000,000 values.

        Parameters are those of `bars`; `dataset` is one that is not bars, such as `daily_basic`. For a matrix of one
        field: `.pivot("symbol", index="trade_date", values="close")`.
        """
        query = {
            "fields": fields,
            "symbols": symbols,
            "start": start,
            "end": end,
            "frequency": frequency,
            "adjust": adjust,
            "anchor": anchor,
            "as_of": as_of,
            "dataset": dataset,
        }
        return self._http.table(Call("GET", "/api/v2/panels", query=query))

    def factor_values(
        self,
        factors: Names,
        symbols: Names | None = None,
        *,
        start: When | None = None,
        end: When | None = None,
    ) -> pl.DataFrame:
        """Return values of factors, a row for each symbol and day that is there.

        Parameters
        ----------
        factors : str or sequence of str
            Factors or libraries.
        symbols : str or sequence of str, optional
            All if left out.
        start, end : str or date, optional
            Inclusive.

        Raises
        ------
        Conflict
            If they are not stored and computing them takes long: `compute_factors` does it.
        """
        query = {"factors": factors, "symbols": symbols, "start": start, "end": end}
        return self._http.table(Call("GET", "/api/v2/factors/values", query=query))

    def compute_factors(self, factors: Names) -> Job:
        """Bring the stored values of factors or libraries up to date, computing no more than what is new."""
        return self.factors.compute(factors=[factors] if isinstance(factors, str) else list(factors))

    def train(self, model: Mapping[str, Any] | str | Path, *, control: bool = False) -> Job:
        """Train a model fold by fold, judge it out of sample, and keep it as a candidate.

        Parameters
        ----------
        model : mapping or path
            The content of a model file, or such a file, `.toml` or `.yaml`.
        control : bool
            Train it on shuffled labels as well: what luck looks like on these data.
        """
        return self.models.train(model=_content(model), control=control)

    def backtest(self, run: Mapping[str, Any] | str | Path, *, rules: bool = False) -> Job:
        """Run a backtest.

        Parameters
        ----------
        run : mapping or path
            The content of a run file, or such a file, `.toml` or `.yaml`.
        rules : bool
            Price each rule of the market as well, which takes a run for each.
        """
        call = Call("POST", "/api/v2/backtests", query={"rules": rules}, body=_content(run), keyed=True)
        return Job(self._http, self._http.document(call))

    def job(self, job_id: str) -> Job:
        """Return a job by its id, such as one that was begun elsewhere."""
        return Job(self._http, self.jobs.get(job_id))

    def change_password(self, new: str, current: str | None = None) -> None:
        """Change one's password and go on with the new session; all others end.

        Parameters
        ----------
        new : str
            8 to 128 characters, not among the common ones.
        current : str, optional
            The password in force; left out, the one that this client logged in with.
        """
        credentials = self._http.credentials
        known = credentials.password if isinstance(credentials, Session) else None
        if current is None and known is None:
            raise InvalidRequest("this client did not log in with a password; give the current one as well")
        self.account.change_password(current_password=current or known or "", new_password=new)

    def close(self) -> None:
        """Log out, if the client logged in, and close all connections."""
        self._http.credentials.end()
        self._http.wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<quantflux.Client {self.url}, {self._http.credentials!r}>"

    def _in_groups(self, path: str, query: Mapping[str, Any], symbols: Sequence[str]) -> pl.DataFrame:
        """Return rows of symbols, asked for in groups of as many as one request takes, sorted as the server does."""
        ordered = sorted(dict.fromkeys(symbols))
        groups = [ordered[i : i + _MOST_SYMBOLS] for i in range(0, len(ordered), _MOST_SYMBOLS)] or [[]]
        frames = [self._http.table(Call("GET", path, query={**query, "symbols": group})) for group in groups]
        return frames[0] if len(frames) == 1 else pl.concat(frames, rechunk=True)

    def _check_version(self) -> None:
        credentials = self._http.credentials
        if isinstance(credentials, Session) and credentials.must_change_password:
            return
        try:
            found = self.system.version()
        except Forbidden:
            return  # a key that may do little, and not this; what it may do will tell
        except NotFound as exc:
            raise Unsupported(
                f"{self.url} has no {_VERSION}: it is no quantflux server, or older than this client "
                f"({quantflux.__version__})"
            ) from exc
        if found["api"] != "v2" or _line(found["version"]) != _line(quantflux.__version__):
            raise Unsupported(
                f"{self.url} is quantflux {found['version']} with API {found['api']}, this client is "
                f"{quantflux.__version__} and speaks v2; install the server's version here"
            )


def _credentials(
    wire: Wire,
    user: str | None,
    password: str | None,
    code: str | None,
    api_key: str | None,
    token: str | None,
) -> Credentials:
    host = urlsplit(wire.url).hostname or ""
    if wire.url.startswith("http:") and not is_loopback(host):
        warnings.warn(f"{wire.url} is not https: who listens on the way reads the credentials", stacklevel=3)
    if user is not None and password is not None:
        return Session(wire, user, password, code, "python")
    if api_key is not None:
        return FixedHeader("X-API-Key", api_key)
    return FixedHeader("Authorization", f"Bearer {token}")


def _content(document: Mapping[str, Any] | str | Path) -> Mapping[str, Any]:
    return document if isinstance(document, Mapping) else read_document(Path(document)).values


def _line(version: str) -> list[str]:
    """Return the part of a version within which versions understand each other: before 1.0 the second number too."""
    parts = version.split(".")
    return parts[:2] if parts[0] == "0" else parts[:1]
