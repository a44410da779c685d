"""Alpha158 and LightGBM in a walk-forward, beside Qlib's own workflow. `python -m benchmarks.learning --help`."""
