"""The panel tier: numeric fields of the panel datasets as memory-mapped arrays, beside the truth store."""

from quantflux.data.panels.layout import Layout, NotExactError, day_from, day_number
from quantflux.data.panels.snapshot import Block, Snapshot, block_of
from quantflux.data.panels.tier import DatasetPanels, PanelTier

__all__ = [
    "Block",
    "DatasetPanels",
    "Layout",
    "NotExactError",
    "PanelTier",
    "Snapshot",
    "block_of",
    "day_from",
    "day_number",
]
