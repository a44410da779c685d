"""The tables of the page."""

from __future__ import annotations

from html import escape

from quantflux.backtest.report.texts import RULES
from quantflux.factors.evaluation.results import mean_of
from quantflux.learning.evaluation import Evaluation
from quantflux.learning.explanation import Explanation
from quantflux.learning.report.contents import ModelReport
from quantflux.pages.markup import DASH, both, coloured, number, percent, signed_bar, table, words


def key_table(found: Evaluation) -> str:
    """Return the key numbers, paper and tradable side by side."""
    head = ["", both("纸面", "Paper"), both("可交易", "Tradable")]
    rows = []
    for label, cells in _key_rows(found):
        if set(cells) != {DASH}:
            rows.append([label, *cells])
    return table(head, rows, "key")


def _key_rows(found: Evaluation) -> list[tuple[str, tuple[str, ...]]]:
    paper, real = found.factor.paper, found.factor.tradable
    books = (paper.portfolios, real.portfolios)
    return [
        (both("RankIC 均值", "Mean RankIC"), _two(paper.rank_ic_mean, real.rank_ic_mean, 4)),
        (
            both("　t 值（允许重叠）", "&emsp;t-value, overlap allowed for"),
            (DASH, number(found.significance.t_value, 1)),
        ),
        (both("　ICIR（日）", "&emsp;ICIR (daily)"), (number(paper.icir), number(real.icir))),
        (both("IC 均值（Pearson）", "Mean IC (Pearson)"), _two(paper.ic_mean, real.ic_mean, 4)),
        (
            both("行业内 RankIC", "RankIC within industries"),
            _two(paper.within_industries, real.within_industries, 4),
        ),
        (
            both("单调性（组号与收益的秩相关）", "Monotonicity (quantile and return)"),
            (number(paper.monotonicity), number(real.monotonicity)),
        ),
        (
            both("最高组换手（每期）", "Turnover of the top, per period"),
            (percent(float(paper.turnover[-1]), 0), percent(float(real.turnover[-1]), 0)),
        ),
        (
            both("多空年化，扣费前", "Long-short a year, before costs"),
            tuple(percent(book.gross.annual, sign=True) for book in books),
        ),
        (
            both("多空年化，扣费后", "Long-short a year, after costs"),
            (DASH, percent(books[1].net.annual, sign=True)),
        ),
        (both("覆盖", "Coverage"), tuple(percent(mean_of(each.coverage), 0) for each in (paper, real))),
    ]


def _two(paper: float, real: float, digits: int) -> tuple[str, str]:
    return number(paper, digits, sign=True), coloured(number(real, digits, sign=True), real)


def fold_table(report: ModelReport) -> str:
    """Return the folds: what each learnt from and predicted, and how well."""
    head = [
        both("折", "Fold"),
        both("训练", "Learnt from"),
        both("样本", "Cells"),
        both("轮数", "Rounds"),
        both("测试", "Predicted"),
        both("验证 RankIC", "RankIC, valid"),
        both("测试 RankIC", "RankIC, test"),
    ]
    rows = [
        [
            str(fold.number),
            _together(f"{fold.train[0]} – {fold.train[1]}"),
            f"{fold.cells:,}",
            f"{fold.rounds:,}",
            _together(f"{fold.test[0]} – {fold.test[1]}"),
            number(fold.valid_ic, 4, sign=True),
            coloured(number(fold.test_ic, 4, sign=True), fold.test_ic),
        ]
        for fold in report.folds
    ]
    return table(head, rows)


def year_table(found: Evaluation) -> str:
    """Return what became of each year."""
    head = [
        both("年份", "Year"), both("天数", "Days"), "RankIC", both("同号天数", "Same sign"),
        both("多空净", "Long-short, net"),
    ]  # fmt: skip
    held = found.top
    if held is not None:
        head += [both("持有最优", "Best held"), both("全体", "All")]
    rows = []
    for year, made in found.factor.tradable.years.items():
        if not made.days:
            continue
        cells = [
            str(year),
            str(made.days),
            coloured(number(made.rank_ic_mean, 4, sign=True), made.rank_ic_mean),
            percent(made.hit_rate, 0),
            percent(made.long_short_net, sign=True),
        ]
        if held is not None:
            gains = (
                {int(str(key)[:4]): gain for key, gain in each.items()}
                for each in (held.study.years, held.beside.years)
            )
            cells += [percent(each.get(year, float("nan")), sign=True) for each in gains]
        rows.append(cells)
    return table(head, rows)


def rule_table(found: Evaluation) -> str:
    """Return what each rule of the market took from the best names; nothing where the rules were not priced."""
    if found.top is None or found.top.study.ladder is None:
        return ""
    ladder = found.top.study.ladder
    largest = max(abs(rung.cost) for rung in ladder.rungs)
    rows = [[both("没有任何规则", "without any rule"), percent(ladder.ideal, sign=True), DASH, ""]]
    rows += [
        [
            words(RULES[rung.rule]),
            percent(rung.annual_return, sign=True),
            percent(-rung.cost, sign=True),
            signed_bar(-rung.cost, largest),
        ]
        for rung in ladder.rungs
    ]
    head = [
        both("规则逐条生效", "Rules one by one"),
        both("年化", "A year"),
        both("影响", "Took or gave"),
        "",
    ]
    return table(head, rows)


def feature_table(found: Explanation, count: int) -> str:
    """Return the strongest features with their share and direction."""
    head = [both("特征", "Feature"), both("占比", "Part"), both("方向", "Direction")]
    rows = [
        [
            f'<code style="overflow-wrap:anywhere">{escape(found.names[place])}</code>',
            percent(float(found.shares[place])),
            number(float(found.direction[place]), sign=True),
        ]
        for place in found.strongest(count)
    ]
    return table(head, rows)


def _together(text: str) -> str:
    return f'<span style="white-space:nowrap">{text}</span>'
