"""What the API takes and gives, as types.

Written by `python -m quantflux.client.generate` from the OpenAPI document; `make client` writes it anew.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

Board: TypeAlias = Literal["main", "chinext", "star", "bse", "b_share", "other"]
"""The boards of the three exchanges; each has its own price limits and lots. `other` is what is no share."""

Exchange: TypeAlias = Literal["SSE", "SZSE", "BSE"]
"""The three stock exchanges of the mainland."""

FieldType: TypeAlias = Literal["float", "integer", "text", "date", "boolean"]
"""The five types a field may have."""

Function: TypeAlias = Literal["first", "last", "min", "max", "sum", "mean", "count", "std"]
"""What an aggregate may compute of a column within one symbol and period, in time order."""

InstrumentRowsStatus: TypeAlias = Literal["normal", "st", "star_st", "delisting", "delisted"]
"""How an instrument is traded."""

Period: TypeAlias = Literal["day", "week", "month", "year"]
"""Calendar periods to aggregate by."""

Permission: TypeAlias = Literal[
    "market:read",
    "market:export",
    "data:read",
    "factors:read",
    "factors:compute",
    "factors:write",
    "models:read",
    "models:train",
    "models:promote",
    "scores:read",
    "portfolios:optimise",
    "portfolios:rebalance",
    "backtests:run",
    "jobs:own",
    "jobs:all",
    "account:own",
    "users:manage",
    "audit:read",
    "system:read",
    "system:manage",
]
"""One thing that a caller may be allowed."""

Role: TypeAlias = Literal["viewer", "researcher", "trader", "operator", "auditor", "admin"]
"""What a user is."""

Severity: TypeAlias = Literal["quarantine", "flag"]
"""What happens to a row that offends."""

State: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]
"""Where a job stands."""

StatusInput: TypeAlias = Literal["normal", "st", "star_st", "delisting", "delisted"]
"""How an instrument is traded."""

TimeKind: TypeAlias = Literal["day", "minute"]
"""How a dataset's rows are dated."""


class AccountShown(TypedDict):
    """Who one is, and what one may do at this moment."""

    id: int
    name: str
    role: Role
    permissions: list[Permission]
    must_change_password: bool
    has_totp: bool


class AggregationBody(TypedDict):
    """Which rows, and what to make of them."""

    dataset: NotRequired[str]
    symbols: NotRequired[list[str] | None]
    start: NotRequired[str | None]
    end: NotRequired[str | None]
    period: Period
    measures: list[MeasureBody]


class ApiKeyShown(TypedDict):
    """A key without its secret; `used_at` is to ten minutes."""

    id: str
    name: str
    scopes: list[Permission]
    created_at: str
    expires_at: str
    used_at: str | None


class ApiKeyWithText(TypedDict):
    """A new key and the text for the header X-API-Key, which is shown this once."""

    key: ApiKeyShown
    text: str


class CacheShown(TypedDict):
    """The cache of the process that answered; `up` says whether its shared tier is in use, null where there is none."""

    backend: str
    up: bool | None
    entries: int
    bytes: int
    most_bytes: int
    kinds: dict[str, KindShown]
    evictions: dict[str, int]
    errors: dict[str, int]


class CheckFactor(TypedDict):
    """A factor by name, or an expression; labels may look ahead with lead()."""

    expression: str


class Clear(TypedDict):
    """What to drop: one kind, or everything."""

    kind: NotRequired[Literal["realtime", "hot_stocks", "results", "user_queries"] | None]


class Cleared(TypedDict):
    """How many entries were dropped."""

    dropped: int


class CommissionTerms(TypedDict):
    """What the broker charges: a fraction of the amount, and least yuan an order."""

    rate: NotRequired[float]
    minimum: NotRequired[float]


class ConfigShown(TypedDict):
    """The settings in force. `pending_restart` were changed but wait for a restart; `error` says what is wrong with a
    file that was not taken over.
    """

    environment: str
    generation: int
    pending_restart: list[str]
    error: str
    settings: list[SettingShown]


