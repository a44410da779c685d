"""Operators that look across all symbols of one row. Missing values take no part and stay missing.

A result that overflows is missing. Ranks, buckets, counts and extremes take any number; the others lose their meaning
where a number of the row is beyond 1e150, whose square is no float.
"""

from __future__ import annotations

from typing import ClassVar, Self

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.arguments import Argument, Input, Parameter, Scalar
from quantflux.expressions.nodes import Constant, Family, Node, as_node

_X, _GROUP = Input("x"), Input("group")
_SHARE = {"whole": False, "low": 0.0, "high": 1.0}


class CrossSection(Node):
    """An operator of this family."""

    __slots__ = ()
    family = Family.CROSS_SECTION
    arguments: ClassVar[tuple[Argument, ...]] = (_X,)

    @classmethod
    def simplified(cls, inputs: tuple[Node, ...], parameters: tuple[Scalar, ...]) -> Node | None:
        """Refuse numbers, which are the same for all symbols."""
        if any(isinstance(i, Constant) for i in inputs):
            raise InvalidRequest(f"{cls.name} compares symbols, so it needs fields, was given a number")
        return None


class Grouped(CrossSection):
    """Within groups: symbols with the same `group`, such as `industry`. A missing group gives a missing result.

    A group is a whole number from 0 to 65535; anything else is none.
    """

    __slots__ = ()
    arguments: ClassVar[tuple[Argument, ...]] = (_X, _GROUP)


class RowRank(CrossSection):
    """Rank among all symbols, from 1 / count to 1; equal ones share the mean of their ranks."""

    __slots__ = ()
    name = "rank"


class RowBucket(CrossSection):
    """Which of `buckets` equal groups by rank, 0 the lowest; equal ones stay together. Missing with too few names."""

    __slots__ = ()
    name = "bucket"
    arguments = (_X, Parameter("buckets", low=2, high=1000))


class RowZScore(CrossSection):
    """Distance from the row's mean in sample standard deviations; missing where nothing varies."""

    __slots__ = ()
    name = "zscore"


class RowDemean(CrossSection):
    """Distance from the row's mean."""

    __slots__ = ()
    name = "demean"


class RowScale(CrossSection):
    """x times a number that makes the absolute values of the row add up to `a`; missing where all are 0."""

    __slots__ = ()
    name = "scale"
    arguments = (_X, Parameter("a", whole=False, low=-1e300, high=1e300, default=1))


class RowWinsorize(CrossSection):
    """x, moved to the row's quantile `low` or `high` if it lies beyond."""

    __slots__ = ()
    name = "winsorize"
    arguments = (_X, Parameter("low", default=0.01, **_SHARE), Parameter("high", default=0.99, **_SHARE))  # type: ignore[arg-type]

    @classmethod
    def simplified(cls, inputs: tuple[Node, ...], parameters: tuple[Scalar, ...]) -> Node | None:
        """Refuse bounds that cross."""
        if parameters[0] >= parameters[1]:
            raise InvalidRequest(
                f"winsorize: low must be below high, were {parameters[0]} and {parameters[1]}"
            )
        return super().simplified(inputs, parameters)


class RowWinsorizeMad(CrossSection):
    """x, moved to `k` robust deviations (1.4826 x median absolute deviation) from the row's median if beyond."""

    __slots__ = ()
    name = "winsorize_mad"
    arguments = (_X, Parameter("k", whole=False, low=0, high=1000, default=5))


class RowMean(CrossSection):
    """Mean of the row, given to every symbol that has a number."""

    __slots__ = ()
    name = "row_mean"


class RowStd(CrossSection):
    """Sample standard deviation of the row."""

    __slots__ = ()
    name = "row_std"


class RowSum(CrossSection):
    """Sum of the row."""

    __slots__ = ()
    name = "row_sum"


class RowCount(CrossSection):
    """How many symbols have a number."""

    __slots__ = ()
    name = "row_count"


class RowMedian(CrossSection):
    """Median of the row."""

    __slots__ = ()
    name = "row_median"


class RowMaximum(CrossSection):
    """Largest number of the row."""

    __slots__ = ()
    name = "row_max"


class RowMinimum(CrossSection):
    """Smallest number of the row."""

    __slots__ = ()
    name = "row_min"


class RowWeightedMean(CrossSection):
    """Mean of the row weighted by `weight`, such as the capitalisation; given to every symbol that has both.

    Missing where the weights do not add up to more than 0.
    """

    __slots__ = ()
    name = "row_weighted_mean"
    arguments = (_X, Input("weight"))


MOST_EXPOSURES = 8


class Neutralised(CrossSection):
    """A regression within the row on up to eight exposures; see its subclasses."""

    __slots__ = ()
    arguments = ()  # as many expressions as are given
    needed: ClassVar[int] = 2

    def __new__(cls, *given: object) -> Self:
        """Return the node of these operands."""
        most = cls.needed - 1 + MOST_EXPOSURES
        if not cls.needed <= len(given) <= most:
            raise InvalidRequest(
                f"{cls.name} takes {cls.needed} to {most} expressions, was given {len(given)}"
            )
        inputs = tuple(as_node(operand, cls.name) for operand in given)
        cls.simplified(inputs, ())
        return cls.interned(inputs, ())


class Neutralize(Neutralised):
    """What a regression of x on the exposures, with intercept, leaves: x without what they explain in that row.

    Written neutralize(x, exposure, ...). Names that lack any of them are missing. Exposures that follow from the
    others are left out. A row must have two names more than there are exposures, else it is missing.
    """

    __slots__ = ()
    name = "neutralize"


class GroupNeutralize(Neutralised):
    """The same with an intercept for each group: group_neutralize(x, group, exposure, ...).

    A row must have a name more than there are exposures and groups.
    """

    __slots__ = ()
    name, needed = "group_neutralize", 3


class GroupRank(Grouped):
    """Rank within the group, from 1 / count to 1."""

    __slots__ = ()
    name = "group_rank"


class GroupZScore(Grouped):
    """Distance from the group's mean in its sample standard deviations; missing where nothing varies."""

    __slots__ = ()
    name = "group_zscore"


class GroupDemean(Grouped):
    """Distance from the group's mean: x neutralised by group."""

    __slots__ = ()
    name = "group_demean"


class GroupScale(Grouped):
    """x times a number that makes the absolute values of the group add up to `a`."""

    __slots__ = ()
    name = "group_scale"
    arguments = (_X, _GROUP, Parameter("a", whole=False, low=-1e300, high=1e300, default=1))


class GroupMean(Grouped):
    """Mean of the group."""

    __slots__ = ()
    name = "group_mean"


class GroupSum(Grouped):
    """Sum of the group."""

    __slots__ = ()
    name = "group_sum"


class GroupStd(Grouped):
    """Sample standard deviation of the group."""

    __slots__ = ()
    name = "group_std"


class GroupCount(Grouped):
    """How many symbols of the group have a number."""

    __slots__ = ()
    name = "group_count"


class GroupMedian(Grouped):
    """Median of the group."""

    __slots__ = ()
    name = "group_median"
