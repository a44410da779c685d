"""The dividends and splits of a block as corporate actions."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from quantflux.data.schema import CORPORATE_ACTIONS
from quantflux.data.sources.synthetic.paths import Paths
from quantflux.data.sources.synthetic.universe import Companies


def actions_table(companies: Companies, paths: Paths, sessions: NDArray[np.datetime64]) -> pa.Table:
    """Return a block's events as rows of `corporate_actions`, sorted by company and date.

    Holders of record of the session before are paid on the ex-date, as both exchanges do with cash. Suspended
    companies go ex too; those that are not listed have no holders.
    """
    day = np.arange(len(sessions))[:, None]
    held = (day > companies.listed) & (day < companies.delisted)
    company, session = np.nonzero((held & ((paths.cash > 0) | (paths.new_shares > 0))).T)
    nothing = np.zeros(len(company))
    dates = sessions.astype("datetime64[D]")
    columns = {
        "symbol": pa.array(companies.symbols[company].tolist(), pa.string()),
        "ex_date": pa.array(dates[session]),
        "cash": paths.cash[session, company] / 100,
        "shares": paths.new_shares[session, company],
        "rights_shares": nothing,
        "rights_price": nothing,
        "record_date": pa.array(dates[session - 1]),
        "pay_date": pa.array(dates[session]),
    }
    return pa.table(columns, schema=CORPORATE_ACTIONS.schema)
