"""A model as a whole: what each part says, and whether the parts fit together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from quantflux.core.document_problems import shown
from quantflux.core.documents import Document
from quantflux.core.errors import InvalidRequest, MissingDependency
from quantflux.learning.models import learner, own_name
from quantflux.learning.specification.sections import (
    Choosy,
    FeatureSpec,
    LabelSpec,
    SplitSpec,
    UniverseSpec,
    WeightSpec,
)
from quantflux.learning.specification.spellings import check_id, check_parameters, one_of, read_tuple

_BOOSTING = ("lightgbm", "xgboost", "catboost")
_LINEAR = ("ridge", "lasso", "elastic_net")
_SINGLE = (*_BOOSTING, "random_forest", *_LINEAR, "mlp")
_TASKS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_BOOSTING, ("regression", "ranking", "classification")),
    **dict.fromkeys(("random_forest", "mlp"), ("regression", "classification")),
    **dict.fromkeys(_LINEAR, ("regression",)),
}

SingleKind = Annotated[
    Literal["lightgbm", "xgboost", "catboost", "random_forest", "ridge", "lasso", "elastic_net", "mlp"],
    BeforeValidator(one_of(*_SINGLE)),
]
Kind = Annotated[
    Literal[
        "lightgbm", "xgboost", "catboost", "random_forest", "ridge", "lasso", "elastic_net", "mlp", "ensemble"
    ],
    BeforeValidator(one_of(*_SINGLE, "ensemble")),
]
Task = Annotated[
    Literal["regression", "ranking", "classification"],
    BeforeValidator(one_of("regression", "ranking", "classification")),
]
Parameters = Annotated[dict[str, Any], AfterValidator(check_parameters), Field(default_factory=dict)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


def _features(value: Any) -> Any:
    """Let a text or a list stand for features by name."""
    return {"names": value} if isinstance(value, str | list | tuple) else value


class Member(Choosy):
    """One model of an ensemble.

    Attributes
    ----------
    kind : str
    parameters : mapping
        Beside the kind's defaults.
    seed : int or None
        None: the ensemble's seed plus the member's place, counted from 0.
    weight : float
        Its part beside the other weights.
    """

    kind: SingleKind
    parameters: Parameters
    seed: Seed | None = None
    weight: Annotated[float, Field(gt=0, le=1e6)] = 1.0


class ModelSpec(Choosy):
    """A model, described.

    Attributes
    ----------
    id : str
        Its name among models, and of its folder: a letter, then at most 49 letters, digits, `_`, `.` and `-`.
    name : str
        For people.
    kind : str
        `lightgbm`, `xgboost`, `catboost`, `random_forest`, `ridge`, `lasso`, `elastic_net`, `mlp` or `ensemble`.
    task : {"regression", "ranking", "classification"}
    seed : int
        Of everything random in it: the same seed makes the same model.
    parameters : mapping
        Beside the kind's defaults.
    members : tuple of Member
        Of an ensemble.
    combine : {"rank", "mean"}
        Of an ensemble: whether ranks among what each member foretold of the train sample are averaged, or the
        numbers themselves.
    features : FeatureSpec
        A list of names will do.
    label : LabelSpec
    universe : UniverseSpec
    split : SplitSpec
    weights : WeightSpec

    Examples
    --------
    >>> spec = ModelSpec(id="first", kind="ridge", features=["close"])
    >>> spec.label.horizon, spec.task
    (5, 'regression')
    """

    id: Annotated[str, AfterValidator(check_id)]
    name: Annotated[str, Field(max_length=200)] = ""
    kind: Kind = "lightgbm"
    task: Task = "regression"
    seed: Seed = 0
    parameters: Parameters
    members: Annotated[tuple[Member, ...], BeforeValidator(read_tuple), Field(max_length=50)] = ()
    combine: Annotated[Literal["rank", "mean"], BeforeValidator(one_of("rank", "mean"))] = "rank"
    features: Annotated[FeatureSpec, BeforeValidator(_features)]
    label: LabelSpec = LabelSpec()
    universe: UniverseSpec = UniverseSpec()
    split: SplitSpec = SplitSpec()
    weights: WeightSpec = WeightSpec()

    def unused(self) -> Mapping[str, str]:
        """Say which keys the kind does not read."""
        if self.kind == "ensemble":
            return {"parameters": "by an ensemble, whose members have their own"}
        return dict.fromkeys(("members", "combine"), f"by the kind {self.kind}")

    def member_seeds(self) -> tuple[int, ...]:
        """Return the seed of each member."""
        return tuple(
            (self.seed + place) % 2**31 if member.seed is None else member.seed
            for place, member in enumerate(self.members)
        )

    @property
    def model_parameters(self) -> dict[str, Any]:
        """What a learner is made of beside kind, task and seed: the parameters, or an ensemble's members."""
        if self.kind != "ensemble":
            return dict(self.parameters)
        members = [
            {"kind": member.kind, "parameters": member.parameters, "seed": seed, "weight": member.weight}
            for member, seed in zip(self.members, self.member_seeds(), strict=True)
        ]
        return {"members": members, "combine": self.combine}

    def parameters_with(self, changed: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters with some changed, whichever of a parameter's names stands on either side."""
        names = {own_name(self.kind, name) for name in changed}
        kept = {
            name: value for name, value in self.parameters.items() if own_name(self.kind, name) not in names
        }
        return kept | dict(changed)

    def with_parameters(self, changed: Mapping[str, Any]) -> ModelSpec:
        """Return the same model with some parameters changed; raises what `specification_of` does."""
        told = {**self.to_dict(), "parameters": self.parameters_with(changed)}
        return Document(f"the model {self.id}", "", told).into(ModelSpec)

    def to_dict(self) -> dict[str, Any]:
        """Return everything it says, defaults too, as JSON can hold it; `specification_of` takes it back."""
        parts: dict[str, Any] = {
            key: getattr(self, key).content() for key in ("features", "label", "universe", "split", "weights")
        }
        own = self.model_dump(mode="json", exclude={*self.unused(), *parts, "members"})
        if self.members:
            own["members"] = [member.content() for member in self.members]
        return own | parts

    @model_validator(mode="after")
    def _members_fit(self) -> Self:
        if self.kind != "ensemble":
            return self
        if len(self.members) < 2:
            raise ValueError(f"members has {len(self.members)}; valid for an ensemble are at least 2")
        alike = [
            (m.kind, m.parameters, seed) for m, seed in zip(self.members, self.member_seeds(), strict=True)
        ]
        for place, one in enumerate(alike):
            if one in alike[:place]:
                first = alike.index(one) + 1
                raise ValueError(
                    f"members.{place + 1}: is the same model as members.{first}; valid are another kind, other "
                    "parameters or another seed, or one of the two with more weight"
                )
        return self

    @model_validator(mode="after")
    def _task_fits(self) -> Self:
        for kind in self._kinds():
            if self.task not in _TASKS[kind]:
                raise ValueError(
                    f"task is {self.task}, which {kind} cannot do; valid for it is "
                    f"{', '.join(_TASKS[kind])}; {self.task} can be done by "
                    f"{', '.join(k for k, tasks in _TASKS.items() if self.task in tasks)}"
                )
        if (self.task == "classification") and self.label.transform != "class":
            raise ValueError(
                f"label.transform: found {shown(self.label.transform)}; classification needs "
                '"class", whose parts `label.classes` counts'
            )
        if self.task == "regression" and self.label.transform == "class":
            raise ValueError(
                'label.transform: is "class" and the task is regression; valid is the task classification '
                "or ranking, or another transform"
            )
        if self.weights.balanced and self.task != "classification":
            raise ValueError(
                f"weights.balanced: is used by the task classification only, the task is {self.task}"
            )
        return self

    @model_validator(mode="after")
    def _parameters_fit(self) -> Self:
        classes = self.label.classes if self.task == "classification" else 0
        for place, kind, parameters in self._asked():
            if not parameters:
                continue  # the library of a kind takes a second to import
            try:
                learner(kind, self.task, parameters, 0, threads=1, classes=classes)
            except MissingDependency:
                continue  # said when the model is trained; reading about it needs no library
            except InvalidRequest as error:
                raise ValueError(f"{place}: {error}") from None
        return self

    def _asked(self) -> list[tuple[str, str, Mapping[str, Any]]]:
        """Return each single model: where its parameters stand, its kind and they."""
        if self.kind != "ensemble":
            return [("parameters", self.kind, self.parameters)]
        return [
            (f"members.{place}.parameters", member.kind, member.parameters)
            for place, member in enumerate(self.members, start=1)
        ]

    def _kinds(self) -> tuple[str, ...]:
        return tuple(kind for _, kind, _ in self._asked())
