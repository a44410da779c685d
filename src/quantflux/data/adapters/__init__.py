"""One folder per truth store. Adapters do not know each other."""
