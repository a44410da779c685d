"""Income statements, balance sheets and cash flows of a block of companies, as they were announced over time.

Equity is the book value that prices and valuations know of; profit is what `return_on_equity` earns on it, revenue what
`Business.sales` turn it over. Around that the hard cases of real reports: flows cumulate from January, a few companies
file late, some reports are corrected months later (the corrected one is of type 1, what it said before of type 5), and
some companies print the year-ago figures restated beside their new ones (type 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from quantflux.data.schema import dataset
from quantflux.data.sources.synthetic.paths import Paths
from quantflux.data.sources.synthetic.streams import Stream, generator
from quantflux.data.sources.synthetic.universe import BLOCK, INDUSTRIES, Companies

Floats = NDArray[np.float64]
Dates = NDArray[np.datetime64]

_YEARS_BEFORE = 3
"""Reports reach back so many years before the first session: factors look back two."""

_WINDOWS = (((4, 10), (4, 30)), ((8, 5), (8, 31)), ((10, 12), (10, 31)), ((2, 20), (4, 30)))
"""First and last (month, day) on which the four reports of a year are published; the annual one in the next year."""

_LATE, _CORRECTED, _RESTATED = 0.008, 0.03, 0.08
"""How often a report is late or corrected, and how often a company's year comes with restated year-ago figures."""

_PROSPECTUS_DAYS, _PROSPECTUS_YEARS = 7, 3.25


@dataclass(frozen=True)
class Business:
    """What shapes a company's reports; arrays have one entry per company.

    Attributes
    ----------
    comp_type : str
        1 industry and commerce, 2 bank, 3 insurer, 4 broker.
    sales : float64
        A year's revenue per yuan of equity.
    liabilities : float64
        Liabilities per yuan of assets.
    minority : float64
        Other shareholders' part of profit and equity, per yuan of the parent's.
    margin : float64
        Gross margin.
    goodwill : float64
        Per yuan of assets; NaN for companies that have none.
    season : float64, shape (4, N)
        Part of the year's business that falls into each quarter.
    """

    comp_type: NDArray[np.str_]
    sales: Floats
    liabilities: Floats
    minority: Floats
    margin: Floats
    goodwill: Floats
    season: Floats


def draw_business(seed: int, block: int, companies: Companies) -> Business:
    """Draw what shapes the reports of a block's first companies."""
    rng = generator(seed, Stream.BUSINESS, block)
    count = len(companies)
    industry = np.array(INDUSTRIES)[companies.industry]
    insurer = rng.random(BLOCK)[:count] < 0.2
    financial = np.where(insurer, "3", "4")
    comp_type = np.where(industry == "银行", "2", np.where(industry == "非银金融", financial, "1"))
    debt = np.where(comp_type == "1", rng.uniform(0.2, 0.7, BLOCK)[:count], 0.9)
    season = rng.dirichlet([60.0, 70.0, 68.0, 72.0], BLOCK)[:count].T
    sales = np.exp(rng.normal(0.0, 0.5, BLOCK))[:count]
    goodwill = rng.uniform(0.005, 0.08, BLOCK)[:count]
    return Business(
        comp_type=comp_type,
        sales=np.where(comp_type == "1", sales, 0.25 * sales),
        liabilities=debt,
        minority=rng.uniform(0.0, 0.12, BLOCK)[:count],
        margin=rng.uniform(0.15, 0.5, BLOCK)[:count],
        goodwill=np.where(rng.random(BLOCK)[:count] < 0.35, goodwill, np.nan),
        season=season,
    )


def statement_tables(
    seed: int, block: int, companies: Companies, business: Business, paths: Paths, sessions: Dates
) -> dict[str, pa.Table]:
    """Return the three statements of a block's companies as announced up to the last session, by dataset."""
    ends = _quarter_ends(sessions)
    draws = _Draws(generator(seed, Stream.STATEMENTS, block), len(companies))
    figures = _figures(draws, companies, business, _equity(companies, paths, sessions, ends))
    announced = _announced(draws, companies, sessions, ends)
    published = _published(companies, sessions, ends, announced)
    kinds = _kinds(draws, published, announced, sessions[-1])
    return {
        name: pa.concat_tables([_rows(name, columns, kind, companies, business, ends) for kind in kinds])
        for name, columns in figures.items()
    }


class _Draws:
    """Random numbers for some companies of a block, drawn for all of it so that they do not depend on how many."""

    def __init__(self, rng: np.random.Generator, companies: int) -> None:
        self._rng = rng
        self._companies = companies

    def normal(self, rows: int, deviation: float) -> Floats:
        """Return normal numbers around 0, shape (rows, N)."""
        return self._rng.normal(0.0, deviation, (rows, BLOCK))[:, : self._companies]

    def chance(self, rows: int, probability: float) -> NDArray[np.bool_]:
        """Return what happens with a probability, shape (rows, N)."""
        return np.asarray(self._rng.random((rows, BLOCK))[:, : self._companies] < probability)

    def uniform(self, rows: int, low: float, high: float) -> Floats:
        """Return numbers between two bounds, shape (rows, N)."""
        return self._rng.uniform(low, high, (rows, BLOCK))[:, : self._companies]

    def days(self, rows: int, low: int, high: int) -> NDArray[np.int64]:
        """Return whole numbers from `low` to below `high`, shape (rows, N)."""
        return self._rng.integers(low, high, (rows, BLOCK))[:, : self._companies]


