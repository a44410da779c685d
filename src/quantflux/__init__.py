"""quantflux: a quantitative analysis platform for equities, A-shares first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quantflux.client.client import Client

__version__ = "0.1.0"

__all__ = ["Client", "__version__"]


def __getattr__(name: str) -> type[Client]:
    # When it is first used: importing the package must cost nothing to programs that need no client.
    if name != "Client":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from quantflux.client.client import Client  # noqa: PLC0415

    return Client


def __dir__() -> list[str]:
    return sorted([*globals(), "Client"])
