"""The router that every resource uses: routes that cannot forget who may call them, nor take what they do not know."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response, params
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.types import Scope

from quantflux.api.access import Need, admit, declared, note_refusal
from quantflux.api.bodies import StrictRequest
from quantflux.api.errors import Problem
from quantflux.api.exchange import exchange_of
from quantflux.api.idempotency import once, repeatable
from quantflux.api.parameters import QUERY, ParametersAtOnce
from quantflux.core.errors import Forbidden, LimitReached

_ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"description": "Nobody is logged in."},
    403: {"description": "The permission is missing."},
    422: {"description": "A parameter or the body is not acceptable."},
    429: {"description": "Too many requests; see Retry-After."},
}
_NO_SUCH_THING: dict[int | str, str] = {404: "There is no such thing, or it is not for the caller to see."}
_OF_BODIES: dict[int | str, str] = {
    400: "The body is not JSON, or holds what JSON may not hold here.",
    413: "The body is too large.",
    415: "The body is not of the type that is read here.",
}
_OF_REPEATS: dict[int | str, str] = {409: "The request with this Idempotency-Key is being worked on."}


class Route(ParametersAtOnce):
    """A route that lets a request in before it reads its parameters or body.

    The order is: who asks and whether they may, how often, which query parameters, which content type, and only then
    the body. A route without `needs` or `public` cannot be made.
    """

    need: Need

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        responses = {k: {"description": v["description"]} for k, v in _ERRORS.items()}
        options["responses"] = responses | (options.get("responses") or {})
        super().__init__(path, endpoint, **options)
        if self.param_convertors:
            self._may_answer(_NO_SUCH_THING)
        if self.body_field is not None:
            self._may_answer(_OF_BODIES)
        if repeatable(self.dependant):
            self._may_answer(_OF_REPEATS)

    def _may_answer(self, statuses: Mapping[int | str, str]) -> None:
        for status, said in statuses.items():
            self.responses.setdefault(status, {"description": said})

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        need = declared(self.dependant)
        if need is None:
            raise TypeError(f"{self.path} does not say who may call it: needs(permission) or public()")
        self.need = need
        run = super().get_route_handler()
        known = _query_names(self.dependant)
        expected = _expected_type(self)
        template = self.path_format
        repeats = repeatable(self.dependant)

        async def handle(request: Request) -> Response:
            scope = request.scope
            exchange = exchange_of(scope)
            exchange.route = template
            try:
                await admit(scope, need)
                if scope["query_string"]:
                    scope[QUERY] = _checked_query(scope["query_string"], known)
                if expected:
                    _check_content_type(scope, expected)
                    if expected != "application/json":
                        exchange.max_body = scope["app"].state.platform.settings.server.max_upload_bytes
                    request = StrictRequest(scope, request.receive)
                if repeats:
                    return await once(request, template, run)
                return await run(request)
            except (Forbidden, LimitReached) as refusal:
                note_refusal(scope, refusal)
                raise

        return handle


class Router(APIRouter):
    """A router of such routes; `prefix` is the whole path up to the resource.

    Examples
    --------
    >>> router = Router(prefix="/api/v2/jobs", tags=["jobs"])
    """

    def __init__(self, *, prefix: str, tags: list[str]) -> None:
        super().__init__(prefix=prefix, tags=list(tags), route_class=Route, redirect_slashes=False)


def _query_names(dependant: Dependant) -> frozenset[str]:
    names = {field.alias for field in dependant.query_params}
    for field in dependant.query_params:
        model: Any = field.field_info.annotation
        if hasattr(model, "model_fields"):  # a model whose fields are the parameters
            names |= {info.alias or name for name, info in model.model_fields.items()}
    return frozenset(names.union(*(_query_names(part) for part in dependant.dependencies)))


def _checked_query(raw: bytes, known: frozenset[str]) -> dict[str, str]:
    """Return the values of a query by name."""
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise Problem(
            400, "invalid_query", "The query is not valid: percent-encoded UTF-8, at most 100 parts."
        ) from None
    values: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            valid = ", ".join(sorted(known)) or "none"
            raise Problem(
                422, "unknown_parameter", f"No query parameter is called {name[:64]!r}; known: {valid}."
            )
        if name in values:
            raise Problem(422, "repeated_parameter", f"The query parameter {name!r} stands more than once.")
        if "\0" in value:
            raise Problem(422, "invalid_request", f"The query parameter {name!r} holds the character NUL.")
        values[name] = value
    return values


def _expected_type(route: APIRoute) -> str:
    if route.body_field is None:
        return ""
    info = route.body_field.field_info
    if isinstance(info, params.File):
        return "multipart/form-data"
    if isinstance(info, params.Form):
        return "application/x-www-form-urlencoded"
    return str(getattr(info, "media_type", "application/json"))


def _check_content_type(scope: Scope, expected: str) -> None:
    found = [value for name, value in scope["headers"] if name == b"content-type"]
    if not found and not any(
        name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"]
    ):
        return  # no body at all: whether that is acceptable is for the model to say
    given = found[0].decode("latin-1") if len(found) == 1 else ""
    kind, _, rest = given.partition(";")
    charset = rest.strip().lower().removeprefix("charset=").strip('"')
    wrong_charset = expected == "application/json" and charset not in ("", "utf-8")
    if kind.strip().lower() != expected or wrong_charset:
        raise Problem(415, "unsupported_media_type", f"The body must be {expected} in UTF-8.")
