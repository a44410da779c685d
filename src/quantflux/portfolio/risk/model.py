"""The risk of a set of assets: the covariance of their daily returns, whole or in factors.

Nothing here estimates. The estimators beside this module make models; the optimiser and the reports read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from quantflux.core.errors import InvalidRequest, UnknownSymbol

_ROUNDING = 1e-8  # of the largest entry or eigenvalue: what rounding may leave behind


@dataclass(frozen=True, eq=False)
class RiskModel:
    """The covariance of daily returns, in one of two forms.

    Either `dense` is the covariance S itself, or S = X F X' + diag(d) with exposures X, factor covariance F and
    specific variances d. The second form stays small however many assets there are: use `root` and `diagonal`, which
    both forms have, instead of `covariance`.

    Attributes
    ----------
    symbols : tuple of str, length N
        Different from each other, in any order.
    dense : array of shape (N, N), or None
        Covariance of daily returns, fractions squared per day.
    exposures : array of shape (N, K), or None
    factor_covariance : array of shape (K, K), or None
        Covariance of the factors' daily returns.
    specific : array of shape (N,), or None
        Variance of each asset's daily return beside the factors.
    factors : tuple of str, length K
        Names of the factors.
    notes : tuple of str
        What a reader should know of how the model was made: gaps, repairs, stand-ins.

    Raises
    ------
    InvalidRequest
        If the parts are of neither form, do not fit each other, hold NaN or infinities, or are no covariance.

    Examples
    --------
    >>> model = RiskModel(("A", "B"), exposures=np.array([[1.0], [2.0]]), factor_covariance=np.array([[4e-4]]),
    ...                   specific=np.array([1e-4, 1e-4]), factors=("market",))
    >>> model.covariance().round(6).tolist()
    [[0.0005, 0.0008], [0.0008, 0.0017]]
    >>> round(model.variance(np.array([0.5, 0.5])), 6), model.root().tolist()
    (0.00095, [[0.02, 0.04]])
    """

    symbols: tuple[str, ...]
    dense: np.ndarray | None = None
    exposures: np.ndarray | None = None
    factor_covariance: np.ndarray | None = None
    specific: np.ndarray | None = None
    factors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.symbols)) != len(self.symbols) or not self.symbols:
            raise InvalidRequest(
                f"a risk model needs different symbols, at least one; had {len(self.symbols)}, "
                f"{len(set(self.symbols))} of them different"
            )
        parts = (self.exposures, self.factor_covariance, self.specific)
        if (self.dense is None) == all(part is None for part in parts) or (
            self.dense is None and any(part is None for part in parts)
        ):
            raise InvalidRequest(
                "a risk model has either `dense`, or all of `exposures`, `factor_covariance` and `specific`"
            )
        self._check_shapes()
        whole = self.factor_covariance if self.dense is None else self.dense
        name = "factor_covariance" if self.dense is None else "dense"
        if whole is not None:
            _check_covariance(name, whole)
        if self.specific is not None and (self.specific < 0).any():
            raise InvalidRequest(
                f"specific variances must not be negative, the least was {self.specific.min()}"
            )

    def _check_shapes(self) -> None:
        assets, factors = len(self.symbols), len(self.factors)
        shapes = {
            "dense": (assets, assets),
            "exposures": (assets, factors),
            "factor_covariance": (factors, factors),
            "specific": (assets,),
        }
        for name, shape in shapes.items():
            part = getattr(self, name)
            if part is None:
                continue
            if part.shape != shape:
                raise InvalidRequest(
                    f"{name} of {assets} symbols and {factors} factors must have shape {shape}, had {part.shape}"
                )
            if not np.isfinite(part).all():
                raise InvalidRequest(
                    f"{name} must be finite; {np.count_nonzero(~np.isfinite(part))} entries were not"
                )

    @property
    def is_factored(self) -> bool:
        """Whether the covariance is given in factors."""
        return self.dense is None

    @cached_property
    def diagonal(self) -> np.ndarray:
        """What is to be added to the diagonal of root' root, shape (N,): specific variances, or zeros if dense."""
        return np.asarray(np.zeros(len(self.symbols)) if self.specific is None else self.specific)

    def root(self) -> np.ndarray:
        """Return R of shape (M, N) such that the covariance is R'R + diag(`diagonal`).

        M is K in the factored form and N in the dense one, so that the variance of weights w is |Rw|^2 + sum(diagonal
        w^2). Computed once; read-only.
        """
        return np.asarray(self._root)

    @cached_property
    def _root(self) -> np.ndarray:
        if self.exposures is not None and self.factor_covariance is not None:
            made = _square_root(self.factor_covariance) @ self.exposures.T
        else:
            made = _square_root(np.asarray(self.dense))
        made.flags.writeable = False
        return np.asarray(made)

    def covariance(self) -> np.ndarray:
        """Return the covariance, shape (N, N); of thousands of assets it takes hundreds of megabytes."""
        if self.dense is not None:
            return self.dense.copy()
        root = self.root()
        made = np.asarray(root.T @ root)
        made[np.diag_indices(len(made))] += self.diagonal
        return made

    def times(self, weights: np.ndarray) -> np.ndarray:
        """Return covariance times weights, shape (N,): the covariance of each asset with the portfolio."""
        w = self._checked(weights)
        if self.dense is not None:
            return np.asarray(self.dense @ w)
        root = self.root()
        return np.asarray(root.T @ (root @ w) + self.diagonal * w)

    def variance(self, weights: np.ndarray) -> float:
        """Return the variance of the daily return of a portfolio; weights of shape (N,), of any sum and sign."""
        return float(self.variances(self._checked(weights)[None, :])[0])

    def variances(self, portfolios: np.ndarray) -> np.ndarray:
        """Return the variance of the daily return of many portfolios: weights (P, N), result (P,)."""
        w = np.asarray(portfolios, dtype=np.float64)
        if w.ndim != 2 or w.shape[1] != len(self.symbols):
            raise InvalidRequest(
                f"portfolios must have shape (portfolios, {len(self.symbols)}), had {w.shape}"
            )
        if self.dense is not None:
            return np.asarray(((w @ self.dense) * w).sum(axis=1))
        return np.asarray(((w @ self.root().T) ** 2).sum(axis=1) + (w**2) @ self.diagonal)

    def volatility(self, weights: np.ndarray) -> float:
        """Return the standard deviation of the daily return of a portfolio."""
        return float(np.sqrt(max(self.variance(weights), 0.0)))

    @cached_property
    def volatilities(self) -> np.ndarray:
        """The standard deviation of each asset's daily return, shape (N,)."""
        if self.dense is not None:
            return np.asarray(np.sqrt(self.dense.diagonal()))
        return np.asarray(np.sqrt((self.root() ** 2).sum(axis=0) + self.diagonal))

    def factor_contributions(self, weights: np.ndarray) -> np.ndarray:
        """Return each factor's part of the portfolio's variance, shape (K,); with the specific part they add up to it.

        The part of factor k is x_k (F x)_k with the portfolio's exposures x = X'w; it may be negative.

        Raises
        ------
        InvalidRequest
            If the model is dense.
        """
        if self.exposures is None or self.factor_covariance is None:
            raise InvalidRequest(
                "a dense risk model has no factors; use the factor model or the statistical one"
            )
        exposure = self.exposures.T @ self._checked(weights)
        return np.asarray(exposure * (self.factor_covariance @ exposure))

    def restricted(self, symbols: Sequence[str]) -> RiskModel:
        """Return the model of some of the symbols, in the order given.

        Raises
        ------
        UnknownSymbol
            If the model does not know one of them.
        """
        if tuple(symbols) == self.symbols:
            return self
        place = {symbol: i for i, symbol in enumerate(self.symbols)}
        missing = [symbol for symbol in symbols if symbol not in place]
        if missing:
            raise UnknownSymbol(missing, "the risk model")
        rows = np.array([place[symbol] for symbol in symbols], dtype=np.intp)
        return RiskModel(
            tuple(symbols),
            dense=None if self.dense is None else self.dense[np.ix_(rows, rows)],
            exposures=None if self.exposures is None else self.exposures[rows],
            factor_covariance=self.factor_covariance,
            specific=None if self.specific is None else self.specific[rows],
            factors=self.factors,
            notes=self.notes,
        )

    def _checked(self, weights: np.ndarray) -> np.ndarray:
        w = np.asarray(weights, dtype=np.float64)
        if w.shape != (len(self.symbols),):
            raise InvalidRequest(f"weights must have shape ({len(self.symbols)},), had {w.shape}")
        return w


def _check_covariance(name: str, matrix: np.ndarray) -> None:
    if not matrix.size:
        return
    largest = float(np.abs(matrix).max())
    if float(np.abs(matrix - matrix.T).max()) > _ROUNDING * largest:
        raise InvalidRequest(f"{name} must be symmetric")
    if (matrix.diagonal() < 0).any():
        raise InvalidRequest(
            f"{name} must have no negative variance, the least was {matrix.diagonal().min()}"
        )


def _square_root(covariance: np.ndarray) -> np.ndarray:
    """Return R with R'R = covariance: triangular, or from eigenvectors where the matrix is singular."""
    try:
        return np.ascontiguousarray(np.linalg.cholesky(covariance).T)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
    if values[0] < -_ROUNDING * max(values[-1], 0.0):
        raise InvalidRequest(
            f"the covariance has the eigenvalue {values[0]:.3g} beside a largest of {values[-1]:.3g}: there are "
            "portfolios of negative variance. Estimators of this package repair that"
        )
    return np.ascontiguousarray((vectors * np.sqrt(np.maximum(values, 0.0))).T)
