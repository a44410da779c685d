"""The 101 formulaic alphas again, written from the paper: Kakushadze (2016), arXiv:1601.00991.

Windows are the paper's, rounded down. `advN` is the average value traded, except where volume is compared with it or
divided by it. Industries stand for the paper's sectors and subindustries too.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from tests.factors.libraries.alpha101_operators import (
    Frame,
    choose,
    correlation,
    covariance,
    decay_linear,
    delay,
    delta,
    finite,
    larger,
    less,
    log,
    mean,
    over,
    power,
    product,
    rank,
    scale,
    smaller,
    stddev,
    total,
    ts_argmax,
    ts_argmin,
    ts_max,
    ts_min,
    ts_rank,
)


class Alphas:
    """The alphas of a market; `alpha(7)` is Alpha#7.

    Parameters
    ----------
    fields : mapping of str to DataFrame
        open, high, low, close, vwap, volume, amount, cap.
    industry : Series
        Of each symbol; missing if unknown.
    """

    def __init__(self, fields: dict[str, Frame], industry: pd.Series) -> None:
        self.open, self.high, self.low, self.close = (fields[n] for n in ("open", "high", "low", "close"))
        self.vwap, self.volume, self.cap = fields["vwap"], fields["volume"], fields["cap"]
        self.amount = fields["amount"]
        self.industry = industry
        self.returns = over(self.close, delay(self.close, 1)) - 1
        self.middle = (self.high + self.low) / 2
        self.bend = (delay(self.close, 20) - delay(self.close, 10)) / 10 - (
            delay(self.close, 10) - self.close
        ) / 10
        self.location = over((self.close - self.low) - (self.high - self.close), self.high - self.low)

    def alpha(self, number: int) -> Frame:
        method: Callable[[], Frame] = getattr(self, f"alpha{number:03}")
        with np.errstate(all="ignore"):
            return finite(method())

    def adv(self, d: int) -> Frame:
        """Average value traded."""
        return mean(self.amount, d)

    def relative_volume(self) -> Frame:
        """volume / adv20, where adv20 must be in shares."""
        return over(self.volume, mean(self.volume, 20))

    def neutral(self, x: Frame) -> Frame:
        """Demeaned by industry."""
        return x - x.T.groupby(self.industry).transform("mean").T

    def blend(self, x: Frame, share: float, y: Frame) -> Frame:
        return x * share + y * (1 - share)

    def alpha001(self) -> Frame:
        inner = choose(less(self.returns, 0), stddev(self.returns, 20), self.close)
        return rank(ts_argmax(np.sign(inner) * inner.abs() ** 2, 5)) - 0.5

    def alpha002(self) -> Frame:
        return -correlation(
            rank(delta(log(self.volume), 2)), rank(over(self.close - self.open, self.open)), 6
        )

    def alpha003(self) -> Frame:
        return -correlation(rank(self.open), rank(self.volume), 10)

    def alpha004(self) -> Frame:
        return -ts_rank(rank(self.low), 9)

    def alpha005(self) -> Frame:
        return rank(self.open - total(self.vwap, 10) / 10) * -rank(self.close - self.vwap).abs()

    def alpha006(self) -> Frame:
        return -correlation(self.open, self.volume, 10)

    def alpha007(self) -> Frame:
        move = delta(self.close, 7)
        return choose(
            less(mean(self.volume, 20), self.volume), -ts_rank(move.abs(), 60) * np.sign(move), -1.0
        )

    def alpha008(self) -> Frame:
        both = total(self.open, 5) * total(self.returns, 5)
        return -rank(both - delay(both, 10))

    def _one_sign(self, d: int) -> Frame:
        change = delta(self.close, 1)
        falling = choose(less(ts_max(change, d), 0), change, -change)
        return choose(less(0, ts_min(change, d)), change, falling)

    def alpha009(self) -> Frame:
        return self._one_sign(5)

    def alpha010(self) -> Frame:
        return rank(self._one_sign(4))

    def alpha011(self) -> Frame:
        gap = self.vwap - self.close
        return (rank(ts_max(gap, 3)) + rank(ts_min(gap, 3))) * rank(delta(self.volume, 3))

    def alpha012(self) -> Frame:
        return np.sign(delta(self.volume, 1)) * -delta(self.close, 1)

    def alpha013(self) -> Frame:
        return -rank(covariance(rank(self.close), rank(self.volume), 5))

    def alpha014(self) -> Frame:
        return -rank(delta(self.returns, 3)) * correlation(self.open, self.volume, 10)

    def alpha015(self) -> Frame:
        return -total(rank(correlation(rank(self.high), rank(self.volume), 3)), 3)

    def alpha016(self) -> Frame:
        return -rank(covariance(rank(self.high), rank(self.volume), 5))

    def alpha017(self) -> Frame:
        bend = delta(delta(self.close, 1), 1)
        return -rank(ts_rank(self.close, 10)) * rank(bend) * rank(ts_rank(self.relative_volume(), 5))

    def alpha018(self) -> Frame:
        body = self.close - self.open
        return -rank(stddev(body.abs(), 5) + body + correlation(self.close, self.open, 10))

    def alpha019(self) -> Frame:
        move = (self.close - delay(self.close, 7)) + delta(self.close, 7)
        return -np.sign(move) * (1 + rank(1 + total(self.returns, 250)))

    def alpha020(self) -> Frame:
        gaps = [rank(self.open - delay(x, 1)) for x in (self.high, self.close, self.low)]
        return -gaps[0] * gaps[1] * gaps[2]

    def alpha021(self) -> Frame:
        slow, band, fast = mean(self.close, 8), stddev(self.close, 8), mean(self.close, 2)
        heavy = self.relative_volume()
        busy = choose((heavy >= 1).astype(float).where(heavy.notna()), 1.0, -1.0)
        return choose(less(slow + band, fast), -1.0, choose(less(fast, slow - band), 1.0, busy))

    def alpha022(self) -> Frame:
        return -delta(correlation(self.high, self.volume, 5), 5) * rank(stddev(self.close, 20))

    def alpha023(self) -> Frame:
        return choose(less(mean(self.high, 20), self.high), -delta(self.high, 2), 0.0)

    def alpha024(self) -> Frame:
        trend = over(delta(mean(self.close, 100), 100), delay(self.close, 100))
        slow = (trend <= 0.05).astype(float).where(trend.notna())
        return choose(slow, -(self.close - ts_min(self.close, 100)), -delta(self.close, 3))

    def alpha025(self) -> Frame:
        return rank(-self.returns * self.adv(20) * self.vwap * (self.high - self.close))

    def alpha026(self) -> Frame:
        return -ts_max(correlation(ts_rank(self.volume, 5), ts_rank(self.high, 5), 5), 3)

    def alpha027(self) -> Frame:
        both = total(correlation(rank(self.volume), rank(self.vwap), 6), 2) / 2
        return choose(less(0.5, rank(both)), -1.0, 1.0)

    def alpha028(self) -> Frame:
        return scale(correlation(self.adv(20), self.low, 5) + self.middle - self.close)

    def alpha029(self) -> Frame:
        fall = rank(rank(-rank(delta(self.close - 1, 5))))
        weakest = rank(rank(scale(log(total(ts_min(fall, 2), 1)))))
        return ts_min(product(weakest, 1), 5) + ts_rank(delay(-self.returns, 6), 5)

    def alpha030(self) -> Frame:
        signs = sum(np.sign(delay(self.close, i) - delay(self.close, i + 1)) for i in range(3))
        return over((1 - rank(signs)) * total(self.volume, 5), total(self.volume, 20))

    def alpha031(self) -> Frame:
        fall = rank(rank(rank(decay_linear(-rank(rank(delta(self.close, 10))), 10))))
        link = np.sign(scale(correlation(self.adv(20), self.low, 12)))
        return fall + rank(-delta(self.close, 3)) + link

    def alpha032(self) -> Frame:
        return scale(mean(self.close, 7) - self.close) + 20 * scale(
            correlation(self.vwap, delay(self.close, 5), 230)
        )

    def alpha033(self) -> Frame:
        return rank(-(1 - over(self.open, self.close)))

    def alpha034(self) -> Frame:
        calm = over(stddev(self.returns, 2), stddev(self.returns, 5))
        return rank((1 - rank(calm)) + (1 - rank(delta(self.close, 1))))

    def alpha035(self) -> Frame:
        place = ts_rank(self.close + self.high - self.low, 16)
        return ts_rank(self.volume, 32) * (1 - place) * (1 - ts_rank(self.returns, 32))

    def alpha036(self) -> Frame:
        body = self.close - self.open
        return (
            2.21 * rank(correlation(body, delay(self.volume, 1), 15))
            + 0.7 * rank(-body)
            + 0.73 * rank(ts_rank(delay(-self.returns, 6), 5))
            + rank(correlation(self.vwap, self.adv(20), 6).abs())
            + 0.6 * rank((mean(self.close, 200) - self.open) * body)
        )

    def alpha037(self) -> Frame:
        body = self.open - self.close
        return rank(correlation(delay(body, 1), self.close, 200)) + rank(body)

    def alpha038(self) -> Frame:
        return -rank(ts_rank(self.close, 10)) * rank(over(self.close, self.open))

    def alpha039(self) -> Frame:
        fading = 1 - rank(decay_linear(self.relative_volume(), 9))
        return -rank(delta(self.close, 7) * fading) * (1 + rank(total(self.returns, 250)))

    def alpha040(self) -> Frame:
        return -rank(stddev(self.high, 10)) * correlation(self.high, self.volume, 10)

    def alpha041(self) -> Frame:
        return power(self.high * self.low, 0.5) - self.vwap

    def alpha042(self) -> Frame:
        return over(rank(self.vwap - self.close), rank(self.vwap + self.close))

    def alpha043(self) -> Frame:
        return ts_rank(self.relative_volume(), 20) * ts_rank(-delta(self.close, 7), 8)

    def alpha044(self) -> Frame:
        return -correlation(self.high, rank(self.volume), 5)

    def alpha045(self) -> Frame:
        level = rank(mean(delay(self.close, 5), 20))
        sums = rank(correlation(total(self.close, 5), total(self.close, 20), 2))
        return -level * correlation(self.close, self.volume, 2) * sums

    def alpha046(self) -> Frame:
        return choose(
            less(0.25, self.bend), -1.0, choose(less(self.bend, 0), 1.0, -(self.close - delay(self.close, 1)))
        )

    def alpha047(self) -> Frame:
        cheap = over(rank(over(1.0, self.close)) * self.volume, mean(self.volume, 20))
        return cheap * over(self.high * rank(self.high - self.close), mean(self.high, 5)) - rank(
            self.vwap - delay(self.vwap, 5)
        )

    def alpha048(self) -> Frame:
        change = delta(self.close, 1)
        link = correlation(change, delta(delay(self.close, 1), 1), 250)
        squares = total(power(over(change, delay(self.close, 1)), 2), 250)
        return over(self.neutral(over(link * change, self.close)), squares)

    def alpha049(self) -> Frame:
        return choose(less(self.bend, -0.1), 1.0, -(self.close - delay(self.close, 1)))

    def alpha050(self) -> Frame:
        return -ts_max(rank(correlation(rank(self.volume), rank(self.vwap), 5)), 5)

    def alpha051(self) -> Frame:
        return choose(less(self.bend, -0.05), 1.0, -(self.close - delay(self.close, 1)))

    def alpha052(self) -> Frame:
        lowest = ts_min(self.low, 5)
        year = rank((total(self.returns, 240) - total(self.returns, 20)) / 220)
        return (-lowest + delay(lowest, 5)) * year * ts_rank(self.volume, 5)

    def alpha053(self) -> Frame:
        inner = over((self.close - self.low) - (self.high - self.close), self.close - self.low)
        return -delta(inner, 9)

    def alpha054(self) -> Frame:
        return over(-(self.low - self.close) * self.open**5, (self.low - self.high) * self.close**5)

    def alpha055(self) -> Frame:
        lowest = ts_min(self.low, 12)
        place = over(self.close - lowest, ts_max(self.high, 12) - lowest)
        return -correlation(rank(place), rank(self.volume), 6)

    def alpha056(self) -> Frame:
        ratio = over(total(self.returns, 10), total(total(self.returns, 2), 3))
        return -(rank(ratio) * rank(self.returns * self.cap))

    def alpha057(self) -> Frame:
        return -over(self.close - self.vwap, decay_linear(rank(ts_argmax(self.close, 30)), 2))

    def alpha058(self) -> Frame:
        return -ts_rank(decay_linear(correlation(self.neutral(self.vwap), self.volume, 3), 7), 5)

    def alpha059(self) -> Frame:
        blend = self.blend(self.vwap, 0.728317, self.vwap)
        return -ts_rank(decay_linear(correlation(self.neutral(blend), self.volume, 4), 16), 8)

    def alpha060(self) -> Frame:
        return -(2 * scale(rank(self.location * self.volume)) - scale(rank(ts_argmax(self.close, 10))))

    def alpha061(self) -> Frame:
        return less(rank(self.vwap - ts_min(self.vwap, 16)), rank(correlation(self.vwap, self.adv(180), 17)))

    def alpha062(self) -> Frame:
        left = rank(correlation(self.vwap, total(self.adv(20), 22), 9))
        lower = less(rank(self.open) + rank(self.open), rank(self.middle) + rank(self.high))
        return -less(left, rank(lower))

    def alpha063(self) -> Frame:
        change = rank(decay_linear(delta(self.neutral(self.close), 2), 8))
        blend = self.blend(self.vwap, 0.318108, self.open)
        return -(change - rank(decay_linear(correlation(blend, total(self.adv(180), 37), 13), 12)))

    def alpha064(self) -> Frame:
        blend = self.blend(self.open, 0.178404, self.low)
        left = rank(correlation(total(blend, 12), total(self.adv(120), 12), 16))
        return -less(left, rank(delta(self.blend(self.middle, 0.178404, self.vwap), 3)))

    def alpha065(self) -> Frame:
        blend = self.blend(self.open, 0.00817205, self.vwap)
        left = rank(correlation(blend, total(self.adv(60), 8), 6))
        return -less(left, rank(self.open - ts_min(self.open, 13)))

    def alpha066(self) -> Frame:
        inner = over(self.blend(self.low, 0.96633, self.low) - self.vwap, self.open - self.middle)
        return -(rank(decay_linear(delta(self.vwap, 3), 7)) + ts_rank(decay_linear(inner, 11), 6))

    def alpha067(self) -> Frame:
        link = correlation(self.neutral(self.vwap), self.neutral(self.adv(20)), 6)
        return -power(rank(self.high - ts_min(self.high, 2)), rank(link))

    def alpha068(self) -> Frame:
        left = ts_rank(correlation(rank(self.high), rank(self.adv(15)), 8), 13)
        return -less(left, rank(delta(self.blend(self.close, 0.518371, self.low), 1)))

    def alpha069(self) -> Frame:
        base = rank(ts_max(delta(self.neutral(self.vwap), 2), 4))
        link = correlation(self.blend(self.close, 0.490655, self.vwap), self.adv(20), 4)
        return -power(base, ts_rank(link, 9))

    def alpha070(self) -> Frame:
        link = correlation(self.neutral(self.close), self.adv(50), 17)
        return -power(rank(delta(self.vwap, 1)), ts_rank(link, 17))

    def alpha071(self) -> Frame:
        link = correlation(ts_rank(self.close, 3), ts_rank(self.adv(180), 12), 18)
        gap = power(rank((self.low + self.open) - (self.vwap + self.vwap)), 2)
        return larger(ts_rank(decay_linear(link, 4), 15), ts_rank(decay_linear(gap, 16), 4))

    def alpha072(self) -> Frame:
        left = rank(decay_linear(correlation(self.middle, self.adv(40), 8), 10))
        return over(
            left, rank(decay_linear(correlation(ts_rank(self.vwap, 3), ts_rank(self.volume, 18), 6), 2))
        )

    def alpha073(self) -> Frame:
        blend = self.blend(self.open, 0.147155, self.low)
        fall = -over(delta(blend, 2), blend)
        return -larger(rank(decay_linear(delta(self.vwap, 4), 2)), ts_rank(decay_linear(fall, 3), 16))

    def alpha074(self) -> Frame:
        left = rank(correlation(self.close, total(self.adv(30), 37), 15))
        blend = self.blend(self.high, 0.0261661, self.vwap)
        return -less(left, rank(correlation(rank(blend), rank(self.volume), 11)))

    def alpha075(self) -> Frame:
        left = rank(correlation(self.vwap, self.volume, 4))
        return less(left, rank(correlation(rank(self.low), rank(self.adv(50)), 12)))

    def alpha076(self) -> Frame:
        link = correlation(self.neutral(self.low), self.adv(81), 8)
        right = ts_rank(decay_linear(ts_rank(link, 19), 17), 19)
        return -larger(rank(decay_linear(delta(self.vwap, 1), 11)), right)

    def alpha077(self) -> Frame:
        gap = (self.middle + self.high) - (self.vwap + self.high)
        link = correlation(self.middle, self.adv(40), 3)
        return smaller(rank(decay_linear(gap, 20)), rank(decay_linear(link, 5)))

    def alpha078(self) -> Frame:
        blend = self.blend(self.low, 0.352233, self.vwap)
        base = rank(correlation(total(blend, 19), total(self.adv(40), 19), 6))
        return power(base, rank(correlation(rank(self.vwap), rank(self.volume), 5)))

    def alpha079(self) -> Frame:
        left = rank(delta(self.neutral(self.blend(self.close, 0.60733, self.open)), 1))
        return less(left, rank(correlation(ts_rank(self.vwap, 3), ts_rank(self.adv(150), 9), 14)))

    def alpha080(self) -> Frame:
        change = delta(self.neutral(self.blend(self.open, 0.868128, self.high)), 4)
        return -power(rank(np.sign(change)), ts_rank(correlation(self.high, self.adv(10), 5), 5))

    def alpha081(self) -> Frame:
        link = power(rank(correlation(self.vwap, total(self.adv(10), 49), 8)), 4)
        left = rank(log(product(rank(link), 14)))
        return -less(left, rank(correlation(rank(self.vwap), rank(self.volume), 5)))

    def alpha082(self) -> Frame:
        blend = self.blend(self.open, 0.634196, self.open)
        link = correlation(self.neutral(self.volume), blend, 17)
        return -smaller(rank(decay_linear(delta(self.open, 1), 14)), ts_rank(decay_linear(link, 6), 13))

    def alpha083(self) -> Frame:
        span = over(self.high - self.low, mean(self.close, 5))
        return over(rank(delay(span, 2)) * rank(rank(self.volume)), over(span, self.vwap - self.close))

    def alpha084(self) -> Frame:
        base = ts_rank(self.vwap - ts_max(self.vwap, 15), 20)
        return np.sign(base) * power(base.abs(), delta(self.close, 4))

    def alpha085(self) -> Frame:
        base = rank(correlation(self.blend(self.high, 0.876703, self.close), self.adv(30), 9))
        return power(base, rank(correlation(ts_rank(self.middle, 3), ts_rank(self.volume, 10), 7)))

    def alpha086(self) -> Frame:
        left = ts_rank(correlation(self.close, total(self.adv(20), 14), 6), 20)
        return -less(left, rank((self.open + self.close) - (self.vwap + self.open)))

    def alpha087(self) -> Frame:
        blend = self.blend(self.close, 0.369701, self.vwap)
        link = correlation(self.neutral(self.adv(81)), self.close, 13).abs()
        return -larger(rank(decay_linear(delta(blend, 1), 2)), ts_rank(decay_linear(link, 4), 14))

    def alpha088(self) -> Frame:
        gap = (rank(self.open) + rank(self.low)) - (rank(self.high) + rank(self.close))
        link = correlation(ts_rank(self.close, 8), ts_rank(self.adv(60), 20), 8)
        return smaller(rank(decay_linear(gap, 8)), ts_rank(decay_linear(link, 6), 2))

    def alpha089(self) -> Frame:
        link = correlation(self.blend(self.low, 0.967285, self.low), self.adv(10), 6)
        change = delta(self.neutral(self.vwap), 3)
        return ts_rank(decay_linear(link, 5), 3) - ts_rank(decay_linear(change, 10), 15)

    def alpha090(self) -> Frame:
        link = correlation(self.neutral(self.adv(40)), self.low, 5)
        return -power(rank(self.close - ts_max(self.close, 4)), ts_rank(link, 3))

    def alpha091(self) -> Frame:
        link = decay_linear(decay_linear(correlation(self.neutral(self.close), self.volume, 9), 16), 3)
        return -(ts_rank(link, 4) - rank(decay_linear(correlation(self.vwap, self.adv(30), 4), 2)))

    def alpha092(self) -> Frame:
        weak = less(self.middle + self.close, self.low + self.open)
        link = correlation(rank(self.low), rank(self.adv(30)), 7)
        return smaller(ts_rank(decay_linear(weak, 14), 18), ts_rank(decay_linear(link, 6), 6))

    def alpha093(self) -> Frame:
        link = correlation(self.neutral(self.vwap), self.adv(81), 17)
        rise = delta(self.blend(self.close, 0.524434, self.vwap), 2)
        return over(ts_rank(decay_linear(link, 19), 7), rank(decay_linear(rise, 16)))

    def alpha094(self) -> Frame:
        link = correlation(ts_rank(self.vwap, 19), ts_rank(self.adv(60), 4), 18)
        return -power(rank(self.vwap - ts_min(self.vwap, 11)), ts_rank(link, 2))

    def alpha095(self) -> Frame:
        link = rank(correlation(total(self.middle, 19), total(self.adv(40), 19), 12))
        return less(rank(self.open - ts_min(self.open, 12)), ts_rank(power(link, 5), 11))

    def alpha096(self) -> Frame:
        one = ts_rank(decay_linear(correlation(rank(self.vwap), rank(self.volume), 3), 4), 8)
        link = correlation(ts_rank(self.close, 7), ts_rank(self.adv(60), 4), 3)
        return -larger(one, ts_rank(decay_linear(ts_argmax(link, 12, 1), 14, 1), 13, 1))

    def alpha097(self) -> Frame:
        rise = rank(decay_linear(delta(self.neutral(self.blend(self.low, 0.721001, self.vwap)), 3), 20))
        link = ts_rank(correlation(ts_rank(self.low, 7), ts_rank(self.adv(60), 17), 4), 18, 1)
        return -(rise - ts_rank(decay_linear(link, 15, 1), 6, 1))

    def alpha098(self) -> Frame:
        left = rank(decay_linear(correlation(self.vwap, total(self.adv(5), 26), 4), 7))
        least = ts_argmin(correlation(rank(self.open), rank(self.adv(15)), 20), 8)
        return left - rank(decay_linear(ts_rank(least, 6), 8))

    def alpha099(self) -> Frame:
        left = rank(correlation(total(self.middle, 19), total(self.adv(60), 19), 8))
        return -less(left, rank(correlation(self.low, self.volume, 6)))

    def alpha100(self) -> Frame:
        one = scale(self.neutral(self.neutral(rank(self.location * self.volume))))
        link = correlation(self.close, rank(self.adv(20)), 5) - rank(ts_argmin(self.close, 30))
        return -((1.5 * one - scale(self.neutral(link))) * self.relative_volume())

    def alpha101(self) -> Frame:
        return over(self.close - self.open, (self.high - self.low) + 0.001)
