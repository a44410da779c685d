"""What the rows themselves say about units, adjustment and minute labels.

Average price (amount / volume) lies between a bar's low and high when prices are raw and the units are right, and
for one pair of units only: the pairs differ by powers of ten. Rows near the present of a forward-adjusted file, or
near the listing in a backward-adjusted one, still say so, which confirms the units even of adjusted prices.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from quantflux.core.errors import InvalidData, InvalidRequest
from quantflux.data.quality.rules import Adjustment
from quantflux.data.sources.files.normalise import AMOUNT_UNITS, VOLUME_UNITS

PAIRS = tuple((volume, amount) for volume in VOLUME_UNITS for amount in AMOUNT_UNITS)
_CONFIRMS = 0.5
"""Share of rows whose average price fits, from which on prices are as traded and the units certain."""
_HINTS = 0.01
"""Share from which on the units are taken as confirmed by the unadjusted end of adjusted prices."""
_ENOUGH = 20
"""Rows with volume and amount from which on their disagreement with the prices means something."""
_SHARES = r"^(60|68|00|30|43|83|87|88|92)\d+\."


@dataclass(frozen=True, slots=True)
class Units:
    """The units of a file and how they are known: `confirmed` by the rows, or only `declared`."""

    volume: str
    amount: str
    confirmed: bool
    reason: str


@dataclass
class Evidence:
    """Counts gathered over all rows of a file; adding batches in any order gives the same sums."""

    rows: int = 0
    weighed: int = 0
    fits: np.ndarray = field(default_factory=lambda: np.zeros(len(PAIRS), dtype=np.int64))
    priced: int = 0
    negative: int = 0
    off_tick: int = 0
    labels: np.ndarray = field(default_factory=lambda: np.zeros(1440, dtype=np.int64))

    def add(self, frame: pl.DataFrame) -> None:
        """Count one normalised batch, still in the file's units."""
        self.rows += frame.height
        if "amount" in frame.columns:
            self._add_units(frame)
        self._add_prices(frame)
        if "bar_time" in frame.columns:
            local = frame["bar_time"].drop_nulls()
            minutes = (local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute()).to_numpy()
            self.labels += np.bincount(minutes, minlength=1440)

    def _add_units(self, frame: pl.DataFrame) -> None:
        usable = (pl.col("volume") > 0) & (pl.col("amount") > 0) & (pl.col("low") > 0) & (pl.col("high") > 0)
        average = pl.col("amount") / pl.col("volume")
        tests = []
        for index, (volume, amount) in enumerate(PAIRS):
            price = average * (AMOUNT_UNITS[amount] / VOLUME_UNITS[volume])
            fits = (price >= pl.col("low") * 0.99) & (price <= pl.col("high") * 1.01)
            tests.append((usable & fits).sum().alias(str(index)))
        counts = frame.select(usable.sum().alias("weighed"), *tests).row(0)
        self.weighed += counts[0]
        self.fits += np.array(counts[1:], dtype=np.int64)

    def _add_prices(self, frame: pl.DataFrame) -> None:
        close = pl.col("close")
        cents = close * 100
        # Single precision keeps 7 digits; adjusted prices miss the cent by any fraction of it.
        off = (cents - cents.round()).abs() > 0.02 + cents.abs() * 1e-7
        shares = pl.col("symbol").str.contains(_SHARES) & close.is_finite()
        counts = frame.select(
            shares.sum().alias("priced"),
            (shares & (pl.min_horizontal("open", "high", "low", "close") < 0)).sum().alias("negative"),
            (shares & off).sum().alias("off"),
        ).row(0)
        self.priced += counts[0]
        self.negative += counts[1]
        self.off_tick += counts[2]

    @property
    def best_pair(self) -> tuple[str, str]:
        """The units that fit most rows."""
        return PAIRS[int(np.argmax(self.fits))]

    @property
    def best_share(self) -> float:
        """Share of rows that fit under the best units."""
        return float(self.fits.max() / self.weighed) if self.weighed else 0.0

    @property
    def decided(self) -> bool:
        """Whether one pair of units stands out."""
        if self.weighed < 3:
            return False
        second, first = np.sort(self.fits)[-2:]
        return bool(self.best_share >= _HINTS and first >= 3 * max(second, 1))


