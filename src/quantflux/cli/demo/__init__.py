"""`quantflux demo`: the main job from end to end.

1. `loading.py` makes a synthetic market and writes it through the data access layer, or looks at what is there;
2. `flow.py` reads panels back, computes factors, evaluates them, runs the backtest; `proposing.py` finds a portfolio
   for the last day;
3. `summary.py` and `portfolio_summary.py` say what came of it on the terminal, `report/` as one HTML file.
"""

from quantflux.cli.demo.command import demo

__all__ = ["demo"]