class Costs(TypedDict):
    """Costs in the objective: fees by date, and what the trade itself moves the price.

    Attributes
    ----------
    slippage : float
        Fraction of the price, each way.
    impact : float
        Coefficient of the square-root law; 0 leaves it out.
    holding_days : float
        Over how many days costs are spread.
    """

    slippage: NotRequired[float]
    impact: NotRequired[float]
    holding_days: NotRequired[float]


class CountAnswer(TypedDict):
    """How often a rule found something; first and last are days, empty where a finding has none."""

    dataset: str
    rule: str
    severity: Severity
    findings: int
    symbols: int
    first: str
    last: str


class CountList(TypedDict):
    """Counts, the most frequent first."""

    items: list[CountAnswer]


class DataStatusStatus(TypedDict):
    """The store and what is in it."""

    store: str
    panels: PanelStatus
    datasets: list[DatasetStatus]


class DatasetAnswer(TypedDict):
    """A table of the store: its key and columns."""

    name: str
    time: str
    kind: TimeKind
    key: list[str]
    fields: list[FieldAnswer]


class DatasetList(TypedDict):
    """All datasets."""

    items: list[DatasetAnswer]


class DatasetStatus(TypedDict):
    """What is stored of a dataset.

    Attributes
    ----------
    version : int
        0 before the first write.
    first, last : date or None
        Days with rows.
    bytes : int or None
        On disk, where the store knows.
    panel_version : int or None
        Which version reads from the panels show; None for datasets without panels, and while the panels rest.
    """

    name: str
    version: int
    first: str | None
    last: str | None
    bytes: int | None
    panel_version: int | None


class DayAnswer(TypedDict):
    """What a day is to an exchange; `previous` is null before its first session."""

    exchange: Exchange
    day: str
    is_session: bool
    provisional: bool
    previous: str | None
    next: str


class DefineFactor(TypedDict):
    """A factor of one's own, or a new version of it."""

    id: str
    expression: str
    description: NotRequired[str]
    better: NotRequired[Literal["more", "less", "unknown"]]


class EntryShown(TypedDict):
    """An entry: `seq` counts from 1 without a gap."""

    seq: int
    at: str
    action: str
    outcome: Literal["done", "refused", "failed"]
    actor: str
    address: str
    request_id: str
    target: str
    details: dict[str, Any]
    before: str
    after: str


class ExecutionTerms(TypedDict):
    """How orders are filled; see `quantflux.backtest.execution`.

    Attributes
    ----------
    recovery : float
        Part of the last price that is paid for a name that leaves the market.
    without : tuple of str
        Rules of the market that are not applied.
    """

    fill: NotRequired[Literal["open", "close", "vwap"]]
    participation: NotRequired[float]
    slippage: NotRequired[float]
    impact: NotRequired[float]
    commission: NotRequired[CommissionTerms]
    recovery: NotRequired[float]
    without: NotRequired[
        list[
            Literal[
                "suspension", "limits", "settlement", "lots", "volume", "slippage", "fees", "dividend_tax"
            ]
        ]
    ]


class FactorDetails(TypedDict):
    """A factor, what it reads and how far it looks back (null: over all rows), and its older versions."""

    id: str
    library: str
    expression: str
    description: str
    source: str
    better: Literal["more", "less", "unknown"]
    version: int
    owner: str
    canonical: str
    digest: str
    reads: list[str]
    looks_back: int | None
    versions: list[FactorShown]


class FactorShown(TypedDict):
    """A factor: its formula, what it measures, and which values promise a higher return."""

    id: str
    library: str
    expression: str
    description: str
    source: str
    better: Literal["more", "less", "unknown"]
    version: int
    owner: str


class FailureShown(TypedDict):
    """Why a job failed: a stable code for programs and a sentence for people."""

    code: str
    detail: str


class FieldAnswer(TypedDict):
    """A column: its type, its unit, and whether every row has it."""

    name: str
    type: FieldType
    unit: str
    required: bool


