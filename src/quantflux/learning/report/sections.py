"""The sections of the page."""

from __future__ import annotations

from html import escape

from quantflux.learning.evaluation import Calibration, Evaluation, Reliability
from quantflux.learning.report.contents import ModelReport
from quantflux.learning.report.tables import (
    feature_table,
    fold_table,
    key_table,
    rule_table,
    year_table,
)
from quantflux.pages.markup import both, facts, number, paragraph, percent, place, section, words

_TOLD_FEATURES = 12


def sections_of(report: ModelReport) -> str:
    """Return all sections."""
    return "".join(
        [
            _key(report),
            _over_time(report),
            _years(report.evaluation),
            _quantiles(report.evaluation),
            _held(report.evaluation),
            _calibrated(report.evaluation),
            _explained(report),
            _folds(report),
        ]
    )


def _chart(title: str, figure: str, note: str = "") -> str:
    return f"<div><h3>{title}</h3>{note}{place(figure)}</div>"


def _pair(*parts: str) -> str:
    return f'<div class="pair">{"".join(parts)}</div>'


def _key(report: ModelReport) -> str:
    about = facts(
        [
            (f'<span style="white-space:nowrap">{words(name)}</span>', escape(value))
            for name, value in report.about
        ]
    )
    assumptions = paragraph(
        "纸面：当日收盘价买卖，不计费用。可交易：次日开盘买，停牌或涨停买不进，停牌或跌停卖不出；"
        "不选上市未满 60 日的新股和 ST；多空计佣金、印花税与过户费。",
        "Paper: bought and sold at closes, free of costs. Tradable: bought at the next open, not if suspended or open "
        "limit-up, and held on to if suspended or open limit-down; no listings younger than 60 days, no ST; "
        "long-short pays commission, stamp duty and transfer fee.",
        "small",
    )
    right = f"<h3>{both('模型', 'The model')}</h3>{about}" if report.about else ""
    return section(
        both("关键数字", "Key numbers"),
        _pair(f"<div>{key_table(report.evaluation)}</div>", f"<div>{right}{assumptions}</div>"),
    )


def _over_time(report: ModelReport) -> str:
    found = report.evaluation
    return section(
        both("信息系数", "Information coefficient"),
        paragraph(
            f"RankIC 是某日预测名次与其后 {found.horizon} 日收益名次的相关系数：0 表示无用，长期平均 0.03 已有价值。"
            "可靠的模型，累计线稳定上升；噪声的累计线来回游走。",
            "RankIC is the correlation of a day's predicted ranks with the ranks of the returns over the next "
            f"{found.horizon} days: 0 is useless, a lasting 0.03 is worth having. A reliable model's cumulative line "
            "climbs steadily; that of noise wanders.",
        ),
        place("ic"),
    )


def _years(found: Evaluation) -> str:
    return section(
        both("逐年", "By year"),
        _pair(_chart(both("逐年 RankIC", "RankIC by year"), "years"), f"<div>{year_table(found)}</div>"),
    )


def _quantiles(found: Evaluation) -> str:
    return section(
        both("分组", "Quantiles"),
        paragraph(
            f"每天按预测分组，每只股票持有 {found.horizon} 日。好的模型各组应依次分开。",
            f"Names are cut into groups by prediction every day and held for {found.horizon} days. With a good model "
            "the groups fan out in order.",
        ),
        _pair(
            _chart(
                both("各组日均收益，减去全体平均", "Mean daily return of each, less that of all"), "quantiles"
            ),
            _chart(
                both(
                    "各组相对全体的累计收益（可交易，扣费前）",
                    "Each less all, cumulative (tradable, before costs)",
                ),
                "curves",
            ),
        ),
    )


