"""Whether an InfluxDB may be trusted with data: nobody on a network may read or write it without credentials."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from quantflux.core import hosts


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, how to mend it, and whether the store refuses to work because of it."""

    problem: str
    remedy: str
    fatal: bool


def is_loopback(url: str) -> bool:
    """Whether a URL points to this machine only.

    Examples
    --------
    >>> is_loopback("http://127.0.0.1:8086"), is_loopback("http://influx.example:8086")
    (True, False)
    """
    return hosts.is_loopback(urlsplit(url).hostname or "")


def judge(
    *, loopback: bool, encrypted: bool, anonymous_query: bool, anonymous_metrics: bool
) -> list[Finding]:
    """Return what is wrong with a server that answers strangers like this."""
    findings: list[Finding] = []
    if anonymous_query:
        findings.append(
            Finding(
                "InfluxDB answers queries without credentials",
                "set [http] auth-enabled = true and create users (1.x), or start it with authentication (2.x, 3)",
                fatal=not loopback,
            )
        )
    if not loopback and not encrypted:
        findings.append(
            Finding(
                "credentials and data travel unencrypted", "use an https:// URL for InfluxDB", fatal=False
            )
        )
    if not loopback and anonymous_metrics:
        findings.append(
            Finding(
                "InfluxDB shows its internals at /debug/vars to everybody",
                "set [http] pprof-enabled = false and close the port to all but our hosts",
                fatal=False,
            )
        )
    return findings
