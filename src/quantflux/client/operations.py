"""The operations of the API, a class for each group and a method for each operation.

Written by `python -m quantflux.client.generate` from the OpenAPI document; `make client` writes it anew.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal, cast

import polars as pl

from quantflux.client.calls import Call, Document, given
from quantflux.client.jobs import Job
from quantflux.client.pages import Pages
from quantflux.client.schemas import (
    AccountShown,
    ApiKeyShown,
    ApiKeyWithText,
    Board,
    CacheShown,
    Cleared,
    CommissionTerms,
    ConfigShown,
    Costs,
    CountList,
    DatasetAnswer,
    DatasetList,
    DataStatusStatus,
    DayAnswer,
    EntryShown,
    Exchange,
    ExecutionTerms,
    FactorDetails,
    FactorShown,
    Filters,
    FindingAnswer,
    Forecast,
    HealthShown,
    Held,
    InstrumentAnswer,
    InstrumentHistory,
    JobShown,
    LibraryShown,
    Limits,
    MeasureBody,
    Minutes,
    Models,
    ModelVersionShown,
    OperatorShown,
    OrdersPolicy,
    Period,
    Permission,
    PortfolioFileUniverse,
    PythonPolicy,
    RankedPolicy,
    RecordShown,
    ReleaseAnswer,
    ReloadShown,
    RequestIngredient,
    RequestUniverse,
    Risk,
    Role,
    RuleList,
    RunFileUniverse,
    RunList,
    Saved,
    Score,
    Selection,
    Sessions,
    SessionShown,
    SetupShown,
    Severity,
    SignalsPolicy,
    StageShown,
    State,
    StatusInput,
    TokensShown,
    Trailing,
    UserShown,
    UserWithPassword,
    VerificationShown,
    VersionShown,
    View,
    WeightsPolicy,
)
from quantflux.client.transport import Transport


class AccountOperations:
    """Operations on account."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def get(
        self,
    ) -> AccountShown:
        """Who you are.

        Return who asks.
        """
        call = Call("GET", "/api/v2/account")
        return cast("AccountShown", self._http.document(call))

    def list_api_keys(
        self,
    ) -> builtins.list[ApiKeyShown]:
        """Your API keys.

        Return keys that were not revoked, oldest first.
        """
        call = Call("GET", "/api/v2/account/api-keys")
        return cast("builtins.list[ApiKeyShown]", self._http.document(call))

    def create_api_key(
        self,
        *,
        name: str,
        scopes: Sequence[Permission],
        expires_at: datetime | str,
    ) -> ApiKeyWithText:
        """Make an API key.

        Make a key that may do a part of what you may.
        """
        call = Call(
            "POST", "/api/v2/account/api-keys", body=given(name=name, scopes=scopes, expires_at=expires_at)
        )
        return cast("ApiKeyWithText", self._http.document(call))

    def revoke_api_key(
        self,
        key: str,
    ) -> None:
        """Revoke an API key.

        Revoke a key; it is refused within seconds.
        """
        call = Call(
            "DELETE",
            "/api/v2/account/api-keys/{key}",
            places={
                "key": key,
            },
        )
        self._http.nothing(call)

    def change_password(
        self,
        *,
        current_password: str,
        new_password: str,
    ) -> TokensShown:
        """Change your password.

        Change the password; all sessions end, and the answer begins a new one.
        """
        call = Call(
            "POST",
            "/api/v2/account/password",
            body=given(current_password=current_password, new_password=new_password),
        )
        return cast("TokensShown", self._http.document(call))

    def list_sessions(
        self,
    ) -> builtins.list[SessionShown]:
        """Where you are logged in.

        Return sessions, oldest first.
        """
        call = Call("GET", "/api/v2/account/sessions")
        return cast("builtins.list[SessionShown]", self._http.document(call))

    def end_session(
        self,
        session: str,
    ) -> None:
        """End a session.

        End one of your sessions.
        """
        call = Call(
            "DELETE",
            "/api/v2/account/sessions/{session}",
            places={
                "session": session,
            },
        )
        self._http.nothing(call)

    def set_up_totp(
        self,
        *,
        password: str,
    ) -> SetupShown:
        """Set up a second factor.

        Make a secret for an authenticator app. It counts once a code of it was confirmed.
        """
        call = Call("POST", "/api/v2/account/totp", body=given(password=password))
        return cast("SetupShown", self._http.document(call))

    def confirm_totp(
        self,
        *,
        code: str,
    ) -> TokensShown:
        """Confirm the second factor.

        Take the first code; all sessions end, and the answer begins a new one.
        """
        call = Call("POST", "/api/v2/account/totp/confirm", body=given(code=code))
        return cast("TokensShown", self._http.document(call))

    def remove_totp(
        self,
        *,
        password: str,
        code: str,
    ) -> TokensShown:
        """Remove the second factor.

        Do without it; all sessions end, and the answer begins a new one.
        """
        call = Call("POST", "/api/v2/account/totp/remove", body=given(password=password, code=code))
        return cast("TokensShown", self._http.document(call))


