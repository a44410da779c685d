"""Models that learn from factors: data sets, splits, estimators, registry, evaluation, monitoring."""
