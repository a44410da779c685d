"""Tables of the documentation that are written from the code: `python -m tests.api.handbook` writes them again."""

from __future__ import annotations

import ast
import inspect
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fastapi import FastAPI
from fastapi.routing import APIRoute

import quantflux.api
from quantflux.accounts.permissions import PRIVILEGED, ROLES, Permission, Role
from quantflux.api.app import create_app
from quantflux.api.errors import TABLE
from quantflux.config import Settings
from quantflux.core.errors import QuantfluxError
from quantflux.platform import Platform

ROOT = Path(__file__).parents[2]
PAGES = ("docs/api.md", "docs/security.md")
_BLOCK = re.compile(r"(<!-- table: (?P<name>[^>]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def tables(app: FastAPI) -> dict[str, str]:
    """Return every table by name."""
    found = {"errors": errors_table(), "roles": roles_table()}
    for tag in sorted({tag for route in routes_of(app) for tag in route.tags}):
        found[f"routes of {tag}"] = routes_table(app, str(tag))
    return found


def written(page: str, app: FastAPI) -> str:
    """Return a page with its tables as the code has them.

    Raises
    ------
    KeyError
        If the page wants a table that there is not.
    """
    made = tables(app)
    return _BLOCK.sub(lambda found: f"{found[1]}\n{made[found['name']]}\n{found[3]}", page)


def routes_of(app: FastAPI) -> list[APIRoute]:
    """Return the routes of version 2, and those beside it."""
    every = [route for route in app.routes if isinstance(route, APIRoute)]
    return [
        route for route in every if route.path.startswith("/api/v2") or not route.path.startswith("/api/")
    ]


def routes_table(app: FastAPI, tag: str) -> str:
    """Return the routes of a resource, what they need and what they count as."""
    rows = ["| route | needs | counts as | what it does |", "|---|---|---|---|"]
    for route in routes_of(app):
        if tag in route.tags:
            need = route.need
            right = f"`{need.permission.value}`" if need.permission else "-"
            told = route.summary or (inspect.getdoc(route.endpoint) or "").partition("\n")[0].rstrip(".")
            for method in sorted(route.methods - {"HEAD"}):
                rows.append(f"| {method} `{route.path}` | {right} | {need.kind.value} | {told} |")
    return "\n".join(rows) + "\n"


def errors_table() -> str:
    """Return every code that an error's class gives."""
    rows = ["| `code` | status | when |", "|---|---|---|"]
    for kind, verdict in TABLE.items():
        if not issubclass(kind, QuantfluxError) or kind is QuantfluxError:
            continue
        told = (inspect.getdoc(kind) or "").partition("\n")[0].rstrip(".").replace("|", "\\|")
        rows.append(f"| `{verdict.code}` | {verdict.status} | {told} |")
    return "\n".join(rows) + "\n"


def roles_table() -> str:
    """Return which role has which permission."""
    rows = [
        f"| permission | {' | '.join(Role)} |",
        f"|---|{':-:|' * len(Role)}",
    ]
    for permission in Permission:
        star = " *" if permission in PRIVILEGED else ""
        has = ["x" if permission in ROLES[role] else "" for role in Role]
        rows.append(f"| `{permission.value}`{star} | {' | '.join(has)} |")
    return "\n".join(rows) + "\n"


def problem_codes() -> set[tuple[int, str]]:
    """Return (status, code) of every `Problem` that the API's source raises."""
    return {found for file in Path(quantflux.api.__path__[0]).rglob("*.py") for found in _problems(file)}


def _problems(file: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem":
            given = [part.value for part in node.args[:2] if isinstance(part, ast.Constant)]
            if len(given) == 2 and isinstance(given[0], int):
                yield given[0], str(given[1])


def main() -> None:
    """Write the tables of all pages again."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Platform.open(Settings.model_validate({"data_dir": folder})) as platform,
    ):
        app = create_app(platform)
        for page in PAGES:
            path = ROOT / page
            path.write_text(written(path.read_text("utf-8"), app), "utf-8")


if __name__ == "__main__":
    main()
