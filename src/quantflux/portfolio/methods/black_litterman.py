"""Black-Litterman: expected returns that the market implies, moved towards views as far as they are trusted.

With the covariance S, benchmark weights b and a risk aversion g the market implies the returns p = g S b: those for
which b is the best portfolio. Views say P r = q. With c the confidence in a view and s its prior variance
tau P S P', the variance of its error is s (1 - c) / c: at a confidence of 1/2 view and market weigh the same, at 1
the view holds exactly. Then

    expected returns = p + tau S P' (P tau S P' + diag(s (1 - c) / c))^-1 (q - P p)

which needs S only times the few rows of P, so it is quick for a risk model in factors.

References
----------
He, Litterman (1999), "The Intuition Behind Black-Litterman Model Portfolios".
Idzorek (2005), "A step-by-step guide to the Black-Litterman model".
Walters (2014), "The Black-Litterman Model in Detail": the closed form of Idzorek's confidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.methods.mean_variance import mean_variance
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.result import Portfolio
from quantflux.portfolio.risk.model import RiskModel
from quantflux.portfolio.vectors import finite_number, positive


@dataclass(frozen=True)
class AbsoluteView:
    """A name is expected to return so much a day.

    Attributes
    ----------
    symbol : str
    expected_return : float
        A day: 0.001 is 0.1 %.
    confidence : float
        Above 0, at most 1.
    """

    symbol: str
    expected_return: float
    confidence: float = 0.5

    def row(self, problem: Problem) -> np.ndarray:
        """Return the portfolio that the view is about, shape (N,)."""
        made = np.zeros(len(problem.symbols))
        made[problem.positions((self.symbol,), "the view")] = 1.0
        return made


@dataclass(frozen=True)
class RelativeView:
    """Some names are expected to return so much more a day than others, each side in equal weights.

    Attributes
    ----------
    better, worse : sequence of str
    expected_return : float
        The difference a day.
    confidence : float
        Above 0, at most 1.
    """

    better: Sequence[str]
    worse: Sequence[str]
    expected_return: float
    confidence: float = 0.5

    def row(self, problem: Problem) -> np.ndarray:
        """Return the portfolio that the view is about, shape (N,)."""
        if isinstance(self.better, str) or isinstance(self.worse, str) or not self.better or not self.worse:
            raise InvalidRequest(
                f"a relative view needs a list of names on each side, had {self.better!r}, {self.worse!r}"
            )
        if both := set(self.better) & set(self.worse):
            raise InvalidRequest(f"a relative view has {', '.join(sorted(both))} on both sides")
        made = np.zeros(len(problem.symbols))
        made[problem.positions(self.better, "the view")] = 1 / len(self.better)
        made[problem.positions(self.worse, "the view")] = -1 / len(self.worse)
        return made


View = AbsoluteView | RelativeView


@dataclass(frozen=True, eq=False)
class Posterior:
    """What is expected after the views.

    Attributes
    ----------
    expected_returns : array of float64, shape (N,)
        A day.
    implied : array of float64, shape (N,)
        What the market implied before.
    """

    expected_returns: np.ndarray
    implied: np.ndarray
    _risk: RiskModel
    _tau: float
    _pull: np.ndarray  # tau S P', shape (N, V)
    _trust: np.ndarray  # P tau S P' + errors, shape (V, V)

    def covariance(self) -> np.ndarray:
        """Return the covariance of returns, the uncertainty of their means included; shape (N, N)."""
        known = self._pull @ np.linalg.solve(self._trust, self._pull.T)
        made = (1 + self._tau) * self._risk.covariance() - known
        return np.asarray((made + made.T) / 2)


def posterior(
    problem: Problem, views: Sequence[View], *, risk_aversion: float = 2.5, tau: float = 0.05
) -> Posterior:
    """Combine what the benchmark implies with views.

    Parameters
    ----------
    problem : Problem
        With a risk model and a benchmark.
    views : sequence of AbsoluteView or RelativeView
        None of them leaves what the market implies.
    risk_aversion : float
        Of the market.
    tau : float
        How uncertain the implied returns are, as a part of the covariance. It scales the posterior covariance only:
        confidences are relative to it.

    Raises
    ------
    InvalidRequest
        If a view names unknown names, has no finite return or a confidence outside (0, 1], or two views held with
        certainty contradict each other.
    """
    risk = problem.risk_for("black_litterman")
    implied = positive("risk_aversion", risk_aversion) * risk.times(problem.benchmark_for("black_litterman"))
    positive("tau", tau)
    for view in views:
        finite_number("the return of a view", view.expected_return)
        if not 0 < view.confidence <= 1:
            raise InvalidRequest(f"confidence must be above 0 and at most 1, was {view.confidence} in {view}")
    rows = np.array([view.row(problem) for view in views]).reshape(len(views), len(implied))
    pull = tau * np.array([risk.times(row) for row in rows]).reshape(rows.shape).T
    told = rows @ pull
    doubt = np.array([(1 - view.confidence) / view.confidence for view in views])
    trust = told + np.diag(doubt * told.diagonal())
    surprise = np.array([view.expected_return for view in views]) - rows @ implied
    if len(views) and np.linalg.cond(trust) > 1e12:
        raise InvalidRequest("views held with certainty repeat or contradict each other; lower a confidence")
    moved = implied + (pull @ np.linalg.solve(trust, surprise) if len(views) else 0.0)
    return Posterior(np.asarray(moved), implied, risk, tau, pull, trust)


def black_litterman(
    problem: Problem,
    *,
    views: Sequence[View] = (),
    risk_aversion: float = 2.5,
    tau: float = 0.05,
    uncertain: bool = False,
) -> Portfolio:
    """Maximise return minus half the risk aversion times variance with the returns of `posterior`.

    Parameters
    ----------
    problem : Problem
        With a risk model and a benchmark; its expected returns are replaced.
    views, risk_aversion, tau
        See `posterior`.
    uncertain : bool
        Whether the uncertainty of the means is part of the covariance. It makes a risk model in factors a dense one.
    """
    if problem.expected_returns is not None:
        raise InvalidRequest("black_litterman makes expected returns itself; state yours as views")
    known = posterior(problem, views, risk_aversion=risk_aversion, tau=tau)
    asked = replace(problem, expected_returns=known.expected_returns)
    if uncertain:
        asked = replace(asked, risk=RiskModel(tuple(problem.symbols), dense=known.covariance()))
    found = mean_variance(asked, risk_aversion=risk_aversion)
    parameters = {"views": tuple(views), "risk_aversion": risk_aversion, "tau": tau, "uncertain": uncertain}
    return replace(found, method="black_litterman", parameters=parameters)
