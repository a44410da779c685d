"""Portfolios: what may be held, at what risk and cost, and how to come to weights and orders."""
