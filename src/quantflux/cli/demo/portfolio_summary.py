"""The portfolio of the last day, on the terminal."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from quantflux.cli.demo.proposing import largest
from quantflux.cli.demo.report.texts import PORTFOLIO_NOTES
from quantflux.cli.demo.results import Proposed
from quantflux.cli.output import add_row, counted, table
from quantflux.portfolio.service import Proposal
from quantflux.portfolio.year import ROOT_OF_YEAR, TRADING_DAYS

_LARGEST = 5


def print_portfolio(console: Console, proposed: Proposed) -> None:
    """Print what the portfolio comes to, or why there is none."""
    if proposed.proposal is None:
        console.print(Text(f"No portfolio: {proposed.why}"))
        return
    console.print(_figures(proposed.proposal))
    for key in proposed.notes:
        console.print(Text(f"  {PORTFOLIO_NOTES[key].en}", style="dim"))


def binding_kinds(proposal: Proposal) -> str:
    """Say how many limits of each kind bind.

    Returns
    -------
    str
        As in "bounds, industry bounds (15), tracking error".
    """
    kinds = Counter(words.partition(":")[0] for words in proposal.binding)
    told = [kind if count == 1 else f"{kind} ({count})" for kind, count in kinds.items()]
    return ", ".join(told) or "nothing"


def _figures(proposal: Proposal) -> Table:
    figures, lots, orders = proposal.portfolio.statistics, proposal.lots, proposal.orders
    made = table("", "", title=f"Portfolio for {proposal.case.day}, near the market, tilted to the factors")
    made.show_header = False
    names = f"{figures.names} of {len(proposal.portfolio.symbols):,}"
    add_row(made, "names", f"{names}, as good as {figures.effective_names:.0f} equal ones")
    for name, value, scale in (
        ("expected return a year", figures.expected_return, TRADING_DAYS),
        ("risk a year", figures.risk, ROOT_OF_YEAR),
        ("tracking error a year", figures.tracking_error, ROOT_OF_YEAR),
        ("whole lots add", lots.tracking_error, ROOT_OF_YEAR),
    ):
        if value is not None:
            add_row(made, name, f"{value * scale:.2%}")
    positions = largest(proposal, _LARGEST)
    add_row(made, "largest positions", ", ".join(f"{each.symbol} {each.weight:.1%}" for each in positions))
    add_row(made, "limits that bind", binding_kinds(proposal))
    add_row(
        made,
        "orders",
        f"{counted(len(orders.orders), 'order')} for {orders.bought:,.0f} yuan, fees {orders.fees:,.0f} "
        f"({orders.fees_bp:.1f} bp), cash left {orders.cash_after:,.0f}",
    )
    return made
