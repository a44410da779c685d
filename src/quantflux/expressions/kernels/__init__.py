"""Compiled kernels: what moves along each symbol's time, and what looks across a row of symbols."""

from quantflux.expressions.kernels.cache import use_own_cache

use_own_cache()
