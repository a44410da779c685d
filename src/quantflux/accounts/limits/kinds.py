"""The kinds of requests that are counted apart."""

from __future__ import annotations

from enum import StrEnum


class RouteKind(StrEnum):
    """What a route costs and risks."""

    READ = "read"
    WORK = "work"
    WRITE = "write"
    LOGIN = "login"
