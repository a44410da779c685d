"""The sections about the data: how many, how complete, and a look at the minutes."""

from __future__ import annotations

from html import escape

from quantflux.cli.demo.report.texts import NOTES
from quantflux.cli.demo.results import Findings, MinuteView
from quantflux.pages.markup import both, facts, number, paragraph, place, section, words


def data_sections(findings: Findings) -> str:
    """Return the overview of the data and, where there are any, of the minutes."""
    minutes = "" if findings.minutes is None else _minutes(findings.minutes)
    return _overview(findings) + minutes


def _overview(findings: Findings) -> str:
    seen = findings.overview
    rows = [
        (both("日线行数", "Daily bars"), f"{seen.rows:,}"),
        (both("估值行数", "Valuation rows"), f"{seen.basic_rows:,}"),
        (both("分钟线行数", "Minute bars"), f"{seen.minute_rows:,}"),
        (both("股票", "Symbols"), f"{seen.symbols:,}"),
        (both("交易日", "Trading days"), f"{seen.days:,}"),
        (both("区间", "Span"), f"{seen.times[0]} … {seen.times[-1]}"),
        (both("期间上市", "Listed within the span"), number(seen.listed, 0)),
        (both("期间退市或停牌至今", "Left, or suspended to the end"), number(seen.left, 0)),
        (both("停牌（股·日）", "Suspended, name-days"), f"{int(seen.suspended.sum()):,}"),
        (both("涨停开盘", "Opened limit-up"), f"{int(seen.opened_up.sum()):,}"),
        (both("跌停开盘", "Opened limit-down"), f"{int(seen.opened_down.sum()):,}"),
        (both("存储", "Store"), escape(seen.store)),
    ]
    notes = "".join(f"<li>{words(NOTES[key])}</li>" for key in findings.notes)
    pair = "<div class='pair'><div><h3>{}</h3>{}</div><div><h3>{}</h3>{}</div></div>".format(
        both("有成交与停牌的股票数", "Names traded and suspended"),
        place("breadth"),
        both("每月涨停与跌停开盘次数", "Opens at the limit, by month"),
        place("events"),
    )
    return section(
        both("数据概况", "The data"),
        paragraph(
            "停牌的日子没有行情，不作填补；价格存原始值，读取时后复权。",
            "Suspended days have no bar and none is invented; prices are stored raw and adjusted backward "
            "on reading.",
        ),
        facts(rows),
        f"<ul class='small'>{notes}</ul>" if notes else "",
        pair,
    )


def _minutes(minutes: MinuteView) -> str:
    pair = "<div class='pair'><div><h3>{}</h3>{}</div><div><h3>{} · {} · {}</h3>{}</div></div>".format(
        both("每分钟成交占全天的比例", "Share of the day's volume by minute"),
        place("profile"),
        escape(minutes.symbol),
        escape(minutes.day),
        both("5 分钟 K 线", "5-minute candles"),
        place("candles"),
    )
    return section(
        both("分钟线", "Minutes"),
        paragraph(
            f"{minutes.symbols} 只股票、{minutes.days} 个交易日的 1 分钟线。成交集中在开盘和收盘，"
            "中间清淡，呈 U 形；"
            "5 分钟线由 1 分钟线按交易时段合成。",
            f"One-minute bars of {minutes.symbols} symbols on {minutes.days} days. Trading crowds at the "
            "open and the close "
            "and is thin between, a U; five-minute bars are put together from the minutes by trading "
            "session.",
        ),
        pair,
    )