class AuditOperations:
    """Operations on audit."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def read(
        self,
        *,
        after: int = 0,
        limit: int = 100,
        action: str | None = None,
        actor: str | None = None,
        outcome: Literal["done", "refused", "failed"] | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
    ) -> Pages[EntryShown]:
        """Read the log.

        Return entries, oldest first; `since` is included, `until` is not, and both have an
        offset from UTC.

        Parameters
        ----------
        after
            Where the page before ended: its `next`.
        limit
            Most items of a page.
        """
        call = Call(
            "GET",
            "/api/v2/audit",
            query={
                "after": after,
                "limit": limit,
                "action": action,
                "actor": actor,
                "outcome": outcome,
                "since": since,
                "until": until,
            },
        )
        return Pages(self._http, call, "after")

    def verify(
        self,
    ) -> VerificationShown:
        """Check the whole log.

        Check every entry, the end of the chain, and its copy outside the database.
        """
        call = Call("GET", "/api/v2/audit/verification")
        return cast("VerificationShown", self._http.document(call))


class BacktestsOperations:
    """Operations on backtests."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(
        self,
        *,
        everybody: bool = False,
        limit: int = 50,
        offset: int = 0,
    ) -> Pages[RecordShown]:
        """Records of backtests.

        List the records of one's own backtests, the newest first.

        Parameters
        ----------
        everybody
            All users' records; needs `jobs:all`.
        limit
            Most items of a page.
        offset
            How many items to skip.
        """
        call = Call(
            "GET",
            "/api/v2/backtests",
            query={
                "everybody": everybody,
                "limit": limit,
                "offset": offset,
            },
        )
        return Pages(self._http, call, "offset")

    def run(
        self,
        *,
        policy: RankedPolicy | WeightsPolicy | OrdersPolicy | SignalsPolicy | PythonPolicy,
        rules: bool = True,
        name: str = "",
        start: date | str | None = None,
        end: date | str | None = None,
        capital: float = 10000000.0,
        seed: int = 0,
        universe: RunFileUniverse | None = None,
        score: Score | None = None,
        schedule: str | int | None = None,
        execution: ExecutionTerms | None = None,
        benchmark: str = "equal",
        sweep: Mapping[str, Any] | None = None,
    ) -> Job:
        """Run a backtest.

        Carry out a strategy under the market's rules, and keep its record.

        Parameters
        ----------
        rules
            Whether to price each rule of the market, which takes a run for each.
        name
            The file's name unless given.
        start
            First and last day; None: of the data.
        end
            First and last day; None: of the data.
        capital
            Yuan at the start; above 1e15 a float no longer tells fen.
        seed
            Handed to policies that draw random numbers.
        schedule
            When decisions are taken: one of `CALENDARS`, or every so many days. None: monthly for
            ranked policies.
        benchmark
            One of `BENCHMARKS`, or a symbol.
        sweep
            Keys and the values that `quantflux backtest sweep` tries; see `grid.py`.
        """
        call = Call(
            "POST",
            "/api/v2/backtests",
            query={
                "rules": rules,
            },
            body=given(
                name=name,
                start=start,
                end=end,
                capital=capital,
                seed=seed,
                universe=universe,
                score=score,
                policy=policy,
                schedule=schedule,
                execution=execution,
                benchmark=benchmark,
                sweep=sweep,
            ),
            keyed=True,
        )
        return Job(self._http, cast("JobShown", self._http.document(call)))

    def compare(
        self,
        *,
        runs: Sequence[Mapping[str, Any]],
        rules: bool = False,
    ) -> Job:
        """Run several side by side.

        Carry out several strategies over the same days.

        Parameters
        ----------
        runs
            Run files' contents.
        rules
            Whether to price each rule of the market, which takes a run for each.
        """
        call = Call("POST", "/api/v2/backtests/compare", body=given(runs=runs, rules=rules), keyed=True)
        return Job(self._http, cast("JobShown", self._http.document(call)))

    def sweep(
        self,
        *,
        policy: RankedPolicy | WeightsPolicy | OrdersPolicy | SignalsPolicy | PythonPolicy,
        name: str = "",
        start: date | str | None = None,
        end: date | str | None = None,
        capital: float = 10000000.0,
        seed: int = 0,
        universe: RunFileUniverse | None = None,
        score: Score | None = None,
        schedule: str | int | None = None,
        execution: ExecutionTerms | None = None,
        benchmark: str = "equal",
        sweep: Mapping[str, Any] | None = None,
    ) -> Job:
        """Try parameters.

        Try every combination of the values under `sweep`.

        Parameters
        ----------
        name
            The file's name unless given.
        start
            First and last day; None: of the data.
        end
            First and last day; None: of the data.
        capital
            Yuan at the start; above 1e15 a float no longer tells fen.
        seed
            Handed to policies that draw random numbers.
        schedule
            When decisions are taken: one of `CALENDARS`, or every so many days. None: monthly for
            ranked policies.
        benchmark
            One of `BENCHMARKS`, or a symbol.
        sweep
            Keys and the values that `quantflux backtest sweep` tries; see `grid.py`.
        """
        call = Call(
            "POST",
            "/api/v2/backtests/sweep",
            body=given(
                name=name,
                start=start,
                end=end,
                capital=capital,
                seed=seed,
                universe=universe,
                score=score,
                policy=policy,
                schedule=schedule,
                execution=execution,
                benchmark=benchmark,
                sweep=sweep,
            ),
            keyed=True,
        )
        return Job(self._http, cast("JobShown", self._http.document(call)))

    def read(
        self,
        record: str,
    ) -> Document:
        """One record.

        Return the record of a backtest.

        Parameters
        ----------
        record
            Of a record.
        """
        call = Call(
            "GET",
            "/api/v2/backtests/{record}",
            places={
                "record": record,
            },
        )
        return cast("Document", self._http.document(call))

    def replay(
        self,
        record: str,
    ) -> Job:
        """Run a record again.

        Run a record again: are the results the same, bit for bit, and if not, why?

        Parameters
        ----------
        record
            Of a record.
        """
        call = Call(
            "POST",
            "/api/v2/backtests/{record}/replay",
            places={
                "record": record,
            },
            keyed=True,
        )
        return Job(self._http, cast("JobShown", self._http.document(call)))

    def read_study(
        self,
        record: str,
    ) -> Document:
        """All figures of a run.

        Return all figures of a recorded backtest.

        Parameters
        ----------
        record
            Of a record.
        """
        call = Call(
            "GET",
            "/api/v2/backtests/{record}/study",
            places={
                "record": record,
            },
        )
        return cast("Document", self._http.document(call))


class DataOperations:
    """Operations on data."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def read_coverage(
        self,
        *,
        dataset: str = "stock_daily_data",
    ) -> pl.DataFrame:
        """First and last day of every symbol.

        Return first day, last day and number of rows of every symbol of a dataset.

        Parameters
        ----------
        dataset
            Name of a dataset; see /api/v2/datasets.
        """
        call = Call(
            "GET",
            "/api/v2/data/coverage",
            query={
                "dataset": dataset,
            },
        )
        return self._http.table(call)

    def read_counts(
        self,
        *,
        dataset: str | None = None,
        run: int | None = None,
    ) -> CountList:
        """Findings by rule.

        Return the number of findings by dataset and rule.

        Parameters
        ----------
        dataset
            Only this dataset.
        run
            Only what this run saw.
        """
        call = Call(
            "GET",
            "/api/v2/data/quality/counts",
            query={
                "dataset": dataset,
                "run": run,
            },
        )
        return cast("CountList", self._http.document(call))

    def read_findings(
        self,
        *,
        dataset: str | None = None,
        symbols: str | None = None,
        start: str | None = None,
        end: str | None = None,
        rule: str | None = None,
        severity: Severity | None = None,
        run: int | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> Pages[FindingAnswer]:
        """What the rules found.

        Return findings in the order of symbol and day.

        Parameters
        ----------
        dataset
            Only this dataset.
        symbols
            Symbols separated by commas, at most 500.
        start
            A day (2024-01-02) or an instant (2024-01-02T09:35; without an offset, Shanghai time);
            inclusive.
        end
            A day (2024-01-02) or an instant (2024-01-02T09:35; without an offset, Shanghai time);
            inclusive.
        rule
            Only findings of this rule.
        severity
            Only findings of this severity.
        run
            Only what this run saw.
        limit
            Most items of a page.
        offset
            How many findings to skip.
        """
        call = Call(
            "GET",
            "/api/v2/data/quality/findings",
            query={
                "dataset": dataset,
                "symbols": symbols,
                "start": start,
                "end": end,
                "rule": rule,
                "severity": severity,
                "run": run,
                "limit": limit,
                "offset": offset,
            },
        )
        return Pages(self._http, call, "offset")

    def release(
        self,
        *,
        dataset: str,
        findings: Sequence[int],
        reason: str,
    ) -> ReleaseAnswer:
        """Let quarantined rows in.

        Write quarantined rows as they were read, and note who let them in and why. Audited
        before it is done.
        """
        call = Call(
            "POST",
            "/api/v2/data/quality/releases",
            body=given(dataset=dataset, findings=findings, reason=reason),
            keyed=True,
        )
        return cast("ReleaseAnswer", self._http.document(call))

    def read_rules(
        self,
    ) -> RuleList:
        """The rules that rows are judged by.

        Return every rule, in the order in which they run.
        """
        call = Call("GET", "/api/v2/data/quality/rules")
        return cast("RuleList", self._http.document(call))

    def read_runs(
        self,
        *,
        dataset: str | None = None,
        limit: int = 100,
    ) -> RunList:
        """Imports, downloads and audits.

        Return the latest runs, newest first.

        Parameters
        ----------
        dataset
            Only this dataset.
        limit
            Most items of a page.
        """
        call = Call(
            "GET",
            "/api/v2/data/quality/runs",
            query={
                "dataset": dataset,
                "limit": limit,
            },
        )
        return cast("RunList", self._http.document(call))

    def read_status(
        self,
    ) -> DataStatusStatus:
        """Versions and spans of what is stored.

        Return the version and span of every dataset, and the state of the panels.
        """
        call = Call("GET", "/api/v2/data/status")
        return cast("DataStatusStatus", self._http.document(call))


class FactorsOperations:
    """Operations on factors."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(
        self,
        *,
        library: str | None = None,
        owner: str | None = None,
        text: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> Pages[FactorShown]:
        """Which factors there are.

        List factors, those of the libraries first.

        Parameters
        ----------
        library
            Only of this library.
        owner
            Only of this owner; `me` is oneself.
        text
            Only with this in id, expression or description.
        limit
            Most items of a page.
        offset
            How many items to skip.
        """
        call = Call(
            "GET",
            "/api/v2/factors",
            query={
                "library": library,
                "owner": owner,
                "text": text,
                "limit": limit,
                "offset": offset,
            },
        )
        return Pages(self._http, call, "offset")

    def define(
        self,
        *,
        id_: str,
        expression: str,
        description: str = "",
        better: Literal["more", "less", "unknown"] = "unknown",
    ) -> FactorShown:
        """Define a factor.

        Define a factor of one's own, or a new version of it; nobody else can change it.
        """
        call = Call(
            "POST",
            "/api/v2/factors",
            body=given(**{"id": id_, "expression": expression, "description": description, "better": better}),
            keyed=True,
        )
        return cast("FactorShown", self._http.document(call))

    def check(
        self,
        *,
        expression: str,
    ) -> Document:
        """Does it see the future?

        Take the future away and change it: does any earlier value change?
        """
        call = Call("POST", "/api/v2/factors/check", body=given(expression=expression))
        return cast("Document", self._http.document(call))

    def compute(
        self,
        *,
        factors: Sequence[str],
    ) -> Job:
        """Compute factors.

        Bring the stored values of factors up to date, computing no more than what is new.

        Parameters
        ----------
        factors
            Names of factors or libraries.
        """
        call = Call("POST", "/api/v2/factors/compute", body=given(factors=factors), keyed=True)
        return Job(self._http, cast("JobShown", self._http.document(call)))

    def evaluate(
        self,
        *,
        factors: Sequence[str],
        start: date | str | None = None,
        end: date | str | None = None,
        horizon: int = 5,
        quantiles: int = 5,
        against: Sequence[str] | None = None,
        series: bool = False,
    ) -> Job:
        """Judge factors.

        Judge factors, on paper and as one can trade, with costs.

        Parameters
        ----------
        factors
            Names of factors or libraries.
        start
            First and last day; None: of the data.
        end
            First and last day; None: of the data.
        horizon
            Days a position is held.
        quantiles
            Groups of names.
        against
            Factors or libraries to correlate a single one with.
        series
            With what each day gave; of 20 factors at most.
        """
        call = Call(
            "POST",
            "/api/v2/factors/evaluate",
            body=given(
                factors=factors,
                start=start,
                end=end,
                horizon=horizon,
                quantiles=quantiles,
                against=against,
                series=series,
            ),
            keyed=True,
        )
        return Job(self._http, cast("JobShown", self._http.document(call)))

    def list_libraries(
        self,
    ) -> builtins.list[LibraryShown]:
        """The libraries of factors.

        List the libraries, the users' own last.
        """
        call = Call("GET", "/api/v2/factors/libraries")
        return cast("builtins.list[LibraryShown]", self._http.document(call))

    def list_operators(
        self,
        *,
        text: str = "",
    ) -> builtins.list[OperatorShown]:
        """The operators of the expression language.

        List the operators with what they mean.

        Parameters
        ----------
        text
            Only with this in name or definition.
        """
        call = Call(
            "GET",
            "/api/v2/factors/operators",
            query={
                "text": text,
            },
        )
        return cast("builtins.list[OperatorShown]", self._http.document(call))

    def read_values(
        self,
        *,
        factors: str,
        start: str | None = None,
        end: str | None = None,
        symbols: str | None = None,
    ) -> pl.DataFrame:
        """Values of factors.

        Return values by day and symbol, null where a symbol did not trade or the value does not
        exist.

        Parameters
        ----------
        factors
            Factors or libraries, separated by commas.
        start
            A day (2024-01-02) or an instant (2024-01-02T09:35; without an offset, Shanghai time);
            inclusive.
        end
            A day (2024-01-02) or an instant (2024-01-02T09:35; without an offset, Shanghai time);
            inclusive.
        symbols
            Symbols separated by commas, at most 500.
        """
        call = Call(
            "GET",
            "/api/v2/factors/values",
            query={
                "factors": factors,
                "start": start,
                "end": end,
                "symbols": symbols,
            },
        )
        return self._http.table(call)

    def retire(
        self,
        name: str,
    ) -> None:
        """Retire a factor.

        Take a factor of one's own out of the lists; its versions stay on record.

        Parameters
        ----------
        name
            A factor's id, or library and id.
        """
        call = Call(
            "DELETE",
            "/api/v2/factors/{name}",
            places={
                "name": name,
            },
        )
        self._http.nothing(call)

    def read(
        self,
        name: str,
        *,
        version: int | None = None,
    ) -> FactorDetails:
        """One factor.

        Return a factor: its formula, what it reads, how far it looks back, and its versions.

        Parameters
        ----------
        name
            A factor's id, or library and id.
        version
            An earlier one of a user's factor.
        """
        call = Call(
            "GET",
            "/api/v2/factors/{name}",
            places={
                "name": name,
            },
            query={
                "version": version,
            },
        )
        return cast("FactorDetails", self._http.document(call))


