"""The audit log: who did what, when, from where, and how it ended; nobody can change it unseen."""

from quantflux.accounts.audit.events import (
    ACCESS,
    EXPORT,
    LIMIT,
    LOG_IN,
    AuditEntry,
    AuditEvent,
    Outcome,
    Verification,
)
from quantflux.accounts.audit.log import AuditLog
from quantflux.accounts.audit.unusual import UnusualAccess

__all__ = [
    "ACCESS",
    "EXPORT",
    "LIMIT",
    "LOG_IN",
    "AuditEntry",
    "AuditEvent",
    "AuditLog",
    "Outcome",
    "UnusualAccess",
    "Verification",
]