class Filters(TypedDict):
    """Who of them may be chosen; everything that is given must hold.

    Attributes
    ----------
    where : str
        An expression over fields and factors, true (above zero) at the close of the day.
    limit_up, limit_down : bool
        Whether names that closed at their upper, lower price limit may be chosen.
    listed_days : int
        Sessions since the listing, at least.
    boards, industries : tuple of str
        Only these; empty means all.
    exclude : tuple of str
        Symbols that may not.
    least_amount : float, optional
        Yuan traded a day, on average over the last `amount_days`; days without trade count as 0.
    least_score, most_score : float, optional
        Bounds of the score, included.
    least_percentile : float, optional
        0 to 100, of the score among the names that were scored.
    """

    where: NotRequired[str]
    limit_up: NotRequired[bool]
    limit_down: NotRequired[bool]
    listed_days: NotRequired[int]
    boards: NotRequired[list[Literal["main", "chinext", "star", "bse", "b_share", "other"]]]
    industries: NotRequired[list[str]]
    exclude: NotRequired[list[str]]
    least_amount: NotRequired[float | None]
    amount_days: NotRequired[int]
    least_score: NotRequired[float | None]
    most_score: NotRequired[float | None]
    least_percentile: NotRequired[float | None]


class FindingAnswer(TypedDict):
    """Something odd about a row. `raw` is the row as it was read, if it was kept out; `released` says it was let in."""

    finding: int
    dataset: str
    symbol: str
    day: str
    at: str
    rule: str
    severity: Severity
    cell: str
    source: str
    source_row: int
    detail: str
    raw: str | None
    first_run: int
    last_run: int
    released: bool


class FindingPage(TypedDict):
    """Findings in the order of symbol and day; `next` is the offset of the next page, null on the last."""

    items: list[FindingAnswer]
    next: int | None


class FirstCode(TypedDict):
    """What the app shows."""

    code: str


class Forecast(TypedDict):
    """What returns are expected.

    A score's z-score z (held within 3) becomes a return by Grinold's rule, IC x volatility x z: over `horizon` days a
    name moves by its daily volatility times the root of the days, of which the score foretells the part IC. A day's
    expected return is IC x daily volatility x z / root(horizon).

    Attributes
    ----------
    score : tuple of Ingredient
        Factors by name or expressions; their z-scores are averaged.
    information_coefficient : float
        Correlation of the score with the returns of the next `horizon` days; `quantflux factor evaluate` measures it.
    horizon : int
        Days.
    values : mapping of str to float
        In place of a score: expected returns by symbol, of a year, as fractions.
    file : str
        The same as a CSV file with `symbol` and `expected_return`.
    """

    score: NotRequired[list[PortfolioFileIngredient]]
    information_coefficient: NotRequired[float]
    horizon: NotRequired[int]
    values: NotRequired[dict[str, float]]
    file: NotRequired[str]


class Groups(TypedDict):
    """Limits of industries (or, in `exposures`, of styles and other factors of the risk model).

    Attributes
    ----------
    least, most : float, optional
        Of every industry.
    limits : mapping of str to Range
        Of single ones, in place of the general limits.
    relative : bool
        Whether limits are on the difference to the benchmark.
    """

    least: NotRequired[float | None]
    most: NotRequired[float | None]
    limits: NotRequired[dict[str, Range]]
    relative: NotRequired[bool]


class HealthShown(TypedDict):
    """How all parts are, at most two seconds ago."""

    status: Literal["ok", "degraded", "down"]
    parts: list[PartShown]


class Held(TypedDict):
    """What is held now.

    Attributes
    ----------
    shares : mapping of str to int
        By symbol.
    file : str
        The same as a CSV file with `symbol` and `shares`.
    cash : float
        Yuan.
    """

    shares: NotRequired[dict[str, int]]
    file: NotRequired[str]
    cash: NotRequired[float]


class InstrumentAnswer(TypedDict):
    """What is true of an instrument from `valid_from` on, until its next row."""

    symbol: str
    name: str
    exchange: Exchange
    board: Board
    industry: str | None
    status: InstrumentRowsStatus
    list_date: str | None
    delist_date: str | None
    valid_from: str
    instrument_id: str


class InstrumentHistory(TypedDict):
    """An instrument now, and every row about it, oldest first."""

    instrument: InstrumentAnswer
    history: list[InstrumentAnswer]


