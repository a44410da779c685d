"""Compiled kernels: what moves along each symbol's time, and what looks across a row of symbols."""
