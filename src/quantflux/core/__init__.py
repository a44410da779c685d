"""Errors, calendar, symbols, instruments, units, clock and Panel. Imports nothing of ours."""
