"""Speed, memory and disk, measured side by side with the rival in the same run. `python -m benchmarks --help`."""
