"""The panel tier: memory-mapped field panels, one set per dataset version."""
