"""A seeded synthetic A-share market for demonstrations, tests and benchmarks. Nothing in it is real.

How it is made, step by step:

1. `universe.py` draws companies: board, code, industry, shares, listing and delisting, ST spells.
2. `drivers.py` draws what moves all of them: market, industries, styles, a common volatility state.
3. `paths.py` walks the sessions once per block of companies: fair value moves by drivers, planted alphas and
   noise; the traded close follows it inside the day's price limit; dividends and splits step the raw price.
4. `bars.py` dresses each close with open, high, low, volume, amount and valuation.
5. `minutes.py` splits a daily bar into 240 minute bars that add up to it exactly.
6. `actions.py` lists the dividends and splits of companies while they are listed.
7. `flows.py` splits a day's trades by size of order, and follows what holders paid for their shares.
8. `statements.py` draws quarterly reports around the book values, with their announcements and corrections.

`market.py` puts these behind one class, `SyntheticMarket`.
"""

from quantflux.data.sources.synthetic.drivers import PLANTED, PlantedAlpha
from quantflux.data.sources.synthetic.market import SyntheticMarket

__all__ = ["PLANTED", "PlantedAlpha", "SyntheticMarket"]
