"""`quantflux demo`: the main job from end to end.

1. `loading.py` makes a synthetic market and writes it through the data access layer, or looks at what is there;
2. `flow.py` reads panels back, computes factors, evaluates them, runs the backtest;
3. `summary.py` says what came of it on the terminal, `report/` as one HTML file.
"""

from quantflux.cli.demo.command import demo

__all__ = ["demo"]
