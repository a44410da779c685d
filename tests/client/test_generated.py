"""The generated modules never lag behind the API, and their methods ask for what it describes."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import quantflux.client
from quantflux.api.app import create_app
from quantflux.client.calls import Call
from quantflux.client.generate import generate, main
from quantflux.client.jobs import Job
from quantflux.client.openapi import Description, Gives, Operation
from quantflux.client.operations import Operations
from quantflux.client.pages import Pages
from quantflux.platform import Platform
from tests.api.conftest import settings_in

FOLDER = Path(quantflux.client.__file__).parent


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `quantflux openapi` prints, read again."""
    with Platform.open(settings_in(tmp_path_factory.mktemp("openapi"))) as platform:
        found: dict[str, Any] = json.loads(json.dumps(create_app(platform).openapi()))
        return found


class Recorder:
    """In place of the transport: remembers what was asked."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def _remember(self, call: Call) -> Any:
        self.calls.append(call)
        return {}

    document = table = nothing = _remember

    def begun(self, call: Call) -> tuple[bool, Any]:
        return True, self._remember(call)


def test_what_is_committed_is_what_the_api_describes(document: dict[str, Any]) -> None:
    for name, content in generate(document).items():
        assert (FOLDER / name).read_text(encoding="utf-8") == content, f"{name} is old: run make client"


def test_the_order_of_the_document_does_not_matter(document: dict[str, Any]) -> None:
    turned = document | {"paths": dict(reversed(document["paths"].items()))}
    turned["components"] = {"schemas": dict(reversed(document["components"]["schemas"].items()))}

    assert generate(turned) == generate(document)


def test_the_command_line_writes_both_files(
    document: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "openapi.json"
    given.write_text(json.dumps(document))
    with given.open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert main([str(tmp_path)]) == 0

    assert (tmp_path / "operations.py").read_bytes() == (FOLDER / "operations.py").read_bytes()


def test_the_generator_knows_nothing_of_the_server() -> None:
    code = "import sys, quantflux.client.generate; print([m for m in sys.modules if m.startswith('quantflux.api')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_each_method_asks_for_its_operation(document: dict[str, Any]) -> None:
    description = Description(document)
    names = {(each.tag, each.name) for each in description.operations}

    assert len(names) == len(description.operations) > 80
    for operation in description.operations:
        _check(operation, document["paths"][operation.path][operation.method.lower()])


def _check(operation: Operation, told: dict[str, Any]) -> None:
    http = Recorder()
    group = getattr(Operations(http), re.sub(r"\W+", "_", operation.tag))  # type: ignore[arg-type]
    method = getattr(group, operation.name)
    arguments = {name: f"<{name}>" for name in inspect.signature(method).parameters}
    if operation.whole_body:
        arguments["body"] = {}  # type: ignore[assignment]
    found = method(**arguments)
    if isinstance(found, Pages):
        assert operation.gives is Gives.PAGES
        return
    (call,) = http.calls
    assert isinstance(found, Job) == (operation.gives in (Gives.JOB, Gives.JOB_OR_DOCUMENT))
    assert (call.method, call.path) == (operation.method, operation.path)
    assert "{" not in call.target.partition("?")[0]
    queries = {each["name"] for each in told.get("parameters", ()) if each["in"] == "query"}
    assert call.query.keys() == queries - (
        {"format", "after", "limit"} if operation.gives is Gives.TABLE else set()
    )
    assert call.keyed == any(each["name"] == "Idempotency-Key" for each in told.get("parameters", ()))
    assert (call.body is not None) == ("requestBody" in told)


def test_importing_the_package_loads_no_client() -> None:
    code = (
        "import sys, quantflux; "
        "assert not {'httpx', 'polars', 'quantflux.client'} & sys.modules.keys(); "
        "assert quantflux.Client.__name__ == 'Client' and 'Client' in dir(quantflux); "
        "assert not hasattr(quantflux, 'Server')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
