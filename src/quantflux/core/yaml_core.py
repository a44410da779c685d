"""YAML for files that people write: safe, by the core schema of YAML 1.2, and strict about mistakes.

PyYAML follows YAML 1.1, in which `no` is false, `1e-3` a text, `12:30` a number of seconds, and `017` fifteen; here
what begins with a needless zero, such as the code of a share, is a text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

_TEXT = "tag:yaml.org,2002:str"


class CoreLoader(yaml.SafeLoader):
    """Reads YAML 1.2 plus days, which stand as in TOML. Duplicate keys and references are errors."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as in the base class

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse references: a few of them can stand for gigabytes."""
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.constructor.ConstructorError(
                None, None, "a reference (*) is not allowed here; write it out", event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping whose keys are texts that stand once."""
        made = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if key_node.tag != _TEXT:
                raise _mistake(f"the key {key!r:.60} is no text; put it in quotes", key_node)
            if key in made:
                raise _mistake(f"the key {key!r:.60} stands twice", key_node)
            made[key] = self.construct_object(value_node, deep=True)
        return made


def _mistake(problem: str, node: Any) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _construct_map(loader: CoreLoader, node: Any) -> dict[Any, Any]:
    return loader.construct_mapping(node)


CoreLoader.add_constructor("tag:yaml.org,2002:map", _construct_map)
for tag, pattern, first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf)|\.(nan|NaN)",
        list("-+.0123456789"),
    ),
    ("timestamp", r"[0-9]{4}-[0-9]{2}-[0-9]{2}", list("0123456789")),
):
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"^(?:{pattern})$"), first)


class CoreDumper(yaml.SafeDumper):
    """Writes what `CoreLoader` reads back: texts that YAML 1.2 would take for something else stand in quotes."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write the same value out wherever it stands: references cannot be read back."""
        return True


def written(values: Mapping[str, Any]) -> str:
    """Return texts, finite numbers, truths, days, lists and mappings as YAML.

    Examples
    --------
    >>> print(written({"id": "first", "code": "1e3", "parts": [1, 0.5]}), end="")
    id: first
    code: "1e3"
    parts:
    - 1
    - 0.5
    """
    text: str = yaml.dump(values, Dumper=CoreDumper, sort_keys=False, allow_unicode=True, width=110)
    return text


def _represent_text(dumper: CoreDumper, value: str) -> yaml.ScalarNode:
    taken_for = CoreLoader("").resolve(yaml.ScalarNode, value, (True, False))  # type: ignore[no-untyped-call]
    plain = taken_for == _TEXT and value.isprintable()
    return dumper.represent_scalar(_TEXT, value, None if plain else '"')


CoreDumper.add_representer(str, _represent_text)