class JobsOperations:
    """Operations on jobs."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(
        self,
        *,
        state: State | None = None,
        kind: str = "",
        everybody: bool = False,
        limit: int = 50,
        after: int = 0,
    ) -> Pages[JobShown]:
        """Your jobs.

        List jobs, newest first, without what they were given.

        Parameters
        ----------
        state
            Only jobs that stand there.
        kind
            Only jobs of that kind.
        everybody
            All users' jobs; needs `jobs:all`.
        limit
            Most items of a page.
        after
            Where the page before ended: its `next`.
        """
        call = Call(
            "GET",
            "/api/v2/jobs",
            query={
                "state": state,
                "kind": kind,
                "everybody": everybody,
                "limit": limit,
                "after": after,
            },
        )
        return Pages(self._http, call, "after")

    def get(
        self,
        job_id: str,
    ) -> JobShown:
        """One job.

        Show a job: where it stands, how far it has come, what it was given.

        Parameters
        ----------
        job_id
            Of a job.
        """
        call = Call(
            "GET",
            "/api/v2/jobs/{job_id}",
            places={
                "job_id": job_id,
            },
        )
        return cast("JobShown", self._http.document(call))

    def cancel(
        self,
        job_id: str,
    ) -> JobShown:
        """Stop a job.

        Stop a job. One that waits is cancelled at once, one that runs soon; one that has ended
        stays as it is.
        To stop somebody else's needs `jobs:all`, and is written into the audit log.

        Parameters
        ----------
        job_id
            Of a job.
        """
        call = Call(
            "POST",
            "/api/v2/jobs/{job_id}/cancel",
            places={
                "job_id": job_id,
            },
        )
        return cast("JobShown", self._http.document(call))

    def get_result(
        self,
        job_id: str,
    ) -> Document:
        """What a job gave.

        Return what a job gave. It never changes.
        Needs the permission that asking for the work needs, or `jobs:all`.

        Parameters
        ----------
        job_id
            Of a job.
        """
        call = Call(
            "GET",
            "/api/v2/jobs/{job_id}/result",
            places={
                "job_id": job_id,
            },
        )
        return cast("Document", self._http.document(call))


class LogInOperations:
    """Operations on log-in."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def log_in(
        self,
        *,
        name: str,
        password: str,
        code: str | None = None,
        device: str = "",
        label: str = "",
    ) -> TokensShown:
        """Log in.

        Exchange name and password for tokens. What was wrong is never said.
        """
        call = Call(
            "POST",
            "/api/v2/auth/login",
            body=given(name=name, password=password, code=code, device=device, label=label),
        )
        return cast("TokensShown", self._http.document(call))

    def log_out(
        self,
    ) -> None:
        """Log out.

        End this session.
        """
        call = Call("POST", "/api/v2/auth/logout")
        self._http.nothing(call)

    def log_out_everywhere(
        self,
    ) -> None:
        """Log out everywhere.

        End all sessions of the account, this one as well.
        """
        call = Call("POST", "/api/v2/auth/logout-everywhere")
        self._http.nothing(call)

    def refresh(
        self,
        *,
        refresh_token: str,
    ) -> TokensShown:
        """Get the next tokens.

        Exchange a refresh token, once. If it was used before, the session is taken for stolen
        and ends.
        """
        call = Call("POST", "/api/v2/auth/refresh", body=given(refresh_token=refresh_token))
        return cast("TokensShown", self._http.document(call))


