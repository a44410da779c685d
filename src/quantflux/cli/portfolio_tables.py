"""The tables of `quantflux portfolio`. Returns and risks are shown of a year of 244 days."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from quantflux.cli.output import add_row, answers, counted, notes, table
from quantflux.portfolio.year import ROOT_OF_YEAR, TRADING_DAYS

if TYPE_CHECKING:
    from quantflux.portfolio.decomposition import RiskSplit
    from quantflux.portfolio.doctor import Price
    from quantflux.portfolio.service import Proposal

_MOST_BINDING = 15


def percent(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """Write a fraction as a percentage; a dash for None.

    Examples
    --------
    >>> percent(0.1234), percent(-0.05, 1, sign=True), percent(None)
    ('12.34 %', '-5.0 %', '-')
    """
    return "-" if value is None else f"{100 * value:{'+' if sign else ''}.{digits}f} %"


def print_statistics(proposal: Proposal) -> None:
    """Show what the portfolio comes to."""
    portfolio, case, figures = proposal.portfolio, proposal.case, proposal.portfolio.statistics
    solved = portfolio.status if portfolio.solver is None else f"{portfolio.status}, {portfolio.solver}"
    answers.print(f"[bold cyan]{_plain(case.file.name)}[/]  {case.day}  {portfolio.method} ({solved})")
    year = {
        "expected return": None
        if figures.expected_return is None
        else figures.expected_return * TRADING_DAYS,
        "risk": None if figures.risk is None else figures.risk * ROOT_OF_YEAR,
        "tracking error": None if figures.tracking_error is None else figures.tracking_error * ROOT_OF_YEAR,
    }
    lots = proposal.lots
    rows = [
        ("value", f"{case.value:,.0f} yuan"),
        ("names", f"{figures.names} (as good as {figures.effective_names:.1f} equal ones)"),
        ("invested", percent(figures.invested)),
        ("largest weight", percent(figures.largest)),
        *((f"{name}, a year", percent(value)) for name, value in year.items() if value is not None),
        ("turnover", percent(figures.turnover)),
        ("cost of trading", percent(figures.cost, 3)),
        (
            "in whole lots",
            f"{percent(lots.drift)} misplaced, {_rounding(lots.annual_tracking_error)}cash {lots.cash:,.0f}",
        ),
    ]
    made = table("", "")
    for name, value in rows:
        if value != "-":
            add_row(made, name, value)
    made.show_header = False
    answers.print(made)


def _rounding(error: float | None) -> str:
    return "" if error is None else f"{percent(error)} tracking error a year, "


def print_proposal(proposal: Proposal, top: int) -> None:
    """Show the names, the largest weights first."""
    rows = proposal.to_dict()["lots"]
    columns = ("weight", "price", "held", "shares", "amount")
    made = table("symbol", "name", "industry", *columns, right=columns)
    for row in rows[:top]:
        add_row(
            made,
            row["symbol"],
            row["name"],
            row["industry"] or "",
            percent(row["weight"]),
            "-" if row["price"] is None else f"{row['price']:,.2f}",
            f"{row['held']:,}",
            f"{row['shares']:,}",
            f"{row['amount']:,.0f}",
        )
    answers.print(made)
    if len(rows) > top:
        notes.print(f"and {counted(len(rows) - top, 'more name')}; --top {len(rows)} shows all")


def print_binding(binding: Sequence[str], priced: Sequence[Price] = ()) -> None:
    """Show the limits at which the weights stand, and what they cost."""
    if not binding and not priced:
        answers.print("no limit binds")
        return
    if not priced:
        answers.print("[bold]limits at which it stands[/]")
        for words in binding[:_MOST_BINDING]:
            answers.print(f"  {words}", markup=False, soft_wrap=True)
        if len(binding) > _MOST_BINDING:
            answers.print(
                f"  and {len(binding) - _MOST_BINDING} more; quantflux portfolio explain prices them"
            )
        return
    columns = ("return", "risk", "tracking error")
    made = table("constraint", "limit that binds", "looser by", *columns, right=columns)
    for price in priced:
        words = f"{price.words} ({price.names} names)" if price.names > 1 else price.words
        changes = (price.expected_return, price.risk, price.tracking_error)
        shown = [percent(change, 3, sign=True) for change in changes]
        add_row(made, price.constraint, words, price.step, *shown)
    answers.print("[bold]what the limits cost, a year[/]")
    answers.print(made)


def print_risk(proposal: Proposal, top: int) -> None:
    """Show where risk and tracking error come from."""
    for title, split in (("risk", proposal.risk), ("tracking error", proposal.active_risk)):
        if split is None or not split.deviation:
            continue
        answers.print(
            f"[bold]where the {title} of {percent(split.deviation * ROOT_OF_YEAR)} a year comes from[/]"
        )
        _print_split(proposal, split, top)


def _print_split(proposal: Proposal, split: RiskSplit, top: int) -> None:
    if split.factors:
        made = table("factor", "exposure", "of the variance", right=("exposure", "of the variance"))
        for factor, part in list(split.factors.items())[:top]:
            add_row(made, factor, f"{split.exposures[factor]:+.3f}", percent(part, 1, sign=True))
        rest = sum(list(split.factors.values())[top:])
        if len(split.factors) > top:
            add_row(made, f"{len(split.factors) - top} other factors", "", percent(rest, 1, sign=True))
        add_row(made, "special to names", "", percent(split.specific, 1, sign=True))
        answers.print(made)
    case = proposal.case
    order = sorted(range(len(split.names)), key=lambda i: -abs(split.names[i]))[:top]
    made = table("symbol", "name", "weight", "of the variance", right=("weight", "of the variance"))
    for i in order:
        if split.names[i]:
            add_row(
                made,
                proposal.portfolio.symbols[i],
                case.names[case.places[i]],
                percent(float(proposal.portfolio.weights[i])),
                percent(float(split.names[i]), 1, sign=True),
            )
    answers.print(made)


def print_orders(proposal: Proposal) -> None:
    """Show the orders, what cannot be traded, and what it costs."""
    orders, case = proposal.orders, proposal.case
    names = dict(zip(case.symbols, case.names, strict=True))
    columns = ("shares", "price", "amount", "commission", "stamp duty", "transfer fee")
    made = table("side", "symbol", "name", *columns, right=columns)
    for order in orders.orders:
        add_row(
            made,
            order.side,
            order.symbol,
            names[order.symbol],
            f"{abs(order.shares):,.0f}",
            f"{order.price:,.2f}",
            f"{order.amount:,.2f}",
            f"{order.commission:,.2f}",
            f"{order.stamp_duty:,.2f}",
            f"{order.transfer_fee:,.2f}",
        )
    answers.print(f"[bold cyan]{_plain(case.file.name)}[/]  {case.day}")
    if orders.orders:
        answers.print(made)
    else:
        answers.print("nothing to trade")
    for refusal in orders.refusals:
        answers.print(f"not today: {refusal}", markup=False, soft_wrap=True)
    answers.print(
        f"{counted(len(orders.orders), 'order')}: sold {orders.sold:,.2f}, bought {orders.bought:,.2f}, "
        f"fees {orders.fees:,.2f} yuan ({orders.fees_bp:.1f} bp); turnover {percent(orders.turnover)}; "
        f"cash {orders.cash_before:,.2f} -> {orders.cash_after:,.2f}",
        markup=False,
        soft_wrap=True,
    )


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
