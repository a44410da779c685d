"""The job ledger, and what runs jobs in this process."""
