"""Values of factors on disk, kept at the data's version by computing no more than what changed."""

from quantflux.factors.stored.appending import Hooks
from quantflux.factors.stored.decision import Course, Decision
from quantflux.factors.stored.folder import Meta
from quantflux.factors.stored.keeper import Update, ValueKeeper
from quantflux.factors.stored.segments import StoredValues

__all__ = ["Course", "Decision", "Hooks", "Meta", "StoredValues", "Update", "ValueKeeper"]
