"""Values of factors on disk, kept at the data's version by computing no more than what changed."""

from quantflux.factors.stored.decision import Course, Decision
from quantflux.factors.stored.keeper import ValueKeeper

__all__ = ["Course", "Decision", "ValueKeeper"]
