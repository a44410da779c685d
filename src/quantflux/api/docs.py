"""The API's own description: the OpenAPI document, and a page of it that loads nothing from anywhere."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Any

import orjson
from fastapi import Request, Response

from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.permissions import Permission
from quantflux.api.access import Need, Services, admit, public
from quantflux.api.errors import Problem
from quantflux.api.routing import Router
from quantflux.platform import Platform

router = Router(prefix="", tags=["documentation"])

_SIGNED_IN = Need(Permission.DATA_READ, RouteKind.READ)  # which every role has
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#222;background:#fff}
h2{border-bottom:1px solid #ccc;margin-top:2.5rem}summary{cursor:pointer;padding:.25rem 0}
code{font:13px/1.5 ui-monospace,monospace}.m{display:inline-block;width:4.5rem;font-weight:600}
table{border-collapse:collapse;margin:.5rem 0 1rem}td,th{border:1px solid #ddd;padding:.2rem .5rem;text-align:left}
@media(prefers-color-scheme:dark){body{background:#16181c;color:#ddd}td,th{border-color:#444}}
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@router.get("/openapi.json", dependencies=[public()], include_in_schema=False)
async def document(request: Request, services: Services) -> Response:
    """Return the OpenAPI document."""
    await _guard(request, services)
    return Response(orjson.dumps(request.app.openapi()), media_type="application/json")


@router.get("/docs", dependencies=[public()], include_in_schema=False)
async def page(request: Request, services: Services) -> Response:
    """Return the page."""
    await _guard(request, services)
    html = _page(request.app.openapi())
    return Response(html, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": _POLICY})


async def _guard(request: Request, platform: Platform) -> None:
    wanted = platform.settings.server.docs
    if wanted == "off":
        raise Problem(404, "no_such_path", "No such path.")
    if wanted == "signed-in":
        await admit(request.scope, _SIGNED_IN)


def _page(openapi: dict[str, Any]) -> str:
    by_tag: dict[str, list[str]] = {}
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            by_tag.setdefault(operation["tags"][0], []).append(_operation(method, path, operation))
    parts = [f"<h2>{escape(tag)}</h2>{''.join(shown)}" for tag, shown in by_tag.items()]
    info = openapi["info"]
    told = "".join(f"<p>{escape(part)}</p>" for part in info["description"].strip().split("\n\n"))
    title = escape(f"{info['title']} {info['version']}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"</head><body><h1>{title}</h1>{told}<p>For programs: <code>/openapi.json</code></p>{''.join(parts)}"
        "</body></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    head = f'<span class="m">{method.upper()}</span><code>{escape(path)}</code> {escape(operation.get("summary", ""))}'
    rows = [
        f"<tr><td><code>{escape(each['name'])}</code></td><td>{escape(each['in'])}</td>"
        f"<td>{'required' if each.get('required') else ''}</td><td>{escape(each.get('description', ''))}</td></tr>"
        for each in operation.get("parameters", ())
    ]
    table = f"<table>{''.join(rows)}</table>" if rows else ""
    answers = "".join(
        f"<tr><td>{escape(status)}</td><td>{escape(answer.get('description', ''))}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    told = escape(operation.get("description", ""))
    return f"<details><summary>{head}</summary><p>{told}</p>{table}<table>{answers}</table></details>"
