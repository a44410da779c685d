"""What OpenAPI shows as examples works on a market like the demonstration's."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI

from tests.api.conftest import AsRole
from tests.api.v2.research.conftest import Done

SLOW = pytest.param("portfolios", marks=pytest.mark.slow)
"""Its factor model and its prices of limits take ten seconds; `test_portfolios.py` tries smaller ones."""

RESOURCES = ("factors", "models", "predictions", "scores", "screens", "portfolios", "backtests")
DEMO: dict[str, Any] = {
    "id": "demo",
    "kind": "ridge",
    "features": {"names": ["reversal_20"], "scale": "standard", "missing": "median"},
    "label": {"horizon": 5, "transform": "rank"},
    "split": {"train": 400, "valid": 60, "test": 100},
}


@pytest.fixture(scope="module")
def demo(as_role: AsRole, done: Done) -> None:
    """The model of the demonstration, with its predictions of the last day."""
    client = as_role("researcher")
    done(client, client.post("/api/v2/models", json={"model": DEMO}))
    assert client.post("/api/v2/predictions/demo", json={"date": "2025-12-31"}).status_code == 200


def operations(api: FastAPI) -> list[tuple[str, str, dict[str, Any]]]:
    paths = api.openapi()["paths"].items()
    return [
        (path, method, operation)
        for path, methods in paths
        if path.startswith("/api/v2/") and path.split("/")[3] in RESOURCES
        for method, operation in methods.items()
    ]


def bodies(operation: dict[str, Any], schemas: dict[str, Any]) -> list[Any]:
    if "requestBody" not in operation:
        return [None]
    content = operation["requestBody"]["content"]["application/json"]
    if "examples" in content:
        return [each["value"] for each in content["examples"].values()]
    named = content["schema"].get("$ref", "").rpartition("/")[2]
    found: list[Any] = schemas[named]["examples"]
    return found


@pytest.mark.parametrize("resource", [SLOW if name == "portfolios" else name for name in RESOURCES])
def test_every_example_of_a_request_works(
    resource: str, api: FastAPI, as_role: AsRole, demo: None, done: Done
) -> None:
    client = as_role("admin")
    schemas = api.openapi()["components"]["schemas"]
    own = {"models/{model}/retrain", "models/{model}/versions/{version}/promote", "factors/{name}#delete"}
    tried = 0

    for path, method, operation in operations(api):
        short = path.removeprefix("/api/v2/")
        if short.split("/")[0] != resource:
            continue
        if short in own or f"{short}#{method}" in own or "{record}" in path or short.endswith("/compare"):
            continue  # of one's own, or of a record; tested beside the others
        known = [p for p in operation.get("parameters", []) if "examples" in p]
        given = {p["name"]: next(iter(p["examples"].values()))["value"] for p in known}
        inside = {p["name"] for p in known if p["in"] == "path"}
        query = {name: value for name, value in given.items() if name not in inside}
        for body in bodies(operation, schemas):
            sent = {} if body is None else {"json": body}
            answer = client.request(method.upper(), path.format(**given), params=query, **sent)
            assert answer.status_code < 300, (method, path, query, body, answer.text)
            if answer.status_code == 202:
                done(client, answer)
            tried += 1
    assert tried


def test_every_route_says_what_it_answers(api: FastAPI) -> None:
    for path, method, operation in operations(api):
        good = next(code for code in operation["responses"] if code.startswith("2"))
        shown = operation["responses"][good]
        assert operation["summary"] and operation["description"], path
        assert good == "204" or shown.get("content"), (method, path)