@dataclass(frozen=True)
class _Kind:
    """Reports of one kind: which there are, when they were announced, and what their amounts are scaled by; (Q, N)."""

    report_type: str
    update_flag: str
    mask: NDArray[np.bool_]
    f_ann_date: Dates
    ann_date: Dates
    scale: Floats


def _kinds(
    draws: _Draws, published: NDArray[np.bool_], announced: Dates, today: np.datetime64
) -> tuple[_Kind, ...]:
    """Return the reports that there are: as published, corrected later, and restated in those of the next year."""
    quarters = len(announced)
    size = draws.normal(quarters, 0.08)
    later = announced + draws.days(quarters, 15, 250)
    corrected = published & draws.chance(quarters, _CORRECTED) & (later <= today)
    merged = np.repeat(draws.chance(quarters // 4, _RESTATED), 4, axis=0)
    growth = np.repeat(draws.uniform(quarters // 4, 0.01, 0.15), 4, axis=0)
    restated = published & np.roll(published & merged, -4, axis=0)
    restated[-4:] = False  # next year's reports, beside which they would stand, are not out yet
    beside = np.roll(announced, -4, axis=0)
    as_is = np.ones(announced.shape)
    return (
        _Kind("1", "0", published & ~corrected, announced, announced, as_is),
        _Kind("5", "0", corrected, announced, announced, as_is),
        _Kind("1", "1", corrected, later, announced, 1 + size),
        _Kind("4", "1", restated, beside, beside, 1 + growth),
    )


def _quarter_ends(sessions: Dates) -> Dates:
    """Return the last days of the quarters of whole years, shape (Q,)."""
    years = sessions[[0, -1]].astype("datetime64[Y]")
    first = (years[0] - _YEARS_BEFORE).astype("datetime64[M]")
    after = (years[1] + 1).astype("datetime64[M]")
    return np.asarray(np.arange(first + 3, after + 1, 3).astype("datetime64[D]") - 1)


def _equity(companies: Companies, paths: Paths, sessions: Dates, ends: Dates) -> Floats:
    """Return the parent's equity at the end of each quarter, shape (Q, N), carried back at its growth."""
    at = np.searchsorted(sessions, ends, side="right") - 1
    held = paths.book * paths.share_factor * companies.shares
    years = np.minimum(0.0, (ends - sessions[0]).astype(np.float64) / 365.25)
    growth = np.clip(companies.return_on_equity, -0.1, 0.3)
    return np.asarray(held[np.maximum(at, 0)] * np.exp(years[:, None] * growth))


def _figures(
    draws: _Draws, companies: Companies, business: Business, equity: Floats
) -> Mapping[str, dict[str, Floats]]:
    """Return the amounts of each statement by column, shape (Q, N)."""
    rows = len(equity)
    season = np.tile(business.season, (rows // 4, 1))
    luck, accidents = 1 + draws.normal(rows, 0.15), draws.normal(rows, 0.004)
    profit = equity * (season * companies.return_on_equity * luck + accidents)
    cash = 1.1 * profit + equity * (0.01 + draws.normal(rows, 0.015))
    investment = equity * 0.02 * np.exp(draws.normal(rows, 0.4))
    revenue = _year_to_date(equity * season * business.sales * (1 + draws.normal(rows, 0.06)))
    flows = {"profit": _year_to_date(profit), "cash": _year_to_date(cash), "spent": _year_to_date(investment)}
    return {
        "income_statement": _income(business, revenue, flows["profit"]),
        "balance_sheet": _balance(business, equity),
        "cash_flow": {
            "net_profit": flows["profit"] * (1 + business.minority),
            "n_cashflow_act": flows["cash"],
            "c_pay_acq_const_fiolta": flows["spent"],
            "n_cashflow_inv_act": -flows["spent"],
            "free_cashflow": flows["cash"] - flows["spent"],
        },
    }


def _year_to_date(quarterly: Floats) -> Floats:
    years = quarterly.reshape(-1, 4, quarterly.shape[1])
    return np.asarray(np.cumsum(years, axis=1).reshape(quarterly.shape))


def _income(business: Business, revenue: Floats, profit: Floats) -> dict[str, Floats]:
    whole = profit * (1 + business.minority)
    before_tax = np.where(whole > 0, whole / 0.8, whole)
    ordinary = business.comp_type == "1"
    return {
        "total_revenue": revenue,
        "revenue": np.where(business.comp_type == "3", np.nan, revenue),
        "oper_cost": np.where(ordinary, revenue * (1 - business.margin), np.nan),
        "operate_profit": before_tax,
        "total_profit": before_tax,
        "income_tax": before_tax - whole,
        "n_income": whole,
        "n_income_attr_p": profit,
        "minority_gain": whole - profit,
    }


def _balance(business: Business, equity: Floats) -> dict[str, Floats]:
    whole = equity * (1 + business.minority)
    assets = whole / (1 - business.liabilities)
    ordinary = np.where(business.comp_type == "1", 1.0, np.nan)
    return {
        "total_assets": assets,
        "total_liab": assets - whole,
        "total_hldr_eqy_exc_min_int": equity,
        "total_hldr_eqy_inc_min_int": whole,
        "minority_int": whole - equity,
        "total_liab_hldr_eqy": assets,
        "money_cap": 0.18 * assets,
        "total_cur_assets": 0.55 * assets * ordinary,
        "accounts_receiv": 0.12 * assets * ordinary,
        "inventories": 0.13 * assets * ordinary,
        "total_cur_liab": 0.75 * (assets - whole) * ordinary,
        "goodwill": business.goodwill * assets,
    }


def _announced(draws: _Draws, companies: Companies, sessions: Dates, ends: Dates) -> Dates:
    """Draw the day on which each report is published, shape (Q, N): most within the window that the rules set.

    A company that lists publishes its older reports in its prospectus.
    """
    quarters = len(ends)
    opens, closes = (_window_days(ends, side) for side in (0, 1))
    width = (closes - opens).astype(np.int64)[:, None]
    early = np.floor(width * draws.uniform(quarters, 0.0, 1.0) ** 1.8).astype(np.int64)
    overdue = np.where(draws.chance(quarters, _LATE), draws.days(quarters, 1, 60), 0)
    overdue[::2] = 0  # half-year and annual reports, which have to be audited or reviewed
    announced = closes[:, None] - np.where(overdue > 0, -overdue, early)
    announced[4::4] = np.maximum(
        announced[4::4], announced[3:-1:4]
    )  # no first quarter before the year it follows
    listed = companies.listed
    debut = np.where(listed >= 0, sessions[np.clip(listed, 0, len(sessions) - 1)], ends[0])
    return np.asarray(np.maximum(announced, debut - _PROSPECTUS_DAYS))


def _window_days(ends: Dates, side: int) -> Dates:
    """Return the first (side 0) or last (side 1) day of the window in which each quarter's report is published."""
    months, days = np.array([window[side] for window in _WINDOWS] * (len(ends) // 4)).T
    year = ends.astype("datetime64[Y]") + (np.arange(len(ends)) % 4 == 3)
    return np.asarray((year.astype("datetime64[M]") + (months - 1)).astype("datetime64[D]") + (days - 1))


def _published(companies: Companies, sessions: Dates, ends: Dates, announced: Dates) -> NDArray[np.bool_]:
    """Return which reports there are, shape (Q, N): of listed companies, and announced by the last session."""
    total = len(sessions)
    listed, gone = companies.listed, companies.delisted
    debut = sessions[np.clip(listed, 0, total - 1)]
    recent = (listed < 0) | (ends[:, None] > debut - int(_PROSPECTUS_YEARS * 365))
    tomorrow = sessions[-1] + np.timedelta64(1, "D")
    left = np.where(gone < total, sessions[np.minimum(gone, total - 1)], tomorrow)
    return np.asarray((listed < total) & recent & (announced < left))


def _rows(
    name: str,
    figures: Mapping[str, Floats],
    kind: _Kind,
    companies: Companies,
    business: Business,
    ends: Dates,
) -> pa.Table:
    """Return the reports of one kind as rows of a statement dataset, sorted by symbol and period."""
    company, quarter = np.nonzero(kind.mask.T)
    rows = len(company)
    texts = {"report_type": kind.report_type, "update_flag": kind.update_flag}
    known: dict[str, pa.Array] = {
        "symbol": pa.array(companies.symbols[company].tolist(), pa.string()),
        "end_date": pa.array(ends[quarter]),
        "f_ann_date": pa.array(kind.f_ann_date[quarter, company]),
        "ann_date": pa.array(kind.ann_date[quarter, company]),
        "comp_type": pa.array(business.comp_type[company].tolist(), pa.string()),
        "end_type": pa.array((quarter % 4 + 1).astype(str).tolist(), pa.string()),
        **{column: pa.array([text] * rows, pa.string()) for column, text in texts.items()},
    }
    scale = kind.scale[quarter, company]
    for column, amounts in figures.items():
        values = (amounts[quarter, company] * scale).round(2)
        known[column] = pa.array(values, from_pandas=True)
    schema = dataset(name).schema
    return pa.table([known.get(f.name, pa.nulls(rows, f.type)) for f in schema], schema=schema)