class InstrumentPage(TypedDict):
    """A part of the list; `next` is the offset of the next part, null on the last."""

    items: list[InstrumentAnswer]
    next: int | None
    total: int


class JobShown(TypedDict):
    """A job.

    Attributes
    ----------
    runs : int
        How often it was begun.
    cancel_asked : bool
        It was asked to stop, and has not yet.
    result : str or None
        Where its result is, once it is done.
    payload : object or None
        What was asked for; left out of lists.
    """

    id: str
    kind: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    owner: str
    created: str
    started: str | None
    finished: str | None
    runs: int
    cancel_asked: bool
    progress: ProgressShown
    error: FailureShown | None
    result_bytes: int | None
    result: str | None
    payload: dict[str, Any] | None


class Judging(TypedDict):
    """Which version is judged, and whether with what each day gave."""

    version: NotRequired[int | None]
    series: NotRequired[bool]


class KindShown(TypedDict):
    """Lookups of one kind since the process started, by how they ended."""

    seconds: float
    hits: int
    shared: int
    stale: int
    misses: int


class LibraryShown(TypedDict):
    """A library of factors."""

    name: str
    factors: int
    source: str


class Limits(TypedDict):
    """What must hold.

    Attributes
    ----------
    invested : Range
        Sum of weights; 1 unless given, the rest being cash. A plain number is the sum itself.
    weights : Range
        Of each name; from 0 unless given.
    industries, exposures : Groups
    turnover : float
        The larger of what is bought and what is sold, as a fraction of the value.
    risk, tracking_error : float
        A year.
    expected_return : float
        At least; a year.
    names : int
        At most so many.
    position : float
        A name is not held, or at least at this weight.
    no_trade : tuple of str
        Names that stay as they are.
    tradable : bool
        Whether names that were suspended or closed at a price limit on the day stay as they are too.
    liquidity : MarketShare
    """

    invested: NotRequired[Range | None]
    weights: NotRequired[Range | None]
    industries: NotRequired[Groups | None]
    exposures: NotRequired[Groups | None]
    turnover: NotRequired[float | None]
    risk: NotRequired[float | None]
    tracking_error: NotRequired[float | None]
    expected_return: NotRequired[float | None]
    names: NotRequired[int | None]
    position: NotRequired[float | None]
    no_trade: NotRequired[list[str]]
    tradable: NotRequired[bool]
    liquidity: NotRequired[MarketShare | None]


class LogIn(TypedDict):
    """Who wants in.

    `device` is what an earlier log-in of the same client gave; `label` is how the client calls itself in the list of
    sessions; `code` is of the second factor, if there is one.
    """

    name: str
    password: str
    code: NotRequired[str | None]
    device: NotRequired[str]
    label: NotRequired[str]


class MarketShare(TypedDict):
    """Positions that can be sold within `days` at `share` of what the market trades, on average over `window` days."""

    share: NotRequired[float]
    days: NotRequired[float]
    window: NotRequired[int]
    trades: NotRequired[bool]


class MeasureBody(TypedDict):
    """One column of the answer: a function of a column of the dataset."""

    name: str
    column: str
    function: Function


class Minutes(TypedDict):
    """When the bars of a session close, in Shanghai time."""

    exchange: Exchange
    day: str
    minutes: int
    closes: list[str]


class ModelVersionShown(TypedDict):
    """A version of a model, without what was found about it.

    Attributes
    ----------
    first, last : date
        Of the days it learnt from.
    cells : int
        It learnt from.
    rank_ic : float or None
        Mean tradable RankIC out of sample.
    verdict : str
        What the figures say.
    """

    id: str
    version: int
    name: str
    kind: str
    task: str
    stage: Literal["candidate", "production", "retired"]
    since: str
    created: str
    actor: str
    first: str
    last: str
    cells: int
    rank_ic: float | None
    verdict: str | None


