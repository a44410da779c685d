"""The fields that factors read: a catalogue of names, and the loading of them into one panel.

`catalogue.py` says what each field is; `loading.py` brings fields onto the days and symbols of the daily bars;
`statements.py` knows what was known of a company's reports on every day.
"""

from quantflux.factors.fields.availability import available_fields
from quantflux.factors.fields.catalogue import Field, catalogue, field_named
from quantflux.factors.fields.loading import FieldSet, load_fields
from quantflux.factors.fields.prices import StandIns

__all__ = ["Field", "FieldSet", "StandIns", "available_fields", "catalogue", "field_named", "load_fields"]
