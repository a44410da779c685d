"""The command that prints the API's description."""

from __future__ import annotations

import json

from tests.cli.conftest import Run


def test_it_prints_the_document_without_a_server(run: Run) -> None:
    document = json.loads(run("openapi").stdout)

    assert document["openapi"].startswith("3.1")
    assert "/api/v2/bars/{symbol}" in document["paths"]
