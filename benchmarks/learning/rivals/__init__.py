"""Drivers that run in the rivals' own environment: they import NumPy, the rival and each other, nothing of ours."""
