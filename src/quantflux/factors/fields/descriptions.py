"""What the columns behind the fields mean, in words."""

from __future__ import annotations

from dataclasses import dataclass

VALUATIONS = {
    "turnover_rate": "shares traded, of the shares that can trade",
    "turnover_rate_f": "shares traded, of the free float",
    "volume_ratio": "volume, relative to the five days before",
    "pe": "market value / net profit of the last year; missing at a loss",
    "pe_ttm": "market value / net profit of the last four quarters; missing at a loss",
    "pb": "market value / net assets",
    "ps": "market value / revenue of the last year",
    "ps_ttm": "market value / revenue of the last four quarters",
    "dv_ratio": "dividends of the last year, of the price",
    "dv_ttm": "dividends of the last twelve months, of the price",
    "total_share": "shares in issue",
    "float_share": "shares that can trade",
    "free_share": "free float",
    "total_mv": "market value of all shares",
    "circ_mv": "market value of the shares that can trade",
}
"""Of `stock_daily_basic`. Its `close` is left out: that is `raw_close`."""

ORDER_SIZES = {
    "sm": "small orders (below 50,000 yuan)",
    "md": "medium orders (50,000 to 200,000 yuan)",
    "lg": "large orders (200,000 to 1 million yuan)",
    "elg": "extra-large orders (1 million yuan and more)",
}
"""The sizes of orders in `stock_moneyflow`, with the usual bounds."""

CHIPS = {
    "his_low": "lowest price so far, as the vendor adjusts it",
    "his_high": "highest price so far, as the vendor adjusts it",
    "cost_5pct": "price below which 5 % of the shares were bought",
    "cost_15pct": "price below which 15 % of the shares were bought",
    "cost_50pct": "price below which half of the shares were bought",
    "cost_85pct": "price below which 85 % of the shares were bought",
    "cost_95pct": "price below which 95 % of the shares were bought",
    "weight_avg": "average price at which the shares were bought",
    "winner_rate": "part of the shares that was bought below the close",
}
"""Of `stock_chip`: an estimate of what holders paid."""


@dataclass(frozen=True, slots=True)
class Item:
    """A line of a statement.

    Attributes
    ----------
    statement, column : str
        Dataset and column.
    meaning : str
    financials : str or None
        The column that takes its place where banks, insurers and brokers leave it empty.
    """

    statement: str
    column: str
    meaning: str
    financials: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read of the statement."""
        return (self.column,) if self.financials is None else (self.column, self.financials)

    def __str__(self) -> str:
        return f"{self.statement}.{self.column}"


_INCOME, _BALANCE, _CASH = "income_statement", "balance_sheet", "cash_flow"

FLOWS = {
    "net_profit": Item(_INCOME, "n_income_attr_p", "net profit of the parent's shareholders"),
    "revenue": Item(_INCOME, "revenue", "revenue", financials="total_revenue"),
    "operating_cost": Item(_INCOME, "oper_cost", "cost of revenue"),
    "operating_profit": Item(_INCOME, "operate_profit", "operating profit"),
    "operating_cashflow": Item(_CASH, "n_cashflow_act", "net cash from operations"),
    "capital_expenditure": Item(_CASH, "c_pay_acq_const_fiolta", "cash paid for long-lived assets"),
}
"""What happens over a period. Each gives `<name>_ttm` and `<name>_ttm_prev_year`."""

LEVELS = {
    "total_equity": Item(_BALANCE, "total_hldr_eqy_exc_min_int", "equity of the parent's shareholders"),
    "total_assets": Item(_BALANCE, "total_assets", "all assets"),
    "total_liabilities": Item(_BALANCE, "total_liab", "all liabilities"),
    "current_assets": Item(_BALANCE, "total_cur_assets", "current assets"),
    "current_liabilities": Item(_BALANCE, "total_cur_liab", "current liabilities"),
    "cash": Item(_BALANCE, "money_cap", "cash and deposits"),
    "receivables": Item(_BALANCE, "accounts_receiv", "trade receivables"),
    "inventories": Item(_BALANCE, "inventories", "inventories"),
    "goodwill": Item(_BALANCE, "goodwill", "goodwill"),
}
"""What there is at the end of a period. Each gives `<name>`, `<name>_prev_year` and `<name>_average`."""
