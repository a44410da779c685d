"""Every rule by its id."""

from __future__ import annotations

from quantflux.core.errors import InvalidRequest
from quantflux.data.quality.ex_dates import EX_DATE_RULES
from quantflux.data.quality.reconcile import RECONCILIATION
from quantflux.data.quality.rulebook import RULES
from quantflux.data.quality.rules import Rule

EVERY_RULE: tuple[Rule, ...] = (*RULES, *RECONCILIATION, *EX_DATE_RULES)
"""In the order in which they run."""


def rule(rule_id: str) -> Rule:
    """Return a rule by its id.

    Raises
    ------
    InvalidRequest
        If there is none; the message lists the ids.

    Examples
    --------
    >>> rule("ohlc_order").severity
    <Severity.QUARANTINE: 'quarantine'>
    """
    by_id = {r.id: r for r in EVERY_RULE}
    if rule_id not in by_id:
        raise InvalidRequest(f"no quality rule is called {rule_id!r}; there are: {', '.join(by_id)}")
    return by_id[rule_id]
