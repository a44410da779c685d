"""How much better the best of many trials looks than it is.

A trial t has a score s(t, f) on each of F folds, which is what all trials have on that fold, what the trial's
parameters are worth, and noise. What is left of the scores after the means of trials and of folds are taken off tells
the variance v of the noise (a two-way analysis of variance), and the mean of a trial over folds is off by v / F. The
best of n means that differ by noise alone lies E(n) root(v / F) above them, E(n) being the expected largest of n
standard normal numbers (Bailey, Lopez de Prado 2014). With a single fold noise cannot be told from worth, and all of
the variance between trials is taken for noise. Trials that resemble each other count for less than their number, so
the luck is rather too large than too small.
"""

from __future__ import annotations

import math

import numpy as np

from quantflux.backtest.metrics import expected_best_sharpe


def luck_of(scores: np.ndarray, trials: int) -> float:
    """Return how far the best trial is expected to lie above the worth of its parameters.

    Parameters
    ----------
    scores : array of float64, shape (n, F)
        Of the trials that finished all folds.
    trials : int
        How many were tried, those given up among them.

    Returns
    -------
    float
        NaN with fewer than 2 trials that finished.

    Examples
    --------
    >>> luck_of(np.array([[0.02, 0.05], [0.01, 0.04]]), trials=2)  # one is better by the same on every fold
    0.0
    >>> round(luck_of(np.array([[0.02, 0.04], [0.03, 0.03]]), trials=2), 4)
    0.0037
    """
    done, folds = scores.shape
    if done < 2:
        return math.nan
    if folds > 1:
        left = scores - scores.mean(axis=1, keepdims=True) - scores.mean(axis=0) + scores.mean()
        variance = float((left**2).sum()) / ((done - 1) * (folds - 1)) / folds
    else:
        variance = float(scores.var(ddof=1))
    # Sums of numbers that cancel leave something of the order of their rounding.
    noise = variance if variance > (1e-12 * float(np.abs(scores).max())) ** 2 else 0.0
    return expected_best_sharpe(max(trials, done), noise)
