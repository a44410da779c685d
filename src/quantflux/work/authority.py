"""Whether whoever asked for a job still may: asked when it runs, which can be long after it was asked for."""

from __future__ import annotations

from collections.abc import Callable

from quantflux.accounts.permissions import ROLES, Permission, Role
from quantflux.accounts.principal import Principal
from quantflux.core.errors import NotAuthenticated
from quantflux.jobs import Job
from quantflux.platform import Platform

_OF_A_NETWORK = ROLES[Role.VIEWER] | ROLES[Role.RESEARCHER]


def still_may(platform: Platform) -> Callable[[Job, str], bool]:
    """Return what tells a runner whether a job's owner has a permission at this moment.

    A user has those of the present role, none if disabled; if the job was asked for with an API key, none once the key
    is revoked or past its end. That the session ended in which it was asked for does not matter: nobody stays logged
    in for the hours that some work takes. Nobody's jobs, which come from a network that version 1's routes are open
    to, may do what those routes may, as long as there is one.
    """

    def asked(job: Job, permission: str) -> bool:
        wanted = Permission(permission)
        if job.user_id == 0:
            return bool(platform.settings.v1.open_to) and wanted in _OF_A_NETWORK
        then = Principal(
            job.user_id,
            job.owner,
            Role.VIEWER,
            frozenset({wanted}),
            "api_key" if job.api_key else "token",
            key=job.api_key,
        )
        try:
            return wanted in platform.accounts.reauthenticate(then).permissions
        except NotAuthenticated:
            return False

    return asked
