"""Whether imported rows can be trusted: rules, findings, quarantine.

`Checker` runs the `RULES` over batches; the findings go to the `Ledger`, the counts to a `QualityReport`.
"""

from quantflux.data.quality.audit import audit_dataset, stored_adjustment
from quantflux.data.quality.catalogue import EVERY_RULE, rule
from quantflux.data.quality.checker import FINDING_SCHEMA, Checked, Checker
from quantflux.data.quality.ex_dates import EX_DATE_RULES, judge_ex_dates
from quantflux.data.quality.ledger import Ledger, Provenance, Run
from quantflux.data.quality.quarantine import release_rows
from quantflux.data.quality.reconcile import RECONCILIATION, reconcile
from quantflux.data.quality.report import QualityReport, RuleCount
from quantflux.data.quality.rulebook import RULES
from quantflux.data.quality.rules import Adjustment, Context, Rule, Severity, latest_day

__all__ = [
    "EVERY_RULE",
    "EX_DATE_RULES",
    "FINDING_SCHEMA",
    "RECONCILIATION",
    "RULES",
    "Adjustment",
    "Checked",
    "Checker",
    "Context",
    "Ledger",
    "Provenance",
    "QualityReport",
    "Rule",
    "RuleCount",
    "Run",
    "Severity",
    "audit_dataset",
    "judge_ex_dates",
    "latest_day",
    "reconcile",
    "release_rows",
    "rule",
    "stored_adjustment",
]
