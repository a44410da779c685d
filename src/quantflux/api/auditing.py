"""What a route tells the audit log: who, from where, in which request."""

from __future__ import annotations

from fastapi import Request

from quantflux.accounts.audit import AuditEvent
from quantflux.accounts.principal import Principal
from quantflux.api.exchange import exchange_of
from quantflux.platform import Platform


def event(request: Request, caller: Principal, action: str, target: str, /, **details: object) -> AuditEvent:
    """Return the event of something that a caller does."""
    exchange = exchange_of(request.scope)
    return AuditEvent(action, "done", caller.name, exchange.address, exchange.request_id, target, details)


def record(
    request: Request,
    platform: Platform,
    caller: Principal,
    action: str,
    target: str,
    /,
    **details: object,
) -> None:
    """Write an event down before what it tells is done.

    For what has no transaction of its own to be part of, such as reading the log or emptying the cache.

    Raises
    ------
    StoreError
        If it cannot be written: the action must then not be done.
    """
    with platform.database.transaction() as connection:
        platform.audit.record(connection, event(request, caller, action, target, **details))
