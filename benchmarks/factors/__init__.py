"""The factor engine beside its rivals on the same arrays. `python -m benchmarks.factors --help`."""
