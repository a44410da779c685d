"""The cache of results: policies, backends, single flight."""