class MarketDataOperations:
    """Operations on market data."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def aggregate(
        self,
        *,
        period: Period,
        measures: Sequence[MeasureBody],
        dataset: str = "stock_daily_data",
        symbols: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
    ) -> pl.DataFrame:
        """Measures by symbol and calendar period.

        Return first, last, min, max, sum, mean, count or std of columns by symbol and day,
        week, month or year.
        Nulls are skipped; `std` is the sample deviation; a period without rows has no row.

        Parameters
        ----------
        symbols
            At most 500; all if left out.
        """
        call = Call(
            "POST",
            "/api/v2/aggregates",
            body=given(
                dataset=dataset, symbols=symbols, start=start, end=end, period=period, measures=measures
            ),
        )
        return self._http.table(call)

    def read_many(
        self,
        *,
        symbols: str | None = None,
        start: str | None = None,
        end: str | None = None,
        frequency: str = "1d",
        fields: str | None = None,
        adjust: str = "none",
        anchor: str | None = None,
        as_of: str | None = None,
    ) -> pl.DataFrame:
        """Bars of many symbols.

        Return the bars of the symbols named, in the order of symbol and time, in pages of at
        most 100,000 rows.

        Parameters
        ----------
        symbols
            Symbols separated by commas, at most 500.
        start
            A day (2024-01-02) or an instant (2024-01-02T09:35; without an offset, Shanghai time);
            inclusive.
        end
            A day (2024-01-02) or an instant (2024-01-02T09:35; without an offset, Shanghai time);
            inclusive.
        frequency
            One of 1d, 1w, 1mo, 1min, 5min, 15min, 30min, 60min.
        fields
            Names separated by commas; all if left out.
        adjust
            One of none, forward, backward. Changes prices, never volume nor amount.
        anchor
            Day whose prices forward adjustment leaves as traded; the last one if left out.
        as_of
            A version of the dataset, or an instant: the rows as they stood then, if the store keeps
            history.
        """
        call = Call(
            "GET",
            "/api/v2/bars",
            query={
                "symbols": symbols,
                "start": start,
                "end": end,
                "frequency": frequency,
                "fields": fields,
                "adjust": adjust,
                "anchor": anchor,
                "as_of": as_of,
            },
        )
        return self._http.table(call)

    def read_symbol(
        self,
        symbol: str,
        *,
        start: str | None = None,
        end: str | None = None,
        frequency: str = "1d",
        fields: str | None = None,
        adjust: str = "none",
        anchor: str | None = None,
        as_of: str | None = None,
    ) -> pl.DataFrame:
        """Bars of one symbol.

        Return the bars of one symbol, oldest first. JSON has no symbol column, as `symbol` says
        it once.

        Parameters
        ----------
        symbol
            Such as 600519.SH, sh600519 or 600519.
        start
            A day (2024-01-02) or an instant (2024-01-02T09:35; without an offset, Shanghai time);
            inclusive.
        end
            A day (2024-01-02) or an instant (2024-01-02T09:35; without an offset, Shanghai time);
            inclusive.
        frequency
            One of 1d, 1w, 1mo, 1min, 5min, 15min, 30min, 60min.
        fields
            Names separated by commas; all if left out.
        adjust
            One of none, forward, backward. Changes prices, never volume nor amount.
        anchor
            Day whose prices forward adjustment leaves as traded; the last one if left out.
        as_of
            A version of the dataset, or an instant: the rows as they stood then, if the store keeps
            history.
        """
        call = Call(
            "GET",
            "/api/v2/bars/{symbol}",
            places={
                "symbol": symbol,
            },
            query={
                "start": start,
                "end": end,
                "frequency": frequency,
                "fields": fields,
                "adjust": adjust,
                "anchor": anchor,
                "as_of": as_of,
            },
        )
        return self._http.table(call)

    def read_sessions(
        self,
        *,
        start: str | None = None,
        end: str | None = None,
        exchange: str = "SSE",
    ) -> Sessions:
        """Sessions between two days.

        Return the sessions from `start` to `end`, both inclusive: this year's if neither is
        given.
        After `published_until` the sessions are an estimate.

        Parameters
        ----------
        start
            A day (2024-01-02) or an instant (2024-01-02T09:35; without an offset, Shanghai time);
            inclusive.
        end
            A day (2024-01-02) or an instant (2024-01-02T09:35; without an offset, Shanghai time);
            inclusive.
        exchange
            One of SSE, SZSE, BSE.
        """
        call = Call(
            "GET",
            "/api/v2/calendar",
            query={
                "start": start,
                "end": end,
                "exchange": exchange,
            },
        )
        return cast("Sessions", self._http.document(call))

    def read_day(
        self,
        day: str,
        *,
        exchange: str = "SSE",
    ) -> DayAnswer:
        """Is a day a session.

        Return whether an exchange trades on a day, and the sessions around it.

        Parameters
        ----------
        exchange
            One of SSE, SZSE, BSE.
        """
        call = Call(
            "GET",
            "/api/v2/calendar/{day}",
            places={
                "day": day,
            },
            query={
                "exchange": exchange,
            },
        )
        return cast("DayAnswer", self._http.document(call))

    def read_minutes(
        self,
        day: str,
        *,
        minutes: int = 1,
        exchange: str = "SSE",
    ) -> Minutes:
        """When the bars of a session close.

        Return the closing instants of a session's bars; none if the day is no session.

        Parameters
        ----------
        minutes
            Length of a bar: 1, 5, 15, 30, 60.
        exchange
            One of SSE, SZSE, BSE.
        """
        call = Call(
            "GET",
            "/api/v2/calendar/{day}/minutes",
            places={
                "day": day,
            },
            query={
                "minutes": minutes,
                "exchange": exchange,
            },
        )
        return cast("Minutes", self._http.document(call))

    def read_cross_section(
        self,
        day: str,
        *,
        symbols: str | None = None,
        fields: str | None = None,
        adjust: str = "none",
        as_of: str | None = None,
        dataset: str = "stock_daily_data",
    ) -> pl.DataFrame:
        """One day of many symbols.

        Return one day of all symbols, or of those named, of a dataset of days; no rows if
        nothing was traded.

        Parameters
        ----------
        symbols
            Symbols separated by commas, at most 500.
        fields
            Names separated by commas; all if left out.
        adjust
            One of none, forward, backward. Changes prices, never volume nor amount.
        as_of
            A version of the dataset, or an instant: the rows as they stood then, if the store keeps
            history.
        dataset
            Name of a dataset; see /api/v2/datasets.
        """
        call = Call(
            "GET",
            "/api/v2/cross-sections/{day}",
            places={
                "day": day,
            },
            query={
                "symbols": symbols,
                "fields": fields,
                "adjust": adjust,
                "as_of": as_of,
                "dataset": dataset,
            },
        )
        return self._http.table(call)

    def read_datasets(
        self,
    ) -> DatasetList:
        """Which datasets there are.

        Return every dataset with its columns. What is stored of each: /api/v2/data/status.
        """
        call = Call("GET", "/api/v2/datasets")
        return cast("DatasetList", self._http.document(call))

    def read_dataset(
        self,
        name: str,
    ) -> DatasetAnswer:
        """The columns of a dataset.

        Return the key and columns of a dataset.
        """
        call = Call(
            "GET",
            "/api/v2/datasets/{name}",
            places={
                "name": name,
            },
        )
        return cast("DatasetAnswer", self._http.document(call))

    def read_rows(
        self,
        name: str,
        *,
        symbols: str | None = None,
        start: str | None = None,
        end: str | None = None,
        fields: str | None = None,
        as_of: str | None = None,
    ) -> pl.DataFrame:
        """Rows of a dataset.

        Return rows of the symbols named, or of all, as they are stored, in the order of symbol
        and time.

        Parameters
        ----------
        symbols
            Symbols separated by commas, at most 500.
        start
            A day (2024-01-02) or an instant (2024-01-02T09:35; without an offset, Shanghai time);
            inclusive.
        end
            A day (2024-01-02) or an instant (2024-01-02T09:35; without an offset, Shanghai time);
            inclusive.
        fields
            Names separated by commas; all if left out.
        as_of
            A version of the dataset, or an instant: the rows as they stood then, if the store keeps
            history.
        """
        call = Call(
            "GET",
            "/api/v2/datasets/{name}/rows",
            places={
                "name": name,
            },
            query={
                "symbols": symbols,
                "start": start,
                "end": end,
                "fields": fields,
                "as_of": as_of,
            },
        )
        return self._http.table(call)

    def export_bars(
        self,
        *,
        symbols: str | None = None,
        start: str | None = None,
        end: str | None = None,
        frequency: str = "1d",
        fields: str | None = None,
        adjust: str = "none",
        anchor: str | None = None,
    ) -> pl.DataFrame:
        """All bars.

        Stream the bars of the symbols named, or of all. Stored bars come in the store's order,
        others by symbol.

        Parameters
        ----------
        symbols
            Symbols separated by commas, at most 500.
        start
            A day (2024-01-02) or an instant (2024-01-02T09:35; without an offset, Shanghai time);
            inclusive.
        end
            A day (2024-01-02) or an instant (2024-01-02T09:35; without an offset, Shanghai time);
            inclusive.
        frequency
            One of 1d, 1w, 1mo, 1min, 5min, 15min, 30min, 60min.
        fields
            Names separated by commas; all if left out.
        adjust
            One of none, forward, backward. Changes prices, never volume nor amount.
        anchor
            Day whose prices forward adjustment leaves as traded; the last one if left out.
        """
        call = Call(
            "GET",
            "/api/v2/exports/bars",
            query={
                "symbols": symbols,
                "start": start,
                "end": end,
                "frequency": frequency,
                "fields": fields,
                "adjust": adjust,
                "anchor": anchor,
            },
        )
        return self._http.table(call)

    def export_dataset(
        self,
        name: str,
        *,
        symbols: str | None = None,
        start: str | None = None,
        end: str | None = None,
        fields: str | None = None,
    ) -> pl.DataFrame:
        """All rows of a dataset.

        Stream the rows of the symbols named, or of all, in the store's order: by symbol and
        time, or by year first.

        Parameters
        ----------
        symbols
            Symbols separated by commas, at most 500.
        start
            A day (2024-01-02) or an instant (2024-01-02T09:35; without an offset, Shanghai time);
            inclusive.
        end
            A day (2024-01-02) or an instant (2024-01-02T09:35; without an offset, Shanghai time);
            inclusive.
        fields
            Names separated by commas; all if left out.
        """
        call = Call(
            "GET",
            "/api/v2/exports/datasets/{name}",
            places={
                "name": name,
            },
            query={
                "symbols": symbols,
                "start": start,
                "end": end,
                "fields": fields,
            },
        )
        return self._http.table(call)

    def read_instruments(
        self,
        *,
        text: str | None = None,
        exchange: Exchange | None = None,
        board: Board | None = None,
        industry: str | None = None,
        status: StatusInput | None = None,
        on: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> Pages[InstrumentAnswer]:
        """Instruments by industry, board, status or text.

        Return instruments in the order of their symbols; with `text`, the best match first.

        Parameters
        ----------
        text
            What a code begins with, or a name contains.
        exchange
            Where it is listed.
        board
            Its board.
        industry
            Its industry, as it is named.
        status
            How it is traded.
        on
            As everything stood on this day; today's state if left out.
        limit
            Most items of a page.
        offset
            How many items to skip.
        """
        call = Call(
            "GET",
            "/api/v2/instruments",
            query={
                "text": text,
                "exchange": exchange,
                "board": board,
                "industry": industry,
                "status": status,
                "on": on,
                "limit": limit,
                "offset": offset,
            },
        )
        return Pages(self._http, call, "offset")

    def read_instrument(
        self,
        symbol: str,
    ) -> InstrumentHistory:
        """One instrument and its history.

        Return the instrument that bore a symbol last, whatever it is called now, and what was
        true of it before.

        Parameters
        ----------
        symbol
            Such as 600519.SH, sh600519 or 600519.
        """
        call = Call(
            "GET",
            "/api/v2/instruments/{symbol}",
            places={
                "symbol": symbol,
            },
        )
        return cast("InstrumentHistory", self._http.document(call))

    def read_panel(
        self,
        *,
        fields: str | None = None,
        symbols: str | None = None,
        start: str | None = None,
        end: str | None = None,
        frequency: str = "1d",
        adjust: str = "none",
        anchor: str | None = None,
        as_of: str | None = None,
        dataset: str | None = None,
    ) -> pl.DataFrame:
        """Fields as matrices of times by symbols.

        Return fields of the symbols named, or of all, with null where there is no row. Leave
        `dataset` out for bars.

        Parameters
        ----------
        fields
            Names separated by commas; all if left out.
        symbols
            Symbols separated by commas, at most 500.
        start
            A day (2024-01-02) or an instant (2024-01-02T09:35; without an offset, Shanghai time);
            inclusive.
        end
            A day (2024-01-02) or an instant (2024-01-02T09:35; without an offset, Shanghai time);
            inclusive.
        frequency
            One of 1d, 1w, 1mo, 1min, 5min, 15min, 30min, 60min.
        adjust
            One of none, forward, backward. Changes prices, never volume nor amount.
        anchor
            Day whose prices forward adjustment leaves as traded; the last one if left out.
        as_of
            A version of the dataset, or an instant: the rows as they stood then, if the store keeps
            history.
        """
        call = Call(
            "GET",
            "/api/v2/panels",
            query={
                "fields": fields,
                "symbols": symbols,
                "start": start,
                "end": end,
                "frequency": frequency,
                "adjust": adjust,
                "anchor": anchor,
                "as_of": as_of,
                "dataset": dataset,
            },
        )
        return self._http.table(call)


class ModelsOperations:
    """Operations on models."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(
        self,
        *,
        text: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> Pages[ModelVersionShown]:
        """Which models there are.

        List the newest version of each model, and the one in production.

        Parameters
        ----------
        text
            Only with this in id, name or kind.
        limit
            Most items of a page.
        offset
            How many items to skip.
        """
        call = Call(
            "GET",
            "/api/v2/models",
            query={
                "text": text,
                "limit": limit,
                "offset": offset,
            },
        )
        return Pages(self._http, call, "offset")

    def train(
        self,
        *,
        model: Mapping[str, Any],
        control: bool = False,
    ) -> Job:
        """Train a model.

        Train a model fold by fold, judge what it predicted out of sample, and keep it as a
        candidate.

        Parameters
        ----------
        model
            A model file's content.
        control
            Train it on shuffled labels as well: what luck looks like on these data.
        """
        call = Call("POST", "/api/v2/models", body=given(model=model, control=control), keyed=True)
        return Job(self._http, cast("JobShown", self._http.document(call)))

    def tune(
        self,
        *,
        model: Mapping[str, Any],
        trials: int = 30,
        held_out: int = 1,
        space: Mapping[str, Any] | None = None,
    ) -> Job:
        """Search for better parameters.

        Search for better parameters of a model; asked again, the search goes on where it ended.

        Parameters
        ----------
        model
            A model file's content.
        trials
            Sets of parameters that are tried.
        held_out
            Last folds that the search never sees.
        space
            Ranges in place of the kind's own.
        """
        call = Call(
            "POST",
            "/api/v2/models/tune",
            body=given(model=model, trials=trials, held_out=held_out, space=space),
            keyed=True,
        )
        return Job(self._http, cast("JobShown", self._http.document(call)))

    def read(
        self,
        model: str,
        *,
        version: int | None = None,
    ) -> Document:
        """One version of a model.

        Return all that is known of a version.

        Parameters
        ----------
        model
            A model's id.
        version
            The one in production, or else the newest candidate, if left out.
        """
        call = Call(
            "GET",
            "/api/v2/models/{model}",
            places={
                "model": model,
            },
            query={
                "version": version,
            },
        )
        return cast("Document", self._http.document(call))

    def compare(
        self,
        model: str,
        *,
        challenger: int | None = None,
        champion: int | None = None,
        other: str | None = None,
    ) -> Document:
        """A challenger beside the champion.

        Set a challenger beside the champion, by what both predicted of days that they had not
        seen.

        Parameters
        ----------
        model
            A model's id.
        challenger
            Its version; the newest if left out.
        champion
            Its version; the one in production if left out.
        other
            Model of the challenger, if it is another one.
        """
        call = Call(
            "GET",
            "/api/v2/models/{model}/compare",
            places={
                "model": model,
            },
            query={
                "challenger": challenger,
                "champion": champion,
                "other": other,
            },
        )
        return cast("Document", self._http.document(call))

    def read_drift(
        self,
        model: str,
        *,
        date: str | None = None,
        version: int | None = None,
    ) -> Document:
        """Features now and when it learnt.

        Compare the features of a day with those that a model learnt from.

        Parameters
        ----------
        model
            A model's id.
        date
            A day with bars; the last one there is if left out.
        version
            The one in production, or else the newest candidate, if left out.
        """
        call = Call(
            "GET",
            "/api/v2/models/{model}/drift",
            places={
                "model": model,
            },
            query={
                "date": date,
                "version": version,
            },
        )
        return cast("Document", self._http.document(call))

    def evaluate(
        self,
        model: str,
        *,
        version: int | None = None,
        series: bool = False,
    ) -> Job:
        """Judge a version.

        Judge a version by what it predicted of days that it had not seen, and how it does
        since.

        Parameters
        ----------
        model
            A model's id.
        """
        call = Call(
            "POST",
            "/api/v2/models/{model}/evaluate",
            places={
                "model": model,
            },
            body=given(version=version, series=series),
            keyed=True,
        )
        return Job(self._http, cast("JobShown", self._http.document(call)))

    def read_explanation(
        self,
        model: str,
        *,
        symbols: str | None = None,
        date: str | None = None,
        version: int | None = None,
    ) -> Document:
        """What a model looks at.

        Say what a model looks at, or why it predicts what it does of some names.

        Parameters
        ----------
        model
            A model's id.
        symbols
            Symbols separated by commas, at most 500.
        date
            A day with bars; the last one there is if left out.
        version
            The one in production, or else the newest candidate, if left out.
        """
        call = Call(
            "GET",
            "/api/v2/models/{model}/explanation",
            places={
                "model": model,
            },
            query={
                "symbols": symbols,
                "date": date,
                "version": version,
            },
        )
        return cast("Document", self._http.document(call))

    def read_health(
        self,
        model: str,
        *,
        version: int | None = None,
    ) -> Document:
        """How a model does.

        Compare the stored predictions of a model with what a version showed when it was
        validated.

        Parameters
        ----------
        model
            A model's id.
        version
            The one in production, or else the newest candidate, if left out.
        """
        call = Call(
            "GET",
            "/api/v2/models/{model}/health",
            places={
                "model": model,
            },
            query={
                "version": version,
            },
        )
        return cast("Document", self._http.document(call))

    def read_history(
        self,
        model: str,
    ) -> builtins.list[StageShown]:
        """What happened to a model's versions.

        Return every change of a stage, the oldest first.

        Parameters
        ----------
        model
            A model's id.
        """
        call = Call(
            "GET",
            "/api/v2/models/{model}/history",
            places={
                "model": model,
            },
        )
        return cast("builtins.list[StageShown]", self._http.document(call))

    def retrain(
        self,
        model: str,
    ) -> Job:
        """Train a model anew.

        Train a model on all days up to the newest, and set it beside the version in production.

        Parameters
        ----------
        model
            A model's id.
        """
        call = Call(
            "POST",
            "/api/v2/models/{model}/retrain",
            places={
                "model": model,
            },
            keyed=True,
        )
        return Job(self._http, cast("JobShown", self._http.document(call)))

    def list_versions(
        self,
        model: str,
        *,
        limit: int = 100,
        offset: int = 0,
    ) -> Pages[ModelVersionShown]:
        """The versions of a model.

        List all versions of a model, the oldest first.

        Parameters
        ----------
        model
            A model's id.
        limit
            Most items of a page.
        offset
            How many items to skip.
        """
        call = Call(
            "GET",
            "/api/v2/models/{model}/versions",
            places={
                "model": model,
            },
            query={
                "limit": limit,
                "offset": offset,
            },
        )
        return Pages(self._http, call, "offset")

    def promote_version(
        self,
        model: str,
        version: int,
        *,
        reason: str,
        stage: Literal["production", "retired"] = "production",
    ) -> ModelVersionShown:
        """Bring a version into use, or out of it.

        Bring a version to production; what it replaces is retired, and can be promoted again.
        It is audited.

        Parameters
        ----------
        model
            A model's id.
        """
        call = Call(
            "POST",
            "/api/v2/models/{model}/versions/{version}/promote",
            places={
                "model": model,
                "version": version,
            },
            body=given(stage=stage, reason=reason),
            keyed=True,
        )
        return cast("ModelVersionShown", self._http.document(call))

    def read_predictions(
        self,
        model: str,
        *,
        date: str | None = None,
        symbols: str | None = None,
        version: int | None = None,
    ) -> pl.DataFrame:
        """Predictions of a day.

        Return what is stored of a day; if nothing is, or a version is named, what the model
        says now. Best first.

        Parameters
        ----------
        model
            A model's id.
        date
            A day with bars; the last one there is if left out.
        symbols
            Symbols separated by commas, at most 500.
        version
            The one in production, or else the newest candidate, if left out.
        """
        call = Call(
            "GET",
            "/api/v2/predictions/{model}",
            places={
                "model": model,
            },
            query={
                "date": date,
                "symbols": symbols,
                "version": version,
            },
        )
        return self._http.table(call)

    def save_predictions(
        self,
        model: str,
        *,
        date: str,
        version: int | None = None,
    ) -> Saved:
        """Predict a day and store it.

        Predict all names of a day from what was known at its close, and store that; scores by
        models read it.

        Parameters
        ----------
        model
            A model's id.
        """
        call = Call(
            "POST",
            "/api/v2/predictions/{model}",
            places={
                "model": model,
            },
            body=given(date=date, version=version),
            keyed=True,
        )
        return cast("Saved", self._http.document(call))


