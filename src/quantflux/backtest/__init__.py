"""Day-by-day simulation of a strategy and its report."""
