"""What requests about factors carry, and how factors are shown."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from quantflux.api.bodies import Answer, Body
from quantflux.api.v2.research import Described, Document, examples
from quantflux.factors.definition import FactorDefinition
from quantflux.work.requests import ComputeFactors, EvaluateFactors

ComputeBody = Annotated[Document, Described(ComputeFactors), examples(classic={"factors": ["classic"]})]
EvaluateBody = Annotated[
    Document,
    Described(EvaluateFactors),
    examples(reversal={"factors": ["reversal_20"], "horizon": 5, "quantiles": 5}),
]

_EXAMPLE: JsonDict = {
    "id": "reversal_20",
    "library": "classic",
    "expression": "1 - close / delay(close, 20)",
    "description": "Fall of the last 20 days",
    "source": "Jegadeesh (1990)",
    "better": "more",
    "version": 1,
    "owner": "quantflux",
}


class FactorShown(Answer):
    """A factor: its formula, what it measures, and which values promise a higher return."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    library: str
    expression: str
    description: str
    source: str
    better: Literal["more", "less", "unknown"]
    version: int
    owner: str


class FactorDetails(FactorShown):
    """A factor, what it reads and how far it looks back (null: over all rows), and its older versions."""

    canonical: str
    digest: str
    reads: list[str]
    looks_back: int | None
    versions: list[FactorShown]


class LibraryShown(Answer):
    """A library of factors."""

    name: str
    factors: int
    source: str


class OperatorShown(Answer):
    """An operator of the expression language."""

    name: str
    usage: str
    definition: str
    family: str


class DefineFactor(Body):
    """A factor of one's own, or a new version of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "quiet_reversal",
                    "expression": "-ts_corr(close, volume, 10)",
                    "description": "Prices that move without volume",
                    "better": "more",
                }
            ]
        }
    )

    id: Annotated[str, Field(min_length=1, max_length=64)]
    expression: Annotated[str, Field(min_length=1, max_length=20_000)]
    description: Annotated[str, Field(max_length=500)] = ""
    better: Literal["more", "less", "unknown"] = "unknown"


class CheckFactor(Body):
    """A factor by name, or an expression; labels may look ahead with lead()."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"expression": "lead(close, 5) / lead(open, 1) - 1"}]}
    )

    expression: Annotated[str, Field(min_length=1, max_length=20_000)]


def facts_of(factor: FactorDefinition) -> dict[str, Any]:
    """Return the fields of `FactorShown`."""
    return {
        "id": factor.id,
        "library": factor.library,
        "expression": factor.expression,
        "description": factor.description,
        "source": factor.source,
        "better": {1: "more", -1: "less", 0: "unknown"}[factor.orientation],
        "version": factor.version,
        "owner": factor.owner,
    }