class PortfoliosOperations:
    """Operations on portfolios."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def diagnose(
        self,
        *,
        wait: bool = True,
        name: str = "",
        date: date | str | None = None,
        capital: float | None = None,
        method: Literal[
            "equal",
            "inverse_volatility",
            "minimum_variance",
            "mean_variance",
            "maximum_sharpe",
            "risk_parity",
            "hrp",
            "black_litterman",
            "cvar",
            "tracking",
            "factor_neutral",
        ] = "mean_variance",
        parameters: Mapping[str, Any] | None = None,
        universe: PortfolioFileUniverse | None = None,
        expected_returns: Forecast | None = None,
        views: Sequence[View] | None = None,
        risk: Risk | None = None,
        benchmark: str = "",
        holdings: Held | None = None,
        constraints: Limits | None = None,
        costs: Costs | None = None,
        commission: CommissionTerms | None = None,
    ) -> Job | Document:
        """Can the limits hold together?

        Say whether the limits of a portfolio can hold together, and what has to give.

        Parameters
        ----------
        wait
            Whether to wait for small portfolios; false: always a job.
        name
            For reports.
        capital
            Yuan, all in cash, where nothing is held.
        method
            See `quantflux.portfolio.methods`.
        parameters
            Of the method.
        universe
            See their classes.
        expected_returns
            See their classes.
        views
            See their classes.
        risk
            See their classes.
        benchmark
            `equal` or `cap` over the universe, or a CSV file with `symbol` and `weight`.
        holdings
            See their classes.
        constraints
            See their classes.
        costs
            See their classes.
        commission
            See their classes.
        """
        call = Call(
            "POST",
            "/api/v2/portfolios/diagnose",
            query={
                "wait": wait,
            },
            body=given(
                name=name,
                date=date,
                capital=capital,
                method=method,
                parameters=parameters,
                universe=universe,
                expected_returns=expected_returns,
                views=views,
                risk=risk,
                benchmark=benchmark,
                holdings=holdings,
                constraints=constraints,
                costs=costs,
                commission=commission,
            ),
            keyed=True,
        )
        begun, found = self._http.begun(call)
        return Job(self._http, found) if begun else cast("Document", found)

    def explain(
        self,
        *,
        wait: bool = True,
        name: str = "",
        date: date | str | None = None,
        capital: float | None = None,
        method: Literal[
            "equal",
            "inverse_volatility",
            "minimum_variance",
            "mean_variance",
            "maximum_sharpe",
            "risk_parity",
            "hrp",
            "black_litterman",
            "cvar",
            "tracking",
            "factor_neutral",
        ] = "mean_variance",
        parameters: Mapping[str, Any] | None = None,
        universe: PortfolioFileUniverse | None = None,
        expected_returns: Forecast | None = None,
        views: Sequence[View] | None = None,
        risk: Risk | None = None,
        benchmark: str = "",
        holdings: Held | None = None,
        constraints: Limits | None = None,
        costs: Costs | None = None,
        commission: CommissionTerms | None = None,
    ) -> Job | Document:
        """Why a portfolio is as it is.

        Find a portfolio, and say what the limits cost at which it stands: one more solution a
        limit.

        Parameters
        ----------
        wait
            Whether to wait for small portfolios; false: always a job.
        name
            For reports.
        capital
            Yuan, all in cash, where nothing is held.
        method
            See `quantflux.portfolio.methods`.
        parameters
            Of the method.
        universe
            See their classes.
        expected_returns
            See their classes.
        views
            See their classes.
        risk
            See their classes.
        benchmark
            `equal` or `cap` over the universe, or a CSV file with `symbol` and `weight`.
        holdings
            See their classes.
        constraints
            See their classes.
        costs
            See their classes.
        commission
            See their classes.
        """
        call = Call(
            "POST",
            "/api/v2/portfolios/explain",
            query={
                "wait": wait,
            },
            body=given(
                name=name,
                date=date,
                capital=capital,
                method=method,
                parameters=parameters,
                universe=universe,
                expected_returns=expected_returns,
                views=views,
                risk=risk,
                benchmark=benchmark,
                holdings=holdings,
                constraints=constraints,
                costs=costs,
                commission=commission,
            ),
            keyed=True,
        )
        begun, found = self._http.begun(call)
        return Job(self._http, found) if begun else cast("Document", found)

    def optimise(
        self,
        *,
        wait: bool = True,
        name: str = "",
        date: date | str | None = None,
        capital: float | None = None,
        method: Literal[
            "equal",
            "inverse_volatility",
            "minimum_variance",
            "mean_variance",
            "maximum_sharpe",
            "risk_parity",
            "hrp",
            "black_litterman",
            "cvar",
            "tracking",
            "factor_neutral",
        ] = "mean_variance",
        parameters: Mapping[str, Any] | None = None,
        universe: PortfolioFileUniverse | None = None,
        expected_returns: Forecast | None = None,
        views: Sequence[View] | None = None,
        risk: Risk | None = None,
        benchmark: str = "",
        holdings: Held | None = None,
        constraints: Limits | None = None,
        costs: Costs | None = None,
        commission: CommissionTerms | None = None,
    ) -> Job | Document:
        """Find a portfolio.

        Find the weights of a portfolio, in whole lots.

        Parameters
        ----------
        wait
            Whether to wait for small portfolios; false: always a job.
        name
            For reports.
        capital
            Yuan, all in cash, where nothing is held.
        method
            See `quantflux.portfolio.methods`.
        parameters
            Of the method.
        universe
            See their classes.
        expected_returns
            See their classes.
        views
            See their classes.
        risk
            See their classes.
        benchmark
            `equal` or `cap` over the universe, or a CSV file with `symbol` and `weight`.
        holdings
            See their classes.
        constraints
            See their classes.
        costs
            See their classes.
        commission
            See their classes.
        """
        call = Call(
            "POST",
            "/api/v2/portfolios/optimise",
            query={
                "wait": wait,
            },
            body=given(
                name=name,
                date=date,
                capital=capital,
                method=method,
                parameters=parameters,
                universe=universe,
                expected_returns=expected_returns,
                views=views,
                risk=risk,
                benchmark=benchmark,
                holdings=holdings,
                constraints=constraints,
                costs=costs,
                commission=commission,
            ),
            keyed=True,
        )
        begun, found = self._http.begun(call)
        return Job(self._http, found) if begun else cast("Document", found)

    def rebalance(
        self,
        *,
        wait: bool = True,
        name: str = "",
        date: date | str | None = None,
        capital: float | None = None,
        method: Literal[
            "equal",
            "inverse_volatility",
            "minimum_variance",
            "mean_variance",
            "maximum_sharpe",
            "risk_parity",
            "hrp",
            "black_litterman",
            "cvar",
            "tracking",
            "factor_neutral",
        ] = "mean_variance",
        parameters: Mapping[str, Any] | None = None,
        universe: PortfolioFileUniverse | None = None,
        expected_returns: Forecast | None = None,
        views: Sequence[View] | None = None,
        risk: Risk | None = None,
        benchmark: str = "",
        holdings: Held | None = None,
        constraints: Limits | None = None,
        costs: Costs | None = None,
        commission: CommissionTerms | None = None,
    ) -> Job | Document:
        """Orders from what is held.

        List the orders from what is held to the portfolio. Nothing is sent anywhere.

        Parameters
        ----------
        wait
            Whether to wait for small portfolios; false: always a job.
        name
            For reports.
        capital
            Yuan, all in cash, where nothing is held.
        method
            See `quantflux.portfolio.methods`.
        parameters
            Of the method.
        universe
            See their classes.
        expected_returns
            See their classes.
        views
            See their classes.
        risk
            See their classes.
        benchmark
            `equal` or `cap` over the universe, or a CSV file with `symbol` and `weight`.
        holdings
            See their classes.
        constraints
            See their classes.
        costs
            See their classes.
        commission
            See their classes.
        """
        call = Call(
            "POST",
            "/api/v2/portfolios/rebalance",
            query={
                "wait": wait,
            },
            body=given(
                name=name,
                date=date,
                capital=capital,
                method=method,
                parameters=parameters,
                universe=universe,
                expected_returns=expected_returns,
                views=views,
                risk=risk,
                benchmark=benchmark,
                holdings=holdings,
                constraints=constraints,
                costs=costs,
                commission=commission,
            ),
            keyed=True,
        )
        begun, found = self._http.begun(call)
        return Job(self._http, found) if begun else cast("Document", found)


class ScoresOperations:
    """Operations on scores."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def choose_names(
        self,
        *,
        name: str = "",
        date: date | str | None = None,
        method: Literal["equal", "weighted", "ic", "icir", "model"] = "equal",
        factors: Sequence[RequestIngredient] | None = None,
        trailing: Trailing | None = None,
        models: Models | None = None,
        winsorise: float = 5.0,
        least_share: float = 0.5,
        universe: RequestUniverse | None = None,
        filters: Filters | None = None,
        selection: Selection | None = None,
    ) -> Document:
        """The best names by a score.

        Score the names of a day, and choose the best that pass the filters.

        Parameters
        ----------
        name
            For reports.
        method
            `equal`, `weighted`, `ic` (weights are trailing mean RankICs), `icir` (weights that
            would have had the highest ratio of mean RankIC to its deviation) or `model` (stored
            predictions).
        trailing
            See their classes.
        models
            See their classes.
        winsorise
            Values are moved to so many robust deviations (1.4826 x median absolute deviation) from
            the day's median if they lie beyond; 0 leaves them.
        least_share
            Part of the factors, 0 to 1, of which a name must have a value; what then is missing
            counts as the mean.
        universe
            See their classes.
        filters
            See their classes.
        selection
            See their classes.
        """
        call = Call(
            "POST",
            "/api/v2/scores",
            body=given(
                name=name,
                date=date,
                method=method,
                factors=factors,
                trailing=trailing,
                models=models,
                winsorise=winsorise,
                least_share=least_share,
                universe=universe,
                filters=filters,
                selection=selection,
            ),
        )
        return cast("Document", self._http.document(call))

    def explain_name(
        self,
        symbol: str,
        *,
        name: str = "",
        date: date | str | None = None,
        method: Literal["equal", "weighted", "ic", "icir", "model"] = "equal",
        factors: Sequence[RequestIngredient] | None = None,
        trailing: Trailing | None = None,
        models: Models | None = None,
        winsorise: float = 5.0,
        least_share: float = 0.5,
        universe: RequestUniverse | None = None,
        filters: Filters | None = None,
        selection: Selection | None = None,
    ) -> Document:
        """Where one name stands.

        Set the factors of one name beside the market's.

        Parameters
        ----------
        name
            For reports.
        method
            `equal`, `weighted`, `ic` (weights are trailing mean RankICs), `icir` (weights that
            would have had the highest ratio of mean RankIC to its deviation) or `model` (stored
            predictions).
        trailing
            See their classes.
        models
            See their classes.
        winsorise
            Values are moved to so many robust deviations (1.4826 x median absolute deviation) from
            the day's median if they lie beyond; 0 leaves them.
        least_share
            Part of the factors, 0 to 1, of which a name must have a value; what then is missing
            counts as the mean.
        universe
            See their classes.
        filters
            See their classes.
        selection
            See their classes.
        """
        call = Call(
            "POST",
            "/api/v2/scores/contributions/{symbol}",
            places={
                "symbol": symbol,
            },
            body=given(
                name=name,
                date=date,
                method=method,
                factors=factors,
                trailing=trailing,
                models=models,
                winsorise=winsorise,
                least_share=least_share,
                universe=universe,
                filters=filters,
                selection=selection,
            ),
        )
        return cast("Document", self._http.document(call))

    def score_sectors(
        self,
        *,
        top: int = 5,
        name: str = "",
        date: date | str | None = None,
        method: Literal["equal", "weighted", "ic", "icir", "model"] = "equal",
        factors: Sequence[RequestIngredient] | None = None,
        trailing: Trailing | None = None,
        models: Models | None = None,
        winsorise: float = 5.0,
        least_share: float = 0.5,
        universe: RequestUniverse | None = None,
        filters: Filters | None = None,
        selection: Selection | None = None,
    ) -> Document:
        """Scores of industries.

        Show a score by industry.

        Parameters
        ----------
        top
            Names of each industry.
        name
            For reports.
        method
            `equal`, `weighted`, `ic` (weights are trailing mean RankICs), `icir` (weights that
            would have had the highest ratio of mean RankIC to its deviation) or `model` (stored
            predictions).
        trailing
            See their classes.
        models
            See their classes.
        winsorise
            Values are moved to so many robust deviations (1.4826 x median absolute deviation) from
            the day's median if they lie beyond; 0 leaves them.
        least_share
            Part of the factors, 0 to 1, of which a name must have a value; what then is missing
            counts as the mean.
        universe
            See their classes.
        filters
            See their classes.
        selection
            See their classes.
        """
        call = Call(
            "POST",
            "/api/v2/scores/sectors",
            query={
                "top": top,
            },
            body=given(
                name=name,
                date=date,
                method=method,
                factors=factors,
                trailing=trailing,
                models=models,
                winsorise=winsorise,
                least_share=least_share,
                universe=universe,
                filters=filters,
                selection=selection,
            ),
        )
        return cast("Document", self._http.document(call))

    def screen_names(
        self,
        *,
        name: str = "",
        date: date | str | None = None,
        where: str = "",
        universe: RequestUniverse | None = None,
        filters: Filters | None = None,
        show: Sequence[str] | None = None,
        sort: str = "",
        top: int | None = None,
    ) -> Document:
        """Names that meet conditions.

        List the names that meet conditions at the close of a day.

        Parameters
        ----------
        name
            As of `ScoreRequest`.
        where
            An expression over fields and factors, true (above zero) at the close of the day.
        universe
            As of `ScoreRequest`.
        filters
            More conditions; none on scores, as there are none.
        show
            Factors, fields or expressions whose values are shown, beside the fields that `where`
            reads.
        sort
            A factor, field or expression; the names with the highest values come first. By symbol
            unless given.
        top
            Names, at most.
        """
        call = Call(
            "POST",
            "/api/v2/screens",
            body=given(
                name=name,
                date=date,
                where=where,
                universe=universe,
                filters=filters,
                show=show,
                sort=sort,
                top=top,
            ),
        )
        return cast("Document", self._http.document(call))


