"""A folder of its own for the demonstration, and a synthetic market in it."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from quantflux.cli.demo.stages import Stages
from quantflux.config import Settings
from quantflux.core.errors import InvalidRequest
from quantflux.data.access import DataAccessLayer
from quantflux.data.schema import CHIP, CORPORATE_ACTIONS, DAILY, DAILY_BASIC, INSTRUMENTS, MINUTE, MONEYFLOW
from quantflux.data.sources.synthetic import SyntheticMarket

LAST_DAY = date(2025, 12, 31)
"""Where synthetic markets end: fixed, so that the same seed always gives the same report."""

_MARK = "SYNTHETIC.json"


@dataclass(frozen=True, slots=True)
class MarketPlan:
    """What to generate.

    Attributes
    ----------
    symbols, years, seed : int
    minute_symbols, minute_days : int
        How many symbols get minute bars, on how many last days.
    """

    symbols: int = 500
    years: int = 6
    seed: int = 7
    minute_symbols: int = 20
    minute_days: int = 20

    @property
    def first_day(self) -> date:
        """The first of January, so many years back."""
        return date(LAST_DAY.year - self.years + 1, 1, 1)


def own_folder(settings: Settings, folder: Path) -> Settings:
    """Return settings that keep everything in `folder`, in the embedded store, away from any real data."""
    embedded = Settings()
    return settings.model_copy(
        update={
            "data_dir": folder,
            "store": embedded.store,
            "panels": embedded.panels,
            "factors": embedded.factors,
        }
    )


def prepare(folder: Path, plan: MarketPlan) -> None:
    """Make the folder empty and mark it as synthetic.

    Raises
    ------
    InvalidRequest
        If it holds anything that no demonstration put there.
    """
    mark = folder / _MARK
    if folder.exists() and not folder.is_dir():
        raise InvalidRequest(f"{folder} is a file; name a folder for the synthetic market with --data-dir")
    if folder.exists() and any(folder.iterdir()):
        if not mark.exists():
            raise InvalidRequest(
                f"{folder} holds data that the demonstration did not make; name another folder with "
                "--data-dir, "
                "or run on your own data with --data"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(json.dumps({"label": SyntheticMarket.label} | asdict(plan), indent=1), encoding="utf-8")


def is_synthetic(folder: Path) -> bool:
    """Whether a data folder was made by the demonstration."""
    return (folder / _MARK).exists()


def load(data: DataAccessLayer, plan: MarketPlan, stages: Stages) -> None:
    """Generate the market and write it through the data access layer, which also builds the panels."""
    market = SyntheticMarket(plan.seed, plan.symbols, plan.first_day, LAST_DAY)
    with stages.stage("Generate daily bars") as done:
        blocks = list(market.tables())
        instruments = market.instruments()
        done()
    with stages.stage("Store them, build panels", 2 * len(blocks) + 2) as done:
        for daily, basic in blocks:
            data.write(DAILY, daily)
            done()
            data.write(DAILY_BASIC, basic)
            done()
        data.write(INSTRUMENTS, instruments)
        done()
        data.write(CORPORATE_ACTIONS, market.corporate_actions())
        done()
    with stages.stage("Statements, money flow, costs") as done:
        for moneyflow, chip in market.flow_tables():
            data.write(MONEYFLOW, moneyflow)
            data.write(CHIP, chip)
        for block in market.statement_tables():
            for name, table in block.items():
                data.write(name, table)
        done()
    days = min(plan.minute_days, len(market.sessions))
    with stages.stage("Generate and store minutes", days) as done:
        parts = []
        for part in market.minute_tables(min(plan.minute_symbols, plan.symbols), days):
            parts.append(part)
            done()
        data.write(MINUTE, pa.concat_tables(parts))
