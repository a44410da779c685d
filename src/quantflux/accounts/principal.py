"""Who asks: what a credential was found to stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from quantflux.accounts.permissions import ROLES, Permission, Role


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who was authenticated.

    Attributes
    ----------
    user_id : int
        0 for callers of v1's routes from a network that they are open to.
    name : str
    role : Role
    permissions : frozenset of Permission
        Those of the role; of an API key, what its scopes leave of them.
    via : {"token", "api_key", "network", "command"}
        How it was shown: an access token, an API key, the address alone, or the command line.
    session : str
        Of the token; empty otherwise.
    key : str
        Public part of the API key; empty otherwise.
    """

    user_id: int
    name: str
    role: Role
    permissions: frozenset[Permission]
    via: Literal["token", "api_key", "network", "command"]
    session: str = ""
    key: str = ""

    @property
    def owner(self) -> str:
        """How what belongs to somebody is marked, in limits, jobs and factors."""
        return f"user:{self.user_id}"


LOCAL = Principal(0, "command line", Role.ADMIN, ROLES[Role.ADMIN], "command")
"""Whoever may read the data folder may do everything: the command line."""
