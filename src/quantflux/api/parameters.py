"""Reads all parameters of a request with one validator, where FastAPI takes each by itself.

FastAPI's way costs as much as all the rest of a small answer. What a parameter may be, how a mistake is told and what
OpenAPI says of it stay as FastAPI has them: the validators are made from the same declarations.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any, get_type_hints

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from pydantic_core import CoreSchema, SchemaValidator, core_schema

from quantflux.api.access import Need, platform_of
from quantflux.api.exchange import exchange_of

QUERY = "quantflux.query"
"""Key of a scope under which the query stands by name, once it was looked through; absent if there is none."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_Given = Callable[[Request], Any]


class ParametersAtOnce(APIRoute):
    """A route whose parameters are read at once, if it has no more than parameters, the caller and the services.

    And if it is a coroutine that returns a `Response`; others are left to FastAPI.
    """

    def get_route_handler(self) -> Handler:
        """Return what answers a request."""
        given = _given(self.dependant)
        if given is None or self.body_field is not None or not _answers_itself(self.endpoint):
            return super().get_route_handler()
        endpoint, validate, renamed = self.endpoint, _validator(self.dependant), _renamed(self.dependant)

        async def handle(request: Request) -> Response:
            scope = request.scope
            try:
                found = validate({"path": scope["path_params"], "query": scope.get(QUERY, {})})
            except ValidationError as exc:
                raise RequestValidationError(exc.errors(include_url=False)) from None
            values: dict[str, Any] = found["path"] | found["query"]
            for alias, name in renamed:
                if alias in values:
                    values[name] = values.pop(alias)
            for name, what in given:
                values[name] = what(request)
            answer: Response = await endpoint(**values)
            return answer

        return handle


def _answers_itself(endpoint: Callable[..., Any]) -> bool:
    returned = get_type_hints(endpoint).get("return")
    return (
        inspect.iscoroutinefunction(endpoint)
        and isinstance(returned, type)
        and issubclass(returned, Response)
    )


def _given(dependant: Dependant) -> list[tuple[str, _Given]] | None:
    """Return what an endpoint is given beside its parameters; None if that is more than is known here."""
    unknown = (
        dependant.header_params,
        dependant.cookie_params,
        dependant.response_param_name,
        dependant.background_tasks_param_name,
        dependant.security_scopes_param_name,
        dependant.http_connection_param_name,
    )
    if any(unknown):
        return None
    found: list[tuple[str, _Given]] = []
    if dependant.request_param_name:
        found.append((dependant.request_param_name, lambda request: request))
    for part in dependant.dependencies:
        if part.name is None or part.dependencies:
            return None
        if isinstance(part.call, Need):
            found.append((part.name, lambda request: exchange_of(request.scope).principal))
        elif part.call is platform_of:
            found.append((part.name, lambda request: request.scope["app"].state.platform))
        else:
            return None
    return found


def _validator(dependant: Dependant) -> Callable[[Any], Any]:
    places = {"path": dependant.path_params, "query": dependant.query_params}
    fields = {place: core_schema.typed_dict_field(_mapping(params)) for place, params in places.items()}
    return SchemaValidator(core_schema.typed_dict_schema(fields)).validate_python


def _mapping(params: Sequence[Any]) -> CoreSchema:
    """Return what values by name must be."""
    fields: dict[str, core_schema.TypedDictField] = {}
    for param in params:
        info = param.field_info
        declared: Any = Annotated[info.annotation, info]
        schema = TypeAdapter(declared).core_schema
        fields[param.alias] = core_schema.typed_dict_field(schema, required=info.is_required())
    return core_schema.typed_dict_schema(fields)


def _renamed(dependant: Dependant) -> list[tuple[str, str]]:
    params = (*dependant.path_params, *dependant.query_params)
    return [(param.alias, param.name) for param in params if param.alias != param.name]
