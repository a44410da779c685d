"""Whether imported rows can be trusted: rules, findings, quarantine."""
