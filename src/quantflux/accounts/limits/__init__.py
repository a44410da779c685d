"""How often one may ask, how much work one may start, and where a request comes from."""
