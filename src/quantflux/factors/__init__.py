"""Factors and their evaluation."""