class Models(TypedDict):
    """Stored predictions that make the score of the method `model`.

    Attributes
    ----------
    ids : tuple of str
        Models, all of which must have predicted on the day.
    blend : {"mean", "weighted", "rank"}
        The mean of predicted returns, the mean weighted by `weights`, or the mean of their percentile ranks (0 to 1).
    weights : tuple of float
        One a model, above zero.
    """

    ids: list[str]
    blend: NotRequired[Literal["mean", "weighted", "rank"]]
    weights: NotRequired[list[float]]


class NewApiKey(TypedDict):
    """A key for a program: what of your own permissions it shall have, and until when, with an offset from UTC."""

    name: str
    scopes: list[Permission]
    expires_at: str


class NewPassword(TypedDict):
    """The password that one has and the one that one wants: 8 to 128 characters, not among the common ones."""

    current_password: str
    new_password: str


class NewRole(TypedDict):
    """What a user shall be."""

    role: Role


class NewUser(TypedDict):
    """Somebody to be added."""

    name: str
    role: Role


class OperatorShown(TypedDict):
    """An operator of the expression language."""

    name: str
    usage: str
    definition: str
    family: str


class Optimiser(TypedDict):
    """How an optimiser weighs the names that were picked.

    Attributes
    ----------
    window : int
        Days of returns before the decision that it sees.
    risk : {"sample", "shrunk", "ewma", "pca"}
        What it estimates their covariances with.
    most : float
        Largest weight of one name.
    """

    window: NotRequired[int]
    risk: NotRequired[Literal["sample", "shrunk", "ewma", "pca"]]
    most: NotRequired[float]


class OrdersPolicy(TypedDict):
    """Trade what a file says: columns `date`, `symbol`, `shares` (negative sells), traded on the date."""

    kind: Literal["orders"]
    file: str


class PageOfEntryShown(TypedDict):
    """Page[EntryShown]."""

    items: list[EntryShown]
    next: NotRequired[int | None]
    total: NotRequired[int | None]


class PageOfFactorShown(TypedDict):
    """Page[FactorShown]."""

    items: list[FactorShown]
    next: NotRequired[int | None]
    total: NotRequired[int | None]


class PageOfJobShown(TypedDict):
    """Page[JobShown]."""

    items: list[JobShown]
    next: NotRequired[int | None]
    total: NotRequired[int | None]


class PageOfModelVersionShown(TypedDict):
    """Page[ModelVersionShown]."""

    items: list[ModelVersionShown]
    next: NotRequired[int | None]
    total: NotRequired[int | None]


class PageOfRecordShown(TypedDict):
    """Page[RecordShown]."""

    items: list[RecordShown]
    next: NotRequired[int | None]
    total: NotRequired[int | None]


class PageOfUserShown(TypedDict):
    """Page[UserShown]."""

    items: list[UserShown]
    next: NotRequired[int | None]
    total: NotRequired[int | None]


class PanelStatus(TypedDict):
    """The panel tier: whether it is used, what it takes on disk, and when a write of another process is seen."""

    enabled: bool
    bytes: int
    most_bytes: int
    check_seconds: float


class PartShown(TypedDict):
    """How a part is; without a `needed` one nothing works."""

    name: str
    up: bool
    detail: str
    milliseconds: float
    needed: bool


class PortfolioFile(TypedDict):
    """A portfolio to be found.

    Attributes
    ----------
    name : str
        For reports.
    day : date or None
        Decided at the close of this day; `date` in the file. None: the last day there is.
    capital : float or None
        Yuan, all in cash, where nothing is held.
    method : str
        See `quantflux.portfolio.methods`.
    parameters : mapping
        Of the method.
    universe, expected_returns, views, risk, holdings, constraints, costs, commission
        See their classes.
    benchmark : str
        `equal` or `cap` over the universe, or a CSV file with `symbol` and `weight`.
    """

    name: NotRequired[str]
    date: NotRequired[str | None]
    capital: NotRequired[float | None]
    method: NotRequired[
        Literal[
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
        ]
    ]
    parameters: NotRequired[dict[str, Any]]
    universe: NotRequired[PortfolioFileUniverse]
    expected_returns: NotRequired[Forecast | None]
    views: NotRequired[list[View]]
    risk: NotRequired[Risk]
    benchmark: NotRequired[str]
    holdings: NotRequired[Held | None]
    constraints: NotRequired[Limits]
    costs: NotRequired[Costs | None]
    commission: NotRequired[CommissionTerms]


