"""What one may do, and which role may do it: the one table that everything asks."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Permission(StrEnum):
    """One thing that a caller may be allowed."""

    MARKET_READ = "market:read"
    """Bars, panels, aggregates, instruments, the calendar."""

    MARKET_EXPORT = "market:export"
    """Answers of more rows than one page."""

    DATA_READ = "data:read"
    """Versions, coverage and quality of what is stored."""

    FACTORS_READ = "factors:read"
    FACTORS_COMPUTE = "factors:compute"
    FACTORS_WRITE = "factors:write"
    MODELS_READ = "models:read"
    MODELS_TRAIN = "models:train"
    MODELS_PROMOTE = "models:promote"
    SCORES_READ = "scores:read"
    PORTFOLIOS_OPTIMISE = "portfolios:optimise"
    PORTFOLIOS_REBALANCE = "portfolios:rebalance"
    BACKTESTS_RUN = "backtests:run"
    JOBS_OWN = "jobs:own"
    """See and stop one's own jobs."""

    JOBS_ALL = "jobs:all"
    ACCOUNT_OWN = "account:own"
    """One's own sessions, keys, password and second factor."""

    USERS_MANAGE = "users:manage"
    AUDIT_READ = "audit:read"
    SYSTEM_READ = "system:read"
    """Health, configuration without secrets, metrics, statistics of the cache."""

    SYSTEM_MANAGE = "system:manage"
    """Reload the configuration, empty the cache, warm it."""


class Role(StrEnum):
    """What a user is."""

    VIEWER = "viewer"
    RESEARCHER = "researcher"
    TRADER = "trader"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    ADMIN = "admin"


_P = Permission
_READS = {
    _P.MARKET_READ,
    _P.DATA_READ,
    _P.FACTORS_READ,
    _P.MODELS_READ,
    _P.SCORES_READ,
    _P.JOBS_OWN,
    _P.ACCOUNT_OWN,
}
_RESEARCHES = _READS | {
    _P.MARKET_EXPORT,
    _P.FACTORS_COMPUTE,
    _P.FACTORS_WRITE,
    _P.MODELS_TRAIN,
    _P.PORTFOLIOS_OPTIMISE,
    _P.BACKTESTS_RUN,
}
_TRADES = _READS | {_P.FACTORS_COMPUTE, _P.PORTFOLIOS_OPTIMISE, _P.PORTFOLIOS_REBALANCE, _P.BACKTESTS_RUN}
_OPERATES = _READS | {_P.MARKET_EXPORT, _P.MODELS_PROMOTE, _P.JOBS_ALL, _P.SYSTEM_READ, _P.SYSTEM_MANAGE}
_AUDITS = {_P.AUDIT_READ, _P.SYSTEM_READ, _P.DATA_READ, _P.ACCOUNT_OWN}

ROLES: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.VIEWER: frozenset(_READS),
        Role.RESEARCHER: frozenset(_RESEARCHES),
        Role.TRADER: frozenset(_TRADES),
        Role.OPERATOR: frozenset(_OPERATES),
        Role.AUDITOR: frozenset(_AUDITS),
        Role.ADMIN: frozenset(Permission),
    }
)
"""The permissions of each role. Reading what was done is the auditor's and the administrator's alone."""

PRIVILEGED = frozenset({_P.USERS_MANAGE, _P.AUDIT_READ, _P.SYSTEM_MANAGE, _P.MODELS_PROMOTE})
"""What is audited before it is done: without a record of it, it is refused."""
