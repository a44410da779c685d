"""The sections of a model file. What a section would not use is refused, so that nobody believes it had an effect."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from math import comb
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from quantflux.core.documents import Section
from quantflux.learning.specification.spellings import (
    check_feature,
    check_label,
    check_past,
    one_of,
    read_day,
    read_tuple,
)

DAILY_STEPS = ("winsorise", "standardise", "rank", "neutralise:industry", "neutralise:size")
"""What can be done to a feature across the names of a day."""

Day = Annotated[date, BeforeValidator(read_day)]
Days = Annotated[int, Field(ge=1, le=10_000)]
DaysOrNone = Annotated[int, Field(ge=0, le=10_000)]
Text = Annotated[str, Field(min_length=1, max_length=4_096)]
Scale = Annotated[
    Literal["none", "robust", "standard"], BeforeValidator(one_of("none", "robust", "standard"))
]
Missing = Annotated[Literal["keep", "zero", "median"], BeforeValidator(one_of("keep", "zero", "median"))]
LabelKind = Annotated[Literal["return", "expression"], BeforeValidator(one_of("return", "expression"))]
Entry = Annotated[Literal["tradable", "close"], BeforeValidator(one_of("tradable", "close"))]
Relative = Annotated[
    Literal["none", "market", "industry"], BeforeValidator(one_of("none", "market", "industry"))
]
Transform = Annotated[
    Literal["none", "rank", "zscore", "class"], BeforeValidator(one_of("none", "rank", "zscore", "class"))
]
SplitKind = Annotated[
    Literal["walk_forward", "purged_kfold", "combinatorial"],
    BeforeValidator(one_of("walk_forward", "purged_kfold", "combinatorial")),
]


class Choosy(Section):
    """A section of which some keys have a meaning only beside some values of others."""

    def unused(self) -> Mapping[str, str]:
        """Return the keys that nothing reads as the others stand, each with the reason."""
        return {}

    @model_validator(mode="after")
    def _used(self) -> Self:
        for key, reason in self.unused().items():
            if key in self.model_fields_set and getattr(self, key) is not None:
                raise ValueError(f"{key} is not used {reason}; leave it out")
        return self

    def content(self) -> dict[str, Any]:
        """Return what the section says, defaults too, as JSON can hold it; what nothing reads is left out."""
        return self.model_dump(mode="json", exclude_none=True, exclude=set(self.unused()))


class FeatureSpec(Choosy):
    """What a model sees of a name at the close of a day.

    Attributes
    ----------
    names : tuple of str
        Libraries, factors and expressions; a library stands for all of its factors.
    daily : tuple of str
        Steps across the names of each day, in this order: `winsorise`, `standardise`, `rank`,
        `neutralise:industry`, `neutralise:size`.
    scale : {"none", "robust", "standard"}
        How each feature is scaled, by figures of the days that a model is trained on alone.
    missing : {"keep", "zero", "median"}
        What stands for a value that is not known: nothing, 0, or the median of the days trained on.
    """

    names: Annotated[
        tuple[Annotated[Text, AfterValidator(check_feature)], ...],
        BeforeValidator(read_tuple),
        Field(min_length=1, max_length=5_000),
    ]
    daily: Annotated[
        tuple[Annotated[str, BeforeValidator(one_of(*DAILY_STEPS))], ...], BeforeValidator(read_tuple)
    ] = ()
    scale: Scale = "none"
    missing: Missing = "keep"

    @model_validator(mode="after")
    def _once(self) -> Self:
        for key, given in (("names", self.names), ("daily", self.daily)):
            twice = next((each for place, each in enumerate(given) if each in given[:place]), None)
            if twice is not None:
                raise ValueError(f'{key} has "{twice:.60}" twice; valid is once')
        return self


class LabelSpec(Choosy):
    """What a model foretells.

    Attributes
    ----------
    kind : {"return", "expression"}
    horizon : int
        Trading days that a return spans.
    entry : {"tradable", "close"}
        From the next open at which the name can be bought to an open at which it can be sold; or from close to close.
    expression : str or None
        With lead(), for labels of one's own.
    relative : {"none", "market", "industry"}
        Whose mean of the day is taken off.
    transform : {"none", "rank", "zscore", "class"}
        What is learnt of the values of a day: themselves, their percentiles (0 to 1), z-scores, or which of
        `classes` equal parts they fall into, counted from 0.
    classes : int
    """

    kind: LabelKind = "return"
    horizon: Annotated[int, Field(ge=1, le=250)] = 5
    entry: Entry = "tradable"
    expression: Annotated[Text, AfterValidator(check_label)] | None = None
    relative: Relative = "none"
    transform: Transform = "none"
    classes: Annotated[int, Field(ge=2, le=20)] = 3

    def unused(self) -> Mapping[str, str]:
        """Say which keys the kind and the transform do not read."""
        found: dict[str, str] = {}
        if self.kind == "return":
            found["expression"] = "by labels of kind return"
        else:
            found |= dict.fromkeys(("horizon", "entry"), "by labels of kind expression")
        if self.transform != "class":
            found["classes"] = f"by the transform {self.transform}"
        return found

    @model_validator(mode="after")
    def _told(self) -> Self:
        if self.kind == "expression" and self.expression is None:
            raise ValueError("expression is missing; labels of kind expression need one with lead()")
        return self


class UniverseSpec(Choosy):
    """Which names and days are learnt from.

    Attributes
    ----------
    start, end : date or None
        First and last day; None: of the data.
    where : str or None
        An expression; only names for which it is true, or above zero, at the close of the day. Names that are under
        special treatment, suspended or newly listed are left out anyway.
    """

    start: Day | None = None
    end: Day | None = None
    where: Annotated[Text, AfterValidator(check_past)] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start and self.end and self.start >= self.end:
            raise ValueError(f"start is {self.start} and end is {self.end}; valid is a start before the end")
        return self


class SplitSpec(Choosy):
    """Which days are learnt from and which are judged on. Lengths are in trading days.

    Attributes
    ----------
    kind : {"walk_forward", "purged_kfold", "combinatorial"}
    train, valid, test : int
        Of a fold: learnt from; watched while learning, 0 for none; judged on.
    folds : int or None
        Of `walk_forward`: the last so many, None for all that fit. Of `purged_kfold`: how many, 5 unless given.
    expanding : bool
        Whether every fold of `walk_forward` begins with the first day.
    embargo : int
        Days left out after test days, beside those whose labels reach into them.
    groups, tests : int
        Of `combinatorial`: the days fall into so many groups, and every choice of `tests` of them is a fold.
    """

    kind: SplitKind = "walk_forward"
    train: Days = 750
    valid: DaysOrNone = 125
    test: Days = 125
    folds: Annotated[int, Field(ge=1, le=1_000)] | None = None
    expanding: bool = False
    embargo: DaysOrNone = 0
    groups: Annotated[int, Field(ge=3, le=20)] = 6
    tests: Annotated[int, Field(ge=1, le=10)] = 2

    def unused(self) -> Mapping[str, str]:
        """Say which keys the kind does not read."""
        keys = {
            "walk_forward": ("groups", "tests"),
            "purged_kfold": ("train", "test", "expanding", "groups", "tests"),
            "combinatorial": ("train", "valid", "test", "folds", "expanding"),
        }[self.kind]
        return dict.fromkeys(keys, f"by splits of kind {self.kind}")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.kind == "purged_kfold" and self.folds == 1:
            raise ValueError("folds is 1; valid is at least 2 for purged_kfold")
        if self.kind == "combinatorial":
            if self.tests >= self.groups:
                raise ValueError(f"tests is {self.tests} of {self.groups} groups; valid is fewer than groups")
            if (folds := comb(self.groups, self.tests)) > _MOST_FOLDS:
                raise ValueError(
                    f"{self.tests} of {self.groups} groups are {folds} folds; valid are at most {_MOST_FOLDS}"
                )
        return self


_MOST_FOLDS = 1_000


class WeightSpec(Choosy):
    """How much each cell counts while learning.

    Attributes
    ----------
    half_life : int or None
        Trading days after which a cell counts half.
    balanced : bool
        Whether classes count the same, however many cells each has; for classification.
    equal_days : bool
        Whether days count the same, however many names each has.
    """

    half_life: Days | None = None
    balanced: bool = False
    equal_days: bool = False
