"""Backtests side by side: quantflux, vectorbt, backtrader, bt and Qlib on the same prices and the same targets."""