class PortfolioFileIngredient(TypedDict):
    """One factor of a score, its weight beside the others, and whether more is better (1) or less is (-1).

    Unless given, the orientation is what the factor's definition says, else 1.
    """

    factor: str
    weight: NotRequired[float]
    orientation: NotRequired[Literal[1, -1] | None]


class PortfolioFileUniverse(TypedDict):
    """Which names may be held.

    Attributes
    ----------
    symbols : tuple of str
        Only these; empty means all shares.
    file : str
        Only those that a CSV file lists in its column `symbol`.
    where : str
        An expression; only names for which it is above zero on the day.
    seasoned : bool
        Whether a name must have traded on 60 days.
    special_treatment : bool
        Whether names under special treatment (ST) may be held too.
    """

    symbols: NotRequired[list[str]]
    file: NotRequired[str]
    where: NotRequired[str]
    seasoned: NotRequired[bool]
    special_treatment: NotRequired[bool]


class ProgressShown(TypedDict):
    """How far a job has come: steps done, steps in all (0: not known) and what it is doing."""

    done: int
    total: int
    text: str


class Promotion(TypedDict):
    """Where a version is brought to, and why; kept in its history."""

    stage: NotRequired[Literal["production", "retired"]]
    reason: str


class Proof(TypedDict):
    """That it is really you."""

    password: str


class ProofWithCode(TypedDict):
    """That it is really you, twice."""

    password: str
    code: str


PythonPolicy = TypedDict(
    "PythonPolicy",
    {
        "kind": "Literal['python']",
        "class": "str",
        "parameters": "NotRequired[dict[str, Any]]",
        "fields": "NotRequired[dict[str, str]]",
    },
)
"""Ask a class of the user's own.

Attributes
----------
of : str
    `FILE.py:Class`, the file beside the run file; `class` in the file.
parameters : mapping
    What the class is made with.
fields : mapping of str to str
    Expressions that it is shown under these names, beside prices.
"""


class Range(TypedDict):
    """From the least to the most; a plain number is the most."""

    least: NotRequired[float | None]
    most: NotRequired[float | None]


class RankedPolicy(TypedDict):
    """Hold the names with the highest score.

    Attributes
    ----------
    top : int or None
        How many names.
    share : float or None
        Which part of the names with a score; 0.2 holds the best fifth. One of `top` and `share` is given.
    buffer : int
        A name that is held stays until it ranks more than this many places below the last one that is bought.
    weighting : str
        `equal`; `cap`, by market value; `score`, by how far the score lies above the least one held; or a method of
        `quantflux.portfolio` that needs no forecast.
    optimiser : Optimiser
        Used when `weighting` is a method.
    least : int
        Names with a score that a decision needs; with fewer the portfolio stays as it is.
    """

    kind: NotRequired[Literal["ranked"]]
    top: NotRequired[int | None]
    share: NotRequired[float | None]
    buffer: NotRequired[int]
    weighting: NotRequired[
        Literal[
            "equal", "cap", "score", "inverse_volatility", "minimum_variance", "risk_parity", "hrp", "cvar"
        ]
    ]
    optimiser: NotRequired[Optimiser | None]
    least: NotRequired[int]


class RecordShown(TypedDict):
    """A record of a backtest: what it was called, when it ran, and its key figures."""

    id: str
    name: str
    owner: str
    made: str
    metrics: dict[str, float | None]


class Refresh(TypedDict):
    """What a log-in or the refresh before gave."""

    refresh_token: str


class ReleaseAnswer(TypedDict):
    """What a release did: rows written, and the version that holds them."""

    dataset: str
    version: int
    rows: int


class ReleaseBody(TypedDict):
    """Which quarantined rows to let in, and why."""

    dataset: str
    findings: list[int]
    reason: str


class ReloadShown(TypedDict):
    """What a reload did in the process that answered; the others notice a changed file by themselves."""

    changed: list[str]
    needs_restart: list[str]
    generation: int


