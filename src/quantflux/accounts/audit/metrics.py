"""What is measured about notes of the audit log."""

from __future__ import annotations

from prometheus_client import Counter

from quantflux.observability.metrics import registry

_notes = Counter(
    "quantflux_audit_notes_total",
    "Events that change nothing, written to the audit log or lost for want of room or of a database.",
    ("end",),
    registry=registry,
)
notes_written = _notes.labels("written")
notes_lost = _notes.labels("lost")
