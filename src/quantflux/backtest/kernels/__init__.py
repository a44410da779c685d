"""The compiled loop over rows: `contract.py` says what it is given and keeps, `loop.py` what happens on a row."""

from pathlib import Path

from quantflux.expressions.kernels.cache import own_cache

with own_cache(Path(__file__).parent):
    from quantflux.backtest.kernels import loop, ranking

__all__ = ["loop", "ranking"]