class SystemOperations:
    """Operations on system."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def cache(
        self,
    ) -> CacheShown:
        """What the cache does.

        Return lookups, sizes and errors.
        """
        call = Call("GET", "/api/v2/system/cache")
        return cast("CacheShown", self._http.document(call))

    def clear(
        self,
        *,
        kind: Literal["realtime", "hot_stocks", "results", "user_queries"] | None = None,
    ) -> Cleared:
        """Empty the cache.

        Drop entries of this process and of the shared tier.
        """
        call = Call("POST", "/api/v2/system/cache/clear", body=given(kind=kind))
        return cast("Cleared", self._http.document(call))

    def config(
        self,
    ) -> ConfigShown:
        """The settings in force.

        Return every setting with its origin; secrets are masked.
        """
        call = Call("GET", "/api/v2/system/config")
        return cast("ConfigShown", self._http.document(call))

    def reload(
        self,
    ) -> ReloadShown:
        """Read the configuration again.

        Read the configuration again and take over what may change while running.
        """
        call = Call("POST", "/api/v2/system/config/reload")
        return cast("ReloadShown", self._http.document(call))

    def health(
        self,
    ) -> HealthShown:
        """How the parts are, and why.

        Return each part with what it says.
        """
        call = Call("GET", "/api/v2/system/health")
        return cast("HealthShown", self._http.document(call))

    def version(
        self,
    ) -> VersionShown:
        """What answers.

        Return the version of the server.
        """
        call = Call("GET", "/api/v2/system/version")
        return cast("VersionShown", self._http.document(call))


class UsersOperations:
    """Operations on users."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(
        self,
        *,
        limit: int = 100,
        offset: int = 0,
    ) -> Pages[UserShown]:
        """All users.

        Return users by name.

        Parameters
        ----------
        limit
            Most items of a page.
        offset
            How many items to skip.
        """
        call = Call(
            "GET",
            "/api/v2/users",
            query={
                "limit": limit,
                "offset": offset,
            },
        )
        return Pages(self._http, call, "offset")

    def add(
        self,
        *,
        name: str,
        role: Role,
    ) -> UserWithPassword:
        """Add a user.

        Add a user with a random password.
        """
        call = Call("POST", "/api/v2/users", body=given(name=name, role=role))
        return cast("UserWithPassword", self._http.document(call))

    def get(
        self,
        user: int,
    ) -> UserShown:
        """One user.

        Return a user.

        Parameters
        ----------
        user
            Of the user.
        """
        call = Call(
            "GET",
            "/api/v2/users/{user}",
            places={
                "user": user,
            },
        )
        return cast("UserShown", self._http.document(call))

    def disable(
        self,
        user: int,
    ) -> UserShown:
        """Keep a user out.

        End a user's sessions and refuse their keys until they are enabled again.

        Parameters
        ----------
        user
            Of the user.
        """
        call = Call(
            "POST",
            "/api/v2/users/{user}/disable",
            places={
                "user": user,
            },
        )
        return cast("UserShown", self._http.document(call))

    def enable(
        self,
        user: int,
    ) -> UserShown:
        """Let a user in again.

        Enable a user who was disabled.

        Parameters
        ----------
        user
            Of the user.
        """
        call = Call(
            "POST",
            "/api/v2/users/{user}/enable",
            places={
                "user": user,
            },
        )
        return cast("UserShown", self._http.document(call))

    def reset_password(
        self,
        user: int,
    ) -> UserWithPassword:
        """Give a user a new password.

        Replace a password by a random one; ends sessions, revokes keys, forgets the second
        factor.

        Parameters
        ----------
        user
            Of the user.
        """
        call = Call(
            "POST",
            "/api/v2/users/{user}/reset-password",
            places={
                "user": user,
            },
        )
        return cast("UserWithPassword", self._http.document(call))

    def set_role(
        self,
        user: int,
        *,
        role: Role,
    ) -> UserShown:
        """Give a user another role.

        Change a role; it takes effect within seconds, also for who is logged in.

        Parameters
        ----------
        user
            Of the user.
        """
        call = Call(
            "PUT",
            "/api/v2/users/{user}/role",
            places={
                "user": user,
            },
            body=given(role=role),
        )
        return cast("UserShown", self._http.document(call))


class Operations:
    """All operations, by group."""

    def __init__(self, http: Transport) -> None:
        self.account = AccountOperations(http)
        self.audit = AuditOperations(http)
        self.backtests = BacktestsOperations(http)
        self.data = DataOperations(http)
        self.factors = FactorsOperations(http)
        self.jobs = JobsOperations(http)
        self.log_in = LogInOperations(http)
        self.market_data = MarketDataOperations(http)
        self.models = ModelsOperations(http)
        self.portfolios = PortfoliosOperations(http)
        self.scores = ScoresOperations(http)
        self.system = SystemOperations(http)
        self.users = UsersOperations(http)