class RequestIngredient(TypedDict):
    """One factor of a score.

    Attributes
    ----------
    factor : str
        A factor's name, a library's (all of its factors), or an expression.
    weight : float
        Beside the others, for the method `weighted`; below zero turns the factor round.
    orientation : {1, -1}, optional
        Whether more is better or less is. Unless given, what the factor's definition says, else 1.
    """

    factor: str
    weight: NotRequired[float | None]
    orientation: NotRequired[Literal[1, -1] | None]


class RequestUniverse(TypedDict):
    """Who is compared: among these names of a day values are standardised and scores ranked.

    Attributes
    ----------
    symbols : tuple of str
        Only these; empty means all shares.
    where : str
        An expression; only names for which it is true (above zero) at the close.
    seasoned : bool
        Whether a name must have traded on 60 days.
    special_treatment : bool
        Whether names under special treatment (ST) take part.
    suspended : bool
        Whether names without trade on the day do. They have no values of factors, but may have predictions.
    """

    symbols: NotRequired[list[str]]
    where: NotRequired[str]
    seasoned: NotRequired[bool]
    special_treatment: NotRequired[bool]
    suspended: NotRequired[bool]


class Risk(TypedDict):
    """Which risk model, of how many days.

    Attributes
    ----------
    model : str
        `factor`, styles and industries; `shrunk`, Ledoit and Wolf; `ewma`; `sample`; `statistical`, principal
        components.
    window : int
        Days of returns up to the day.
    half_life : float
        Days, of `ewma` alone.
    """

    model: NotRequired[Literal["factor", "shrunk", "ewma", "sample", "statistical"]]
    window: NotRequired[int]
    half_life: NotRequired[float]


class RuleAnswer(TypedDict):
    """A rule that rows are judged by."""

    id: str
    severity: Severity
    meaning: str


class RuleList(TypedDict):
    """All rules, in the order in which they run."""

    items: list[RuleAnswer]


class RunAnswer(TypedDict):
    """An import, a download or an audit; one without `finished` was cut short."""

    run: int
    dataset: str
    kind: str
    source: str
    started: str
    finished: str | None
    facts: dict[str, Any]


class RunFileIngredient(TypedDict):
    """One factor of a score.

    Attributes
    ----------
    factor : str
        A factor's name, or an expression in which factors may be named.
    weight : float
        Its part in the score, beside the other weights.
    orientation : {1, -1} or None
        Whether more is better or less is; None: what the factor's definition says, else 1.
    """

    factor: str
    weight: NotRequired[float]
    orientation: NotRequired[Literal[1, -1] | None]


class RunFileUniverse(TypedDict):
    """Which names may be held.

    Attributes
    ----------
    symbols : tuple of str
        Only these; empty means all shares.
    file : str
        Only those that a CSV file lists: a column `symbol`, and `since` and `until` where membership changed.
    where : str
        An expression; only names for which it is true, or above zero, at the close of the decision.
    seasoned : bool
        Whether a name must have traded on 60 days.
    special_treatment : bool
        Whether names under special treatment (ST) may be held too.
    """

    symbols: NotRequired[list[str]]
    file: NotRequired[str]
    where: NotRequired[str]
    seasoned: NotRequired[bool]
    special_treatment: NotRequired[bool]


class RunList(TypedDict):
    """Runs, newest first."""

    items: list[RunAnswer]


class SavePredictions(TypedDict):
    """A day with bars, and the version that predicts (the one in production unless given)."""

    date: str
    version: NotRequired[int | None]


class Saved(TypedDict):
    """How many predictions of which day were written into the store."""

    model: str
    trade_date: str
    predictions: int


class Score(TypedDict):
    """What names are ranked by.

    Attributes
    ----------
    factors : tuple of Ingredient
    combine : {"rank", "zscore"}
        What of each factor is added up: its rank or its z-score among the names of the day. A single factor is taken
        as it is.
    least : float
        Part of all weight that a name must have values for.
    """

    factors: list[RunFileIngredient]
    combine: NotRequired[Literal["rank", "zscore"]]
    least: NotRequired[float]


