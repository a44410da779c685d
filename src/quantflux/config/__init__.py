"""Typed settings and the manager that loads, checks and reloads them."""
