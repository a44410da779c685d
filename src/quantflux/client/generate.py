"""Writes `schemas.py` and `operations.py` from the API's OpenAPI document: `python -m quantflux.client.generate`.

1. `openapi.Description` picks the operations out and names them.
2. `schemas_module` writes a type for each schema: what the server answers stays JSON, so these are `TypedDict`.
3. `operations_module` writes a class for each tag, with a method for each operation.
4. `ruff` sorts the imports and sets both in the house style. The same document always gives the same text.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from quantflux.client.openapi import Description, Gives, Operation, Parameter, group_name

_HEADER = (
    '"""{}\n\nWritten by `python -m quantflux.client.generate` from the OpenAPI document; '
    '`make client` writes it anew.\n"""\n'
)
_WIDTH = 100
_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_DAYS = {"date": "date | str", "date-time": "datetime | str"}


def main(arguments: list[str]) -> int:
    """Read a document from standard input and write the modules into a folder, this one unless another is named."""
    folder = Path(arguments[0]) if arguments else Path(__file__).parent
    for name, content in generate(json.load(sys.stdin)).items():
        (folder / name).write_text(content, encoding="utf-8")
    return 0


def generate(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the modules by the names of their files.

    Parameters
    ----------
    document : mapping
        OpenAPI 3.1.
    """
    description = Description(document)
    return {
        "schemas.py": _formatted(schemas_module(description)),
        "operations.py": _formatted(operations_module(description)),
    }


def schemas_module(description: Description) -> str:
    """Return the module of types."""
    names = description.type_names
    ordered = sorted(description.schemas.items(), key=lambda item: (_is_record(item[1]), names[item[0]]))
    body = "\n\n".join(_schema(description, names[key], schema) for key, schema in ordered)
    wanted = {
        word: bool(re.search(rf"\b{word}\b", body))
        for word in ("Any", "Literal", "NotRequired", "TypeAlias", "TypedDict")
    }
    imports = ", ".join(word for word, used in wanted.items() if used)
    head = _HEADER.format("What the API takes and gives, as types.")
    return f"{head}\nfrom __future__ import annotations\n\nfrom typing import {imports}\n\n{body}\n"


def operations_module(description: Description) -> str:
    """Return the module of operations."""
    groups: dict[str, list[Operation]] = {}
    for operation in description.operations:
        groups.setdefault(operation.tag, []).append(operation)
    classes = "\n\n".join(_group(description, tag, groups[tag]) for tag in sorted(groups))
    root = _root(sorted(groups))
    code = f"{classes}\n\n{root}\n"
    types = [name for name in description.type_names.values() if re.search(rf"\b{name}\b", code)]
    lines = [
        _HEADER.format("The operations of the API, a class for each group and a method for each operation."),
        "from __future__ import annotations\n",
        "import builtins" if "builtins." in code else "",
        _import("collections.abc", [n for n in ("Mapping", "Sequence") if re.search(rf"\b{n}\[", code)]),
        _import("datetime", [n for n in ("date", "datetime") if re.search(rf": (\w+ \| )*{n} \|", code)]),
        _import("typing", [n for n in ("Any", "Literal", "cast") if re.search(rf"\b{n}\b", code)]),
        "\nimport polars as pl\n" if "pl.DataFrame" in code else "",
        _import("quantflux.client.calls", ["Call", *(n for n in ("Document", "given") if n in code)]),
        _import("quantflux.client.jobs", ["Job"] if "Job(" in code else []),
        _import("quantflux.client.pages", ["Pages"] if "Pages(" in code else []),
        _import("quantflux.client.schemas", sorted(types)),
        "from quantflux.client.transport import Transport\n",
    ]
    return "\n".join(line for line in lines if line) + "\n\n" + code


def type_of(description: Description, schema: Mapping[str, Any], *, argument: bool = False) -> str:
    """Return the type of a schema as Python writes it.

    Parameters
    ----------
    argument : bool
        Whether it is what somebody gives, who may give any sequence or mapping, and a day as a `date`.
    """
    if "$ref" in schema:
        return description.type_name(schema["$ref"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            found = dict.fromkeys(type_of(description, each, argument=argument) for each in schema[several])
            return " | ".join(sorted(found, key=lambda name: name == "None"))
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values is not None:
        return f"Literal[{', '.join(map(repr, values))}]"
    if schema.get("type") in ("array", "object"):
        return _type_of_many(description, schema, argument)
    if argument and schema.get("format") in _DAYS:
        return _DAYS[schema["format"]]
    return _PLAIN.get(str(schema.get("type")), "Any")


def _type_of_many(description: Description, schema: Mapping[str, Any], argument: bool) -> str:
    if schema["type"] == "array":
        inner = type_of(description, schema.get("items", {}), argument=argument)
        return f"{'Sequence' if argument else 'list'}[{inner}]"
    values = schema.get("additionalProperties")
    inner = type_of(description, values, argument=argument) if isinstance(values, Mapping) else "Any"
    return f"{'Mapping' if argument else 'dict'}[str, {inner}]"


def _is_record(schema: Mapping[str, Any]) -> bool:
    return "properties" in schema


def _schema(description: Description, name: str, schema: Mapping[str, Any]) -> str:
    told = schema.get("description") or f"{schema.get('title', name)}."
    if not _is_record(schema):
        return f'{name}: TypeAlias = {type_of(description, schema)}\n"""{_text(told, 0)}"""'
    required = schema.get("required", ())
    fields = {}
    for field, part in schema["properties"].items():
        found = type_of(description, part)
        fields[field] = found if field in required else f"NotRequired[{found}]"
    if all(field.isidentifier() and field not in ("class", "from") for field in fields):
        lines = "\n".join(f"    {field}: {found}" for field, found in fields.items())
        return f'class {name}(TypedDict):\n    """{_text(told, 4)}"""\n\n{lines}\n'
    items = "".join(f"{field!r}: {found!r}," for field, found in fields.items())
    return f'{name} = TypedDict("{name}", {{{items}}})\n"""{_text(told, 0)}"""'


def _group(description: Description, tag: str, operations: list[Operation]) -> str:
    methods = "\n\n".join(_method(description, operation) for operation in operations)
    return (
        f'class {_class_name(tag)}:\n    """Operations on {tag}."""\n\n'
        "    def __init__(self, http: Transport) -> None:\n        self._http = http\n\n"
        f"{methods}\n"
    )


def _root(tags: list[str]) -> str:
    attributes = "\n".join(f"        self.{group_name(tag)} = {_class_name(tag)}(http)" for tag in tags)
    return (
        'class Operations:\n    """All operations, by group."""\n\n'
        f"    def __init__(self, http: Transport) -> None:\n{attributes}\n"
    )


def _class_name(tag: str) -> str:
    return "".join(part.capitalize() for part in re.split(r"\W+", tag)) + "Operations"


def _method(description: Description, operation: Operation) -> str:
    arguments = "".join(f"{part}, " for part in _arguments(description, operation))
    returned, body = _answer(description, operation)
    doc = textwrap.indent(f'"""{_docstring(operation)}"""', "        ", lambda line: bool(line.strip()))
    call = f"        call = Call({_call(operation)})\n"
    return (
        f"    def {operation.name}(self, {arguments}) -> {returned}:\n{doc}\n{call}"
        f"{textwrap.indent(body, '        ')}\n"
    )


def _arguments(description: Description, operation: Operation) -> Iterator[str]:
    """Yield arguments: the places of the path by position too, all others by name, those without default first."""
    first = [each for each in operation.parameters if each.place == "path"]
    rest = [each for each in operation.parameters if each.place != "path"]
    yield from (f"{each.name}: {type_of(description, each.schema, argument=True)}" for each in first)
    if rest:
        yield "*"
    for each in sorted(rest, key=lambda each: not each.required):
        kind = type_of(description, each.schema, argument=True)
        if each.required:
            yield f"{each.name}: {kind}"
        elif _simple_default(each):
            yield f"{each.name}: {kind} = {each.schema['default']!r}"
        else:
            optional = kind if "None" in kind.split(" | ") else f"{kind} | None"
            yield f"{each.name}: {optional} = None"


def _simple_default(parameter: Parameter) -> bool:
    default = parameter.schema.get("default")
    return isinstance(default, str | int | float | bool) and parameter.schema.get("format") not in _DAYS


def _call(operation: Operation) -> str:
    parts = [repr(operation.method), repr(operation.path)]
    for place, name in (("path", "places"), ("query", "query")):
        found = [each for each in operation.parameters if each.place == place]
        if found:
            parts.append(f"{name}={{{''.join(f'{each.sent_as!r}: {each.name},' for each in found)}}}")
    body = [each for each in operation.parameters if each.place == "body"]
    if operation.whole_body:
        parts.append("body=body")
    elif body:
        parts.append(f"body=given({_given(body)})")
    if operation.keyed:
        parts.append("keyed=True")
    return ", ".join(parts)


def _given(body: list[Parameter]) -> str:
    if all(each.sent_as == each.name for each in body):
        return ", ".join(f"{each.name}={each.name}" for each in body)
    return "**{" + ", ".join(f"{each.sent_as!r}: {each.name}" for each in body) + "}"


def _answer(description: Description, operation: Operation) -> tuple[str, str]:
    """Return the type of the answer, and the lines that give it."""
    document = "self._http.document(call)"
    begun = (
        "begun, found = self._http.begun(call)\n"
        'return Job(self._http, found) if begun else cast("Document", found)'
    )
    simple = {
        Gives.NOTHING: ("None", "self._http.nothing(call)"),
        Gives.TABLE: ("pl.DataFrame", "return self._http.table(call)"),
        Gives.DOCUMENT: ("Document", f'return cast("Document", {document})'),
        Gives.JOB: ("Job", f'return Job(self._http, cast("JobShown", {document}))'),
        Gives.JOB_OR_DOCUMENT: ("Job | Document", begun),
    }
    if operation.gives in simple:
        return simple[operation.gives]
    if operation.gives is Gives.PAGES:
        items = description.resolved(operation.answer)["properties"]["items"]["items"]
        kind = type_of(description, items)
        return f"Pages[{kind}]", f"return Pages(self._http, call, {operation.paged_by!r})"
    # In these classes `list` may be a method.
    found = re.sub(r"\blist\[", "builtins.list[", type_of(description, operation.answer))
    return found, f'return cast("{found}", {document})'


def _docstring(operation: Operation) -> str:
    summary = operation.summary.rstrip(".") or operation.name.replace("_", " ").capitalize()
    parts = [_wrapped(summary if summary.endswith("?") else f"{summary}.")]
    if operation.description:
        parts.append("\n".join(_wrapped(part) for part in operation.description.split("\n") if part.strip()))
    told = [each for each in operation.parameters if each.description]
    if told:
        lines = ["Parameters", "----------"]
        for each in told:
            lines += [each.name, textwrap.indent(_wrapped(each.description), "    ")]
        parts.append("\n".join(lines))
    return _escaped("\n\n".join(parts)) + ("\n" if len(parts) > 1 else "")


def _text(told: str, indent: int) -> str:
    paragraphs = [line.rstrip() for line in told.strip().splitlines()]
    lines = "\n".join(paragraphs)
    text = textwrap.indent(lines, " " * indent).lstrip()
    return _escaped(text) + ("\n" + " " * indent if len(paragraphs) > 1 else "")


def _wrapped(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), _WIDTH - 12, break_long_words=False, break_on_hyphens=False)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def _import(module: str, names: list[str]) -> str:
    return f"from {module} import {', '.join(names)}" if names else ""


def _formatted(code: str) -> str:
    # Under a name of this folder, so that the project's own settings hold.
    for step in (["check", "--fix-only", "--quiet", "--select", "I,F401"], ["format", "--quiet"]):
        command = [sys.executable, "-m", "ruff", *step, "--no-cache", "--stdin-filename", __file__, "-"]
        code = subprocess.run(command, input=code, capture_output=True, text=True, check=True).stdout  # noqa: S603
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
