"""quantflux: a quantitative analysis platform for equities, A-shares first."""

__version__ = "0.1.0"
