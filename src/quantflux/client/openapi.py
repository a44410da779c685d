"""What a client needs of an OpenAPI document: the operations of version 2, by tag, with names for Python."""

from __future__ import annotations

import builtins
import keyword
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

PREFIX = "/api/v2/"
_REF = "#/components/schemas/"
_ARROW = "application/vnd.apache.arrow.stream"
_PAGED = ("offset", "after")


class Gives(Enum):
    """What an operation's method returns."""

    NOTHING = auto()
    TYPED = auto()
    DOCUMENT = auto()
    TABLE = auto()
    PAGES = auto()
    JOB = auto()
    JOB_OR_DOCUMENT = auto()


@dataclass(frozen=True)
class Parameter:
    """One argument of a method.

    Attributes
    ----------
    name : str
        In Python.
    sent_as : str
        In the request.
    place : {"path", "query", "body"}
    schema : mapping
    required : bool
    description : str
    """

    name: str
    sent_as: str
    place: str
    schema: Mapping[str, Any]
    required: bool
    description: str


@dataclass(frozen=True)
class Operation:
    """One method. `whole_body` says that the body is one argument, as its parts would clash with others."""

    tag: str
    name: str
    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    whole_body: bool
    keyed: bool
    gives: Gives
    answer: Mapping[str, Any]
    paged_by: str = ""


class Description:
    """An OpenAPI document.

    Parameters
    ----------
    document : mapping
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.schemas: Mapping[str, Any] = document["components"]["schemas"]
        self.type_names = _type_names(self.schemas)
        self.operations = [
            self._operation(path, method, told)
            for path, methods in sorted(document["paths"].items())
            if path.startswith(PREFIX)
            for method, told in sorted(methods.items())
        ]

    def resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a schema itself where there is a reference to it."""
        while "$ref" in schema:
            schema = self.schemas[schema["$ref"].removeprefix(_REF)]
        return schema

    def type_name(self, reference: str) -> str:
        """Return the name in Python of what a reference leads to."""
        return self.type_names[reference.removeprefix(_REF)]

    def _operation(self, path: str, method: str, told: Mapping[str, Any]) -> Operation:
        tag = told["tags"][0]
        answers = told["responses"]
        gives, answer = self._gives(answers)
        sent = [each for each in told.get("parameters", ()) if each["in"] in ("path", "query")]
        names = {each["name"] for each in sent}
        paged_by = next((name for name in _PAGED if name in names), "")
        if gives is Gives.TYPED and paged_by and self._is_page(answer):
            gives = Gives.PAGES
        dropped = {"format", "after", "limit"} if gives is Gives.TABLE else set()
        parameters = [_parameter(each) for each in sent if each["name"] not in dropped]
        body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        parts, whole = self._body(body, {each.name for each in parameters})
        return Operation(
            tag=tag,
            name=_method_name(told["operationId"], path, method, tag),
            method=method.upper(),
            path=path,
            summary=told.get("summary", ""),
            description=_prose(told.get("description", "")),
            parameters=(*parameters, *parts),
            whole_body=whole,
            keyed=any(each["name"] == "Idempotency-Key" for each in told.get("parameters", ())),
            gives=gives,
            answer=answer,
            paged_by=paged_by if gives is Gives.PAGES else "",
        )

    def _gives(self, answers: Mapping[str, Any]) -> tuple[Gives, Mapping[str, Any]]:
        if "202" in answers:
            return (Gives.JOB_OR_DOCUMENT if "200" in answers else Gives.JOB), {}
        good = next(answer for status, answer in sorted(answers.items()) if status.startswith("2"))
        content = good.get("content", {})
        if _ARROW in content:
            return Gives.TABLE, {}
        if not content:
            return Gives.NOTHING, {}
        schema = content["application/json"].get("schema")
        return (Gives.TYPED, schema) if schema else (Gives.DOCUMENT, {})

    def _is_page(self, schema: Mapping[str, Any]) -> bool:
        properties: Mapping[str, Any] = self.resolved(schema).get("properties", {})
        return {"items", "next"} <= properties.keys()

    def _body(self, schema: Mapping[str, Any] | None, taken: set[str]) -> tuple[list[Parameter], bool]:
        """Return an argument for each part of a body; one for all of it where names would clash."""
        if schema is None:
            return [], False
        found = self.resolved(schema)
        properties = found.get("properties", {})
        told = _attributes(found.get("description", ""))
        parts = [
            Parameter(
                python_name(name),
                name,
                "body",
                part,
                name in found.get("required", ()),
                part.get("description", told.get(name, "")),
            )
            for name, part in properties.items()
        ]
        if not parts or taken & {part.name for part in parts}:
            return [Parameter("body", "", "body", schema, True, _prose(found.get("description", "")))], True
        return parts, False


def python_name(name: str) -> str:
    """Return a name for an argument.

    Examples
    --------
    >>> python_name("class"), python_name("format"), python_name("start")
    ('class_', 'format_', 'start')
    """
    return f"{name}_" if keyword.iskeyword(name) or hasattr(builtins, name) else name


def group_name(tag: str) -> str:
    """Return a tag as an attribute.

    Examples
    --------
    >>> group_name("market data"), group_name("log-in")
    ('market_data', 'log_in')
    """
    return re.sub(r"\W+", "_", tag)


def _parameter(told: Mapping[str, Any]) -> Parameter:
    return Parameter(
        python_name(told["name"]),
        told["name"],
        told["in"],
        told["schema"],
        bool(told.get("required")),
        told.get("description", ""),
    )


def _method_name(operation_id: str, path: str, method: str, tag: str) -> str:
    """Return the name of the route's function, without the noun that its group has already."""
    name = operation_id.removesuffix(f"_{method}").removesuffix(re.sub(r"\W", "_", path))
    group = group_name(tag)
    for noun in (group, group.removesuffix("s")):
        name = name.removesuffix(f"_{noun}")
    return f"{name}_" if keyword.iskeyword(name) else name


def _type_names(schemas: Mapping[str, Any]) -> dict[str, str]:
    """Return a name for each schema: as short as it can be, with its module where two are called alike."""
    parts = {key: re.split(r"__+", key) for key in schemas}
    last = Counter(each[-1] for each in parts.values())
    return {
        key: _camel(each[-1])
        if last[each[-1]] == 1
        else _camel(f"{each[-2] if len(each) > 1 else ''}_{each[-1]}")
        for key, each in parts.items()
    }


def _camel(text: str) -> str:
    page = re.fullmatch(r"Page_(\w+)_", text)
    if page:
        return f"PageOf{page[1]}"
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[\W_]+", text) if part)


def _prose(description: str) -> str:
    """Return a description up to its first section."""
    return re.split(r"\n\s*\w+\n\s*-{4,}", description)[0].strip()


def _attributes(description: str) -> dict[str, str]:
    """Return what the section Attributes says of each.

    Examples
    --------
    >>> _attributes("A run.\\n\\nAttributes\\n----------\\nstart, end : date\\n    First and last day.")
    {'start': 'First and last day.', 'end': 'First and last day.'}
    """
    _, _, section = description.partition("Attributes\n----------\n")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        if line.startswith(" "):
            found |= {name: f"{found[name]} {line.strip()}".strip() for name in names}
        else:
            names = [name.strip() for name in line.partition(" : ")[0].split(",")]
            found |= dict.fromkeys(names, "")
    return found
