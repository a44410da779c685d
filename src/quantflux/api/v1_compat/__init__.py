"""The routes of the MySQL system that quantflux replaces, answering as they did, with right numbers.

Thin translations: v1's paths, parameters, defaults, envelopes, keys and orders over the services of quantflux.
`docs/v1-api.md` says what differs and why.
"""

from quantflux.api.v1_compat.routes import routers

__all__ = ["routers"]
