"""The sections of the page."""

from __future__ import annotations

from quantflux.factors.evaluation import FactorReport
from quantflux.factors.report.tables import key_table
from quantflux.pages.markup import both, facts, number, paragraph, percent, place, section, table


def sections_of(report: FactorReport) -> str:
    """Return all sections."""
    parts = [
        _key(report),
        _over_time(report),
        _horizon(report),
        _money(report),
        _trading(report),
        _years(report),
        _values(report),
    ]
    return "".join(parts)


def _chart(title: str, figure: str, note: str = "") -> str:
    return f"<div><h3>{title}</h3>{note}{place(figure)}</div>"


def _pair(*parts: str) -> str:
    return f'<div class="pair">{"".join(parts)}</div>'


def _key(report: FactorReport) -> str:
    commission = percent(report.plan.commission.rate, 3)
    assumptions = "".join(
        f"<dt>{name}</dt><dd>{text}</dd>"
        for name, text in (
            (
                both("纸面", "Paper"),
                both(
                    "当日收盘价买、收盘价卖；当天有成交的股票都能买卖，不论涨跌停、新股或 ST；不计费用。",
                    "Bought and sold at closes, that of the signal itself first; everything that trades can be had, "
                    "limits, new listings and ST or not; no costs.",
                ),
            ),
            (
                both("可交易", "Tradable"),
                both(
                    "次日开盘买；停牌或涨停开盘买不进，停牌或跌停开盘卖不出、一直持有到能卖为止；"
                    f"不选上市未满 60 日的新股和 ST；计佣金 {commission}、当时的印花税与过户费。",
                    "Bought at the next open; not if suspended or open limit-up, and held on to if suspended or open "
                    "limit-down until it can be sold; no listings younger than 60 days, no ST; commission of "
                    f"{commission}, stamp duty and transfer fee of the day.",
                ),
            ),
        )
    )
    right = f"<h3>{both('两列的含义', 'What the two columns assume')}</h3><dl>{assumptions}</dl>" + _chart(
        both("各组日均收益，减去全体平均", "Mean daily return of each quantile, less that of all"),
        "quantiles",
    )
    return section(
        both("关键数字", "Key numbers"), _pair(f"<div>{key_table(report)}</div>", f"<div>{right}</div>")
    )


def _over_time(report: FactorReport) -> str:
    return section(
        both("信息系数", "Information coefficient"),
        paragraph(
            f"RankIC 是某日因子名次与其后 {report.plan.horizon} 日收益名次的相关系数：0 表示无用，"
            "长期平均 0.03 已有价值。累计线稳定上升才是可靠的因子。",
            "RankIC is the correlation of a day's ranks with the ranks of the returns over the next "
            f"{report.plan.horizon} days: 0 is useless, a lasting 0.03 is worth having. A reliable factor's "
            "cumulative line climbs steadily.",
        ),
        place("ic"),
    )


def _horizon(report: FactorReport) -> str:
    return section(
        both("分布与衰减", "Spread and decay"),
        '<div class="trio">'
        + _chart(
            both("RankIC 的分布", "Distribution of the RankIC"),
            "histogram",
            paragraph("每日 RankIC 落在哪里。", "Where the daily RankIC falls.", "small"),
        )
        + _chart(
            both("随持有期变化", "By days held"),
            "decay",
            paragraph(
                "持有更久，预测更好还是更差。", "Whether holding longer predicts more or less.", "small"
            ),
        )
        + _chart(
            both("信号放旧之后", "As the signal ages"),
            "ageing",
            paragraph(
                f"几天前的信号对今后 {report.plan.horizon} 日的预测力。",
                f"What a signal of some days ago says of the next {report.plan.horizon} days.",
                "small",
            ),
        )
        + "</div>",
    )


def _money(report: FactorReport) -> str:
    days = report.plan.horizon
    return section(
        both("分组与多空", "Quantiles and long-short"),
        paragraph(
            f"每天换仓 1/{days}，每只股票持有 {days} 日。左图为各组减全体的累计收益（可交易，扣费前），"
            "好的因子应依次分开；右图为最高组减最低组。均为单利。",
            f"A part of 1/{days} is renewed every day, so that each name is held for {days} days. Left: each "
            " quantile less all of them, tradable, before costs; with a good factor they fan out in order. "
            "Right: the top quantile less the bottom one. Both are sums of daily returns.",
        ),
        _pair(
            _chart(both("各组相对全体的累计收益", "Each quantile less all, cumulative"), "curves"),
            _chart(both("多空累计收益与回撤", "Long-short, cumulative, and its drawdown"), "long-short"),
        ),
    )


def _trading(report: FactorReport) -> str:
    return section(
        both("换手", "Turnover"),
        _pair(
            _chart(
                both(
                    f"{report.plan.horizon} 日后换掉的名单",
                    f"Names that are new after {report.plan.horizon} days",
                ),
                "turnover",
            ),
            _chart(both("因子名次的自相关", "Autocorrelation of the ranks"), "autocorrelation"),
        ),
    )


def _years(report: FactorReport) -> str:
    years = report.tradable.years
    head = [
        both("年份", "Year"), both("天数", "Days"), "RankIC", "t", both("同号天数", "Same sign"),
        both("多空", "Long-short"), both("扣费后", "After costs"),
    ]  # fmt: skip
    rows = [
        [
            str(year),
            f"{found.days}",
            number(found.rank_ic_mean, 4, sign=True),
            number(found.t_value, 1),
            percent(found.hit_rate, 0),
            percent(found.long_short, sign=True),
            percent(found.long_short_net, sign=True),
        ]
        for year, found in years.items()
    ]
    industries = ""
    if report.tradable.industries:
        industries = (
            f"<h3>{both('各行业内的 RankIC', 'RankIC within each industry')}</h3>{place('industries')}"
        )
    return section(
        both("逐年与分行业", "By year and by industry"),
        _pair(
            _chart(both("逐年 RankIC", "RankIC by year"), "years"),
            _chart(
                both("逐年多空收益，可交易、扣费后", "Long-short by year, tradable, after costs"), "years-net"
            ),
        ),
        table(head, rows),
        industries,
    )


def _values(report: FactorReport) -> str:
    found = report.distribution
    shares = [(f"{share:.0%}", _short(value)) for share, value in found.quantiles.items()]
    moments = [
        (both("截面均值", "Mean"), _short(found.mean)),
        (both("截面标准差", "Deviation"), _short(found.deviation)),
        (both("偏度", "Skewness"), number(found.skewness)),
        (both("峰度（正态为 0）", "Kurtosis (normal: 0)"), number(found.kurtosis)),
        (both("不重复的值", "Distinct values"), percent(found.distinct, 0)),
    ]
    correlations = ""
    if report.correlations is not None:
        title = both("与其他因子的秩相关", "Rank correlation with other factors")
        correlations = f"<h3>{title}</h3>{place('correlations')}"
    return section(
        both("因子值", "The values"),
        _pair(
            _chart(both("分布（1%–99%）", "Distribution (1 % to 99 %)"), "distribution"),
            _chart(both("有因子值的股票", "Names that have a value"), "coverage"),
        ),
        facts([*moments, *shares]),
        correlations,
    )


def _short(value: float) -> str:
    return f"{value:.4g}" if value == value else "–"  # noqa: PLR0124 - NaN differs from itself
