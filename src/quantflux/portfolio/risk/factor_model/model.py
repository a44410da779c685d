"""The factor model over time: fitted once on a market, it gives the risk model at any close of it.

1. Each day's returns are regressed on the exposures of the close before (`regression.py`).
2. Residuals' variances, and how much factors and residuals surprise, are followed over all days (`running.py`).
3. At a close, exposures (`exposures.py`), factor covariance (`factor_covariance.py`) and specific variances
   (`specific.py`) use what was known by then, and make a `RiskModel`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quantflux.core.axes import When, moment_of
from quantflux.core.errors import InvalidRequest, NotFound, UnknownSymbol
from quantflux.core.gaps import carried_forward
from quantflux.portfolio.risk.factor_model.exposures import Exposures
from quantflux.portfolio.risk.factor_model.factor_covariance import CovarianceRule, factor_covariance
from quantflux.portfolio.risk.factor_model.market import RiskInputs
from quantflux.portfolio.risk.factor_model.regression import FactorReturns, day_exposures, regress
from quantflux.portfolio.risk.factor_model.running import regime_multipliers, running_variances, surprises
from quantflux.portfolio.risk.factor_model.specific import SpecificRule, specific_variances
from quantflux.portfolio.risk.model import RiskModel

RECENT = 60
"""Days for which styles are carried over a suspension, and within which a name must have traded to be in a model."""


@dataclass(frozen=True, eq=False)
class FactorModel:
    """A style and industry factor model of a market; make it with `fit`.

    Attributes
    ----------
    inputs : RiskInputs
    history : FactorReturns
        Factor returns, t statistics, explained variance and residuals of all days.
    covariance_rule : CovarianceRule
    specific_rule : SpecificRule
    residual_variances : array of float32, shape (T, N)
        After each day, for a day in a longer stretch; NaN without enough residuals.
    factor_regime, specific_regime : arrays of shape (T,)
        What variances are multiplied by after each day.
    """

    inputs: RiskInputs
    history: FactorReturns
    covariance_rule: CovarianceRule
    specific_rule: SpecificRule
    residual_variances: np.ndarray
    factor_regime: np.ndarray
    specific_regime: np.ndarray

    @classmethod
    def fit(
        cls,
        inputs: RiskInputs,
        covariance_rule: CovarianceRule | None = None,
        specific_rule: SpecificRule | None = None,
    ) -> FactorModel:
        """Return the model of a market.

        Row t of everything uses what was known at the close of day t, and nothing later.

        Raises
        ------
        InvalidRequest
            If no day has enough names for a regression.
        """
        covariance_rule = covariance_rule or CovarianceRule()
        specific_rule = specific_rule or SpecificRule()
        history = regress(inputs)
        residuals = history.unshrunk_residuals()
        factor_regime = specific_regime = np.ones(len(inputs.times))
        if covariance_rule.regime_half_life is not None:
            surprise = surprises(
                history.returns, np.ones_like(history.returns), covariance_rule.volatility_half_life
            )
            factor_regime = regime_multipliers(surprise, covariance_rule.regime_half_life)
        if specific_rule.regime_half_life is not None:
            surprise = surprises(residuals, inputs.capitalisation, specific_rule.half_life)
            specific_regime = regime_multipliers(surprise, specific_rule.regime_half_life)
        variances = running_variances(
            residuals, specific_rule.half_life, lags=specific_rule.lags, least=specific_rule.least
        )
        return cls(inputs, history, covariance_rule, specific_rule, variances, factor_regime, specific_regime)

    def at(self, when: When, symbols: Sequence[str] | None = None) -> RiskModel:
        """Return the risk model at the close of a day; see `at_row`.

        Raises
        ------
        NotFound
            If the day is none of the market's.
        """
        moment = moment_of(when, self.inputs.times.dtype, end_of_day=False)
        row = int(np.searchsorted(self.inputs.times, moment))
        if row == len(self.inputs.times) or self.inputs.times[row] != moment:
            near = " and ".join(str(day) for day in self.inputs.times[max(row - 1, 0) : row + 1])
            raise NotFound(f"the market has no day {moment}; nearest: {near}")
        return self.at_row(row, symbols)

    def at_row(self, row: int, symbols: Sequence[str] | None = None) -> RiskModel:
        """Return the risk model at the close of a row.

        Parameters
        ----------
        row : int
        symbols : sequence of str, optional
            Any that had traded and had a capitalisation by then, suspended ones included; unless given, those of them
            that traded within 60 days.

        Returns
        -------
        RiskModel
            Factored, of daily returns. Its notes tell what was filled in.

        Raises
        ------
        InvalidRequest
            If there are too few days before the row.
        UnknownSymbol
            If a symbol is not in the market or had not traded.
        """
        columns = self._columns(row, symbols)
        day = self._exposures(row)
        kept = self._kept_factors(row, day)
        exposures = day.matrix()[columns][:, kept]
        factors = self.history.returns[: row + 1, kept]
        errors = self.history.errors[np.ix_(np.arange(row + 1), kept, kept)]
        covariance = factor_covariance(factors, errors, self.covariance_rule)
        observed = np.isfinite(self.history.residuals[: row + 1]).sum(axis=0)[columns]
        specific = specific_variances(
            self.residual_variances[row, columns].astype(np.float64),
            observed,
            exposures,
            self.inputs.capitalisation[row, columns],
            self.specific_rule,
        )
        whole = RiskModel(
            tuple(self.inputs.symbols[columns].tolist()),
            exposures=exposures,
            factor_covariance=covariance * self.factor_regime[row],
            specific=specific * self.specific_regime[row],
            factors=tuple(self.history.factors[k] for k in kept),
            notes=self._notes(row, day, kept, observed, columns),
        )
        return whole if symbols is None else whole.restricted(symbols)

    def _columns(self, row: int, symbols: Sequence[str] | None) -> np.ndarray:
        """Return the columns of names that traded lately, and of others that are asked for.

        Few names asked for are measured among all: specific risks of a size or an industry are learnt from many.
        """
        sized = self.inputs.capitalisation[row] > 0
        wanted = sized & self.inputs.traded[max(row - RECENT + 1, 0) : row + 1].any(axis=0)
        if symbols is not None:
            place = {symbol: i for i, symbol in enumerate(self.inputs.symbols.tolist())}
            able = sized & self.inputs.traded[: row + 1].any(axis=0)
            missing = [symbol for symbol in symbols if symbol not in place or not able[place[symbol]]]
            if missing:
                raise UnknownSymbol(
                    missing, f"the market up to {self.inputs.times[row]}, with a capitalisation,"
                )
            wanted[[place[symbol] for symbol in symbols]] = True
        return np.flatnonzero(wanted)

    def _exposures(self, row: int) -> Exposures:
        """Return exposures of all names, those of suspended ones from their last days."""
        raw = self.inputs.styles.read(slice(max(row - RECENT + 1, 0), row + 1))
        last = np.array([carried_forward(style)[-1] for style in raw]).reshape(len(raw), self.inputs.shape[1])
        return day_exposures(self.inputs, row, last)

    def _kept_factors(self, row: int, day: Exposures) -> np.ndarray:
        """Return the factors that the day has and that have enough returns."""
        counts = np.isfinite(self.history.returns[: row + 1]).sum(axis=0)
        here = np.concatenate([np.ones(1 + day.industries, dtype=bool), day.filled >= 0])
        kept = np.flatnonzero(here & (counts >= self.covariance_rule.least))
        needed = max(self.covariance_rule.least, 2 * len(kept))  # below, most directions would be mere noise
        if counts[0] < needed:
            raise InvalidRequest(
                f"at {self.inputs.times[row]} there are {counts[0]} days of factor returns, needed are {needed} "
                f"for {len(kept)} factors; begin the market earlier"
            )
        return kept

    def _notes(
        self, row: int, day: Exposures, kept: np.ndarray, observed: np.ndarray, columns: np.ndarray
    ) -> tuple[str, ...]:
        notes = list(self.inputs.notes)
        dropped = [name for k, name in enumerate(self.history.factors) if k not in set(kept.tolist())]
        if dropped:
            notes.append(f"without factors that have too little history: {', '.join(dropped)}")
        members = int(np.count_nonzero(self.inputs.universe[row]))
        notes += [
            f"{name}: {count} of {members} names have none and got their industry's mean"
            for name, count in zip(self.inputs.styles.names, day.filled, strict=True)
            if count > 0
        ]
        alone = int(np.count_nonzero(day.codes[columns] < 0))
        if alone:
            notes.append(f"{alone} names are in no known industry")
        short = int(np.count_nonzero(self.specific_rule.confidence(observed) < 1))
        if short:
            notes.append(
                f"{short} names have a short history; their specific risk comes from their exposures"
            )
        return tuple(notes)
