"""The HTTP API under load: a real server and a real load generator on the same cores. `--help` says more."""