def settle_units(
    evidence: Evidence,
    declared: tuple[str | None, str | None],
    chosen: tuple[str | None, str | None],
    has_amount: bool,
    layout: str,
) -> Units:
    """Return the units of volume and amount.

    Parameters
    ----------
    evidence : Evidence
    declared : pair of str or None
        By the layout: volume, amount.
    chosen : pair of str or None
        By the user; these win.
    has_amount : bool
    layout : str
        Its name, for messages.

    Raises
    ------
    InvalidRequest
        If an option is no unit, or neither layout, rows nor options tell the unit.
    InvalidData
        If the rows contradict the layout.
    """
    _check_unit("--volume-unit", chosen[0], list(VOLUME_UNITS))
    _check_unit("--amount-unit", chosen[1], list(AMOUNT_UNITS))
    volume, amount = chosen[0] or declared[0], chosen[1] or declared[1]
    if has_amount and evidence.decided:
        found = evidence.best_pair
        agrees = all(a is None or a == b for a, b in zip((volume, amount), found, strict=True))
        if not agrees and not all(chosen):
            raise InvalidData(
                f"units: layout {layout} says volume in {volume} and amount in {amount}, but amount / volume lies "
                f"between low and high for {found[0]} and {found[1]} ({evidence.best_share:.0%} of "
                f"{evidence.weighed} rows). If the rows are right, give both --volume-unit {found[0]} and "
                f"--amount-unit {found[1]}; nothing was stored",
                dataset="",
                column="volume",
                rule="units",
            )
        if agrees:
            reason = f"amount / volume lies between low and high in {evidence.best_share:.1%} of rows"
            return Units(*found, confirmed=True, reason=reason)
        reason = f"as given, although the rows look like {found[0]} and {found[1]}"
        return Units(str(volume), str(amount), confirmed=False, reason=reason)
    if volume is None:
        raise InvalidRequest(
            f"layout {layout} does not say whether volume is in shares or lots, and the rows do not tell "
            f"({'no pair of units fits' if has_amount else 'there is no amount column'}); give --volume-unit"
            f"{' and --amount-unit' if has_amount and amount is None else ''}"
        )
    if has_amount and amount is None:
        raise InvalidRequest(
            f"layout {layout} does not say the unit of amount, and the rows do not tell; give --amount-unit"
        )
    reason = "no pair of units fits the rows" if has_amount else "no amount column to check against"
    return Units(volume, amount or "yuan", confirmed=False, reason=reason)


def check_units_fit(evidence: Evidence, units: Units, given: bool, layout: str) -> None:
    """Refuse raw prices whose average lies outside the bars whatever the units: amount or volume is something else.

    Adjusted prices may have moved away from their averages, so nothing follows there.
    """
    if evidence.weighed < _ENOUGH or evidence.decided or given:
        return
    raise InvalidData(
        f"units: amount / volume lies between low and high in {evidence.best_share:.1%} of {evidence.weighed} rows at "
        f"most, whatever the units; layout {layout} says {units.volume} and {units.amount}. If that is right, give "
        f"both --volume-unit {units.volume} and --amount-unit {units.amount}; nothing was stored",
        dataset="",
        column="volume",
        rule="units",
    )


def _check_unit(option: str, value: str | None, valid: list[str]) -> None:
    if value is not None and value not in valid:
        raise InvalidRequest(f"{option} must be one of {', '.join(valid)}, was {value!r}")


def settle_adjustment(evidence: Evidence, units: Units) -> tuple[Adjustment, str]:
    """Return how the prices were adjusted, and the reason for saying so."""
    priced = max(evidence.priced, 1)
    if evidence.negative >= 3 and evidence.negative / priced > 0.001:
        return Adjustment.SUBTRACTIVE, (
            f"{evidence.negative} bars have negative prices: dividends were subtracted from past prices"
        )
    if evidence.off_tick / priced > 0.02:
        return Adjustment.MULTIPLICATIVE, (
            f"{evidence.off_tick / priced:.0%} of closes are not whole cents: past prices were scaled"
        )
    if units.confirmed and evidence.best_share < 0.8:
        return Adjustment.ROUNDED, (
            f"prices are whole cents, but only {evidence.best_share:.0%} of bars hold their average traded price"
        )
    return Adjustment.RAW, "prices are whole cents" + (
        " and hold their average traded price" if units.confirmed else ""
    )


class LabelError(InvalidData):
    """The minute labels cannot be told or are not those of one-minute bars in Shanghai time."""

    def __init__(self, message: str) -> None:
        super().__init__(
            f"{message}; nothing was stored", dataset="stock_minute_data", column="bar_time", rule="labels"
        )


def settle_labels(evidence: Evidence, chosen: str | None) -> str:
    """Return "close" or "open": which end of its minute labels a bar.

    11:30 ends the last bar of the morning, 13:00 starts the first of the afternoon; no bar has both labels.

    Raises
    ------
    LabelError
        If the labels are of longer bars, of another time zone, or fit both conventions.
    """
    labels = evidence.labels
    total = int(labels.sum())
    if not total:
        raise LabelError("no row has a readable time")
    if labels[:540].sum() > 0.9 * total and labels[210] + labels[420] + labels[90] > 0:
        raise LabelError("times lie between 01:30 and 07:00: they look like UTC; give --timezone UTC")
    minutes = np.flatnonzero(labels)
    if total > 10 and len(minutes) > 1 and not np.any(minutes % 5):
        raise LabelError(
            "all times are multiples of 5 minutes: only one-minute bars are stored, longer ones are derived"
        )
    if chosen is not None:
        if chosen not in {"close", "open"}:
            raise InvalidRequest(f"--label must be close or open, was {chosen!r}")
        return chosen
    ends, starts = int(labels[690]), int(labels[780])
    if ends > 10 * starts:
        return "close"
    if starts > 10 * ends:
        return "open"
    raise LabelError(
        f"cannot tell whether bars are labelled by their close or their open ({ends} at 11:30, {starts} at 13:00); "
        "give --label close or --label open"
    )
