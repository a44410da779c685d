"""The operators as functions, by the names they have in text.

Each takes expressions and numbers, and returns an expression: ``ts_mean(Field("close"), 20, least=15)``. What each
means is the docstring of its class in `quantflux.expressions.operators`. As three hide builtins, import the
module, or the names you use::

    from quantflux.expressions import Field, functions as fn
    from quantflux.expressions.functions import rank, ts_corr
"""

from __future__ import annotations

from quantflux.expressions.operators import composite, cross_section, elementwise, recursive, risk, rolling
from quantflux.expressions.operators.technical import (
    averages,
    bands,
    directional,
    oscillators,
    pressure,
    volume,
)

add = elementwise.Add
sub = elementwise.Subtract
mul = elementwise.Multiply
div = elementwise.Divide
power = elementwise.Power
signed_power = elementwise.SignedPower
max = elementwise.Larger  # noqa: A001
min = elementwise.Smaller  # noqa: A001
gt = elementwise.Greater
ge = elementwise.GreaterEqual
eq = elementwise.Equal
ne = elementwise.Unequal
and_ = elementwise.And
or_ = elementwise.Or
not_ = elementwise.Not
neg = elementwise.Negative
abs = elementwise.Absolute  # noqa: A001
sign = elementwise.Sign
log = elementwise.Log
exp = elementwise.Exp
sqrt = elementwise.SquareRoot
tanh = elementwise.Tanh
floor = elementwise.Floor
clip = elementwise.Clip
where = elementwise.Where
mask = elementwise.Mask

delay = rolling.Delay
ts_sum = rolling.Sum
ts_mean = rolling.Mean
ts_count = rolling.Count
ts_var = rolling.Variance
ts_std = rolling.StandardDeviation
ts_skew = rolling.Skewness
ts_kurt = rolling.Kurtosis
ts_mad = rolling.MeanAbsoluteDeviation
ts_product = rolling.Product
ts_max = rolling.Maximum
ts_min = rolling.Minimum
ts_argmax = rolling.ArgMaximum
ts_argmin = rolling.ArgMinimum
ts_rank = rolling.Rank
ts_quantile = rolling.Quantile
ts_median = rolling.Median
ts_corr = rolling.Correlation
ts_cov = rolling.Covariance
ts_beta = rolling.Beta
ts_beta_resid = rolling.BetaResidual
ts_slope = rolling.Slope
ts_rsquare = rolling.RSquare
ts_resid = rolling.Residual
decay_linear = rolling.DecayLinear

ema = recursive.ExponentialMean
sma = recursive.SmoothedMean
wilder = recursive.SeededMean
seeded_ema = recursive.SeededExponentialMean
cumsum = recursive.CumulativeSum
last_known = recursive.LastKnown
fill_after = recursive.FillAfter

rank = cross_section.RowRank
bucket = cross_section.RowBucket
zscore = cross_section.RowZScore
demean = cross_section.RowDemean
scale = cross_section.RowScale
winsorize = cross_section.RowWinsorize
winsorize_mad = cross_section.RowWinsorizeMad
row_mean = cross_section.RowMean
row_std = cross_section.RowStd
row_sum = cross_section.RowSum
row_count = cross_section.RowCount
row_median = cross_section.RowMedian
row_max = cross_section.RowMaximum
row_min = cross_section.RowMinimum
row_weighted_mean = cross_section.RowWeightedMean
neutralize = cross_section.Neutralize
group_neutralize = cross_section.GroupNeutralize
group_rank = cross_section.GroupRank
group_zscore = cross_section.GroupZScore
group_demean = cross_section.GroupDemean
group_scale = cross_section.GroupScale
group_mean = cross_section.GroupMean
group_sum = cross_section.GroupSum
group_std = cross_section.GroupStd
group_count = cross_section.GroupCount
group_median = cross_section.GroupMedian

delta = composite.Delta
pct_change = composite.Change

ewm_std = risk.ExponentialDeviation
ewm_beta = risk.ExponentialBeta
ewm_resid_std = risk.ExponentialResidualDeviation
standardize = risk.Standardize

dema = averages.DoubleExponentialMean
tema = averages.TripleExponentialMean
trix = averages.Trix
bias = averages.Bias
bbi = averages.BullBearIndex
macd = averages.Macd
macd_signal = averages.MacdSignal
macd_hist = averages.MacdHistogram
ppo = averages.PercentagePriceOscillator

boll_middle = bands.BollingerMiddle
boll_upper = bands.BollingerUpper
boll_lower = bands.BollingerLower
boll_width = bands.BollingerWidth
percent_b = bands.PercentB
true_range = bands.TrueRange
atr = bands.AverageTrueRange
natr = bands.NormalizedAverageTrueRange

plus_di = directional.PlusDirection
minus_di = directional.MinusDirection
dx = directional.DirectionalIndex
adx = directional.AverageDirectionalIndex
adxr = directional.AverageDirectionalIndexRating
aroon_up = directional.AroonUp
aroon_down = directional.AroonDown
aroon_osc = directional.AroonOscillator

momentum = oscillators.Momentum
roc = oscillators.RateOfChange
rsi = oscillators.RelativeStrengthIndex
cmo = oscillators.ChandeMomentum
stoch_fast_k = oscillators.StochasticFastK
stoch_fast_d = oscillators.StochasticFastD
stoch_slow_k = oscillators.StochasticSlowK
stoch_slow_d = oscillators.StochasticSlowD
kdj_k = oscillators.KdjK
kdj_d = oscillators.KdjD
kdj_j = oscillators.KdjJ
wr = oscillators.WilliamsR
cci = oscillators.CommodityChannelIndex
ultimate_osc = oscillators.UltimateOscillator

psy = pressure.PsychologicalLine
ar = pressure.PopularityIndex
br = pressure.WillingnessIndex
cr = pressure.EnergyIndex

obv = volume.OnBalanceVolume
pvt = volume.PriceVolumeTrend
ad_line = volume.AccumulationDistribution
adosc = volume.ChaikinOscillator
cmf = volume.ChaikinMoneyFlow
mfi = volume.MoneyFlowIndex
vr = volume.VolumeRatio
emv = volume.EaseOfMovement