class Selection(TypedDict):
    """How many are chosen, the best first.

    Attributes
    ----------
    top : int
        Names, at most.
    per_industry : int, optional
        Names of one industry, at most; those of no known industry count as one.
    """

    top: NotRequired[int]
    per_industry: NotRequired[int | None]


class SessionShown(TypedDict):
    """Where one is logged in; `current` is the session that asks."""

    id: str
    address: str
    label: str
    created_at: str
    used_at: str
    expires_at: str
    current: bool


class Sessions(TypedDict):
    """The days on which an exchange trades, between two days."""

    exchange: Exchange
    start: str
    end: str
    published_until: str
    sessions: list[str]


class SettingShown(TypedDict):
    """A setting as people may see it: secrets are masked."""

    key: str
    value: str
    default: str
    origin: str
    description: str
    valid: str
    unit: str
    needs_restart: bool


class SetupShown(TypedDict):
    """A second factor to be set up: the secret to type in, and the address that a QR code holds."""

    secret: str
    address: str


class SignalsPolicy(TypedDict):
    """Buy names when one expression becomes true, and sell them when another is.

    Attributes
    ----------
    buy, sell : str
        Expressions, true where above zero.
    most : int
        Most names held at once; each is bought for 1/most of the account.
    """

    kind: Literal["signals"]
    buy: str
    sell: str
    most: NotRequired[int]


class StageShown(TypedDict):
    """What happened to a version: when, to which stage, by whom and why."""

    version: int
    stage: str
    at: str
    actor: str
    reason: str
    replaced_by: int | None


class TokensShown(TypedDict):
    """What to send from now on.

    `access_token` goes into the header Authorization, for `expires_in` seconds; `refresh_token` is exchanged once for
    the next pair. With `needs_totp` there are none: log in again with a code. With `must_change_password` nothing but
    changing it is allowed.
    """

    token_type: NotRequired[str]
    access_token: str
    refresh_token: str
    expires_in: int
    session: str
    must_change_password: bool
    needs_totp: bool
    device: str


class Trailing(TypedDict):
    """What the methods `ic` and `icir` weigh factors by: how well they ranked returns that are known by now.

    Attributes
    ----------
    horizon : int
        Days over which a factor is to foretell returns: bought at the next open, sold `horizon` days later. So a day's
        RankIC is known `horizon` + 1 rows after it.
    window : int
        The latest known RankICs that count.
    least : int, optional
        How many of them there must be; half of the window unless given.
    negative : {"keep", "zero"}
        Whether a factor that ranked the wrong way round may get a negative weight, or gets none.
    """

    horizon: NotRequired[int]
    window: NotRequired[int]
    least: NotRequired[int | None]
    negative: NotRequired[Literal["keep", "zero"]]


class UserShown(TypedDict):
    """A user, without anything that proves who they are."""

    id: int
    name: str
    role: Role
    disabled: bool
    must_change_password: bool
    has_totp: bool
    created_at: str
    password_changed_at: str


class UserWithPassword(TypedDict):
    """A user and the password to tell them, which is shown this once and must be changed at the first log-in."""

    user: UserShown
    password: str


class VerificationShown(TypedDict):
    """What a check of the whole log found.

    `bad_seq` is the first entry that is not as it was written or is missing; `copied_seq` is how far the head that is
    copied outside the database vouches for the log.
    """

    sound: bool
    entries: int
    last_seq: int
    bad_seq: int | None
    problem: str
    copied_seq: int | None


class VersionShown(TypedDict):
    """What answers."""

    version: str
    api: str


class View(TypedDict):
    """A view for `black_litterman`: `symbol` returns so much a year, or `better` so much more than `worse`."""

    symbol: NotRequired[str | None]
    better: NotRequired[list[str]]
    worse: NotRequired[list[str]]
    expected_return: float
    confidence: NotRequired[float]


class WeightsPolicy(TypedDict):
    """Hold what a file says: columns `date`, `symbol`, `weight`, decided at the close of the date."""

    kind: Literal["weights"]
    file: str
