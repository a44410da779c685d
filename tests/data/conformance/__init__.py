"""One suite for every truth store. `stores.py` says how a store joins it."""