def _held(found: Evaluation) -> str:
    if found.top is None:
        return ""
    held = found.top
    study, beside = held.study, held.beside.comparison
    told = [
        (both("年化收益", "Return a year"), percent(study.performance.annual_return, sign=True)),
        (both("超额年化", "Excess a year"), percent(beside.excess_return, sign=True)),
        (both("超额的 t 值", "t-value of the excess"), number(beside.excess_t, 1)),
        (both("信息比率", "Information ratio"), number(beside.information_ratio)),
        (both("夏普比率", "Sharpe ratio"), number(study.performance.sharpe)),
        (both("最大回撤", "Largest drawdown"), percent(-study.performance.max_drawdown)),
        (both("年换手（单边）", "Turnover a year, one way"), f"{number(study.turnover, 1)}×"),
        (both("费用，每年", "Costs a year"), percent(study.cost_drag)),
        (
            both("超额归于运气的概率", "Chance that the excess is luck"),
            percent(1 - held.beside.luck.deflated, 0),
        ),
    ]
    return section(
        both(f"持有最优 {held.top} 名", f"The best {held.top} held"),
        paragraph(
            f"每 {held.every} 日等权换入排名最前的 {held.top} 只，已持有的跌出前 {held.top + held.buffer} 名才换出；"
            "次日开盘成交，遵守涨跌停、停牌、T+1、整手与成交量上限，扣除全部费用。灰线为有预测的全体股票等权、不计费用。",
            f"Every {held.every} days the best {held.top} are held in equal weights; a name that is held goes when it "
            f"ranks below {held.top + held.buffer}. Filled at the next open under limits, suspensions, T+1, lots and "
            "the volume cap, after all costs. Grey: all names with a prediction in equal weights, free of costs.",
        ),
        _pair(
            _chart(both("净值", "Net value"), "equity"),
            _chart(both("相对全体的超额", "Beside all names"), "excess"),
        ),
        _pair(f"<div>{facts(told)}</div>", f"<div>{rule_table(found)}</div>"),
    )


def _calibrated(found: Evaluation) -> str:
    if found.calibration is not None:
        return _numbers(found.calibration)
    return "" if found.reliability is None else _probabilities(found.reliability)


def _numbers(made: Calibration) -> str:
    told = [
        (both("斜率（1 为准确）", "Slope (1 is right)"), number(made.slope)),
        (both("斜率的标准误", "Standard error of the slope"), number(made.slope_error)),
        (both("截距", "Intercept"), number(made.intercept, 4, sign=True)),
        (both("解释的方差", "Variance explained"), percent(made.r_squared, 2)),
        (both("样本", "Cells"), f"{int(made.groups.count.sum()):,}"),
    ]
    note = paragraph(
        "把全部预测按大小分成十组，每点是一组的平均：落在点线上说明预测的数值可信；比点线平缓说明说得过头。",
        "All predictions cut into ten groups by size, a point each: on the dotted line their numbers can be believed; "
        "flatter than it they promise too much.",
        "small",
    )
    return section(
        both("校准", "Calibration"),
        _pair(f"<div>{place('calibration')}</div>", f"<div>{note}{facts(told)}</div>"),
    )


def _probabilities(made: Reliability) -> str:
    told = [
        (both("Brier 分数", "Brier score"), number(made.brier, 4)),
        (both("只报平均占比的 Brier", "Brier score of shares alone"), number(made.brier_of_shares, 4)),
        (both("对数损失", "Log loss"), number(made.log_loss, 4)),
        (both("只报平均占比的对数损失", "Log loss of shares alone"), number(made.log_loss_of_shares, 4)),
    ]
    note = paragraph(
        "每一类按预测概率分成十组：落在点线上说明概率可信。损失应小于只报平均占比的人，越小越好。",
        "Each class cut into ten groups by predicted probability: on the dotted line probabilities can be believed. "
        "Losses should be below those of somebody who knows nothing but how often each class comes.",
        "small",
    )
    return section(
        both("概率的可靠性", "Reliability of the probabilities"),
        _pair(f"<div>{place('reliability')}</div>", f"<div>{note}{facts(told)}</div>"),
    )


def _explained(report: ModelReport) -> str:
    found = report.explanation
    if found is None:
        return ""
    shown = min(_TOLD_FEATURES, len(found.names))
    return section(
        both("模型在看什么", "What the model looks at"),
        paragraph(
            f"{found.cells:,} 个样本的 SHAP 值：每个特征平均改变预测多少，占全部 {len(found.names)} 个特征的比例。"
            "颜色是方向；这说明模型怎么做，不说明价格为什么动。",
            f"Shapley values of {found.cells:,} cells: how far each feature moves the prediction on average, as a part "
            f"of all {len(found.names)} features. Colours are directions. It says what the model does, not what moves "
            "prices.",
        ),
        _pair(
            f"<div>{place('importance')}</div>",
            f"<div>{feature_table(found, shown)}</div>",
        ),
    )


def _folds(report: ModelReport) -> str:
    if not report.folds:
        return ""
    return section(
        both("验证的过程", "How it was validated"),
        paragraph(
            "每一折只用灰色区间的数据训练，再预测蓝色区间；标签跨入测试区间的训练样本已剔除。",
            "Each fold learnt from the grey days alone and predicted the blue ones; cells whose label reaches into the "
            "test days were left out.",
        ),
        place("folds"),
        fold_table(report),
    )
