"""Qlib's backtest: a weight strategy on its exchange, without costs, limits and lots, on files of its own format."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import qlib
from qlib.backtest import backtest as run
from qlib.backtest.executor import SimulatorExecutor
from qlib.contrib.strategy.order_generator import OrderGenWInteract
from qlib.contrib.strategy.signal_strategy import WeightStrategyBase

from benchmarks.backtest.rivals.running import main
from benchmarks.backtest.rivals.scene import CAPITAL, CASH, Scene


def code_of(column: int) -> str:
    """Return the name of a column in Qlib's spelling."""
    return f"SH{600000 + column}"


class Follow(WeightStrategyBase):
    """Holds what the signal chose at the last close."""

    def __init__(self, signal: pd.DataFrame) -> None:
        super().__init__(order_generator_cls_or_obj=OrderGenWInteract, signal=signal, risk_degree=1 - CASH)

    def generate_target_weight_position(
        self, score: pd.DataFrame, current: object, trade_start_time: object, trade_end_time: object
    ) -> dict[str, float]:
        """Return equal weights."""
        return dict.fromkeys(score.index, 1 / len(score))


def dump(scene: Scene, folder: Path) -> None:
    """Write prices as Qlib's `dump_bin.py` does: 4-byte floats behind the number of the first day."""
    days = [str(day) for day in scene.days]
    for name in ("calendars", "instruments"):
        (folder / name).mkdir(parents=True)
    calendar = [*days, str(scene.days[-1] + 1)]  # its loop looks one day ahead
    (folder / "calendars" / "day.txt").write_text("\n".join(calendar) + "\n", encoding="utf-8")
    lines = []
    for column in range(scene.prices.shape[1]):
        lines.append(f"{code_of(column)}\t{days[0]}\t{days[-1]}")
        target = folder / "features" / code_of(column).lower()
        target.mkdir(parents=True)
        price = scene.prices[:, column]
        change = np.append(0.0, price[1:] / price[:-1] - 1)
        fields = {
            "close": price,
            "volume": np.full(len(price), 1e12),
            "factor": np.ones(len(price)),
            "change": change,
        }
        for name, values in fields.items():
            np.append(0.0, values).astype("<f4").tofile(target / f"{name}.day.bin")
    (folder / "instruments" / "all.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def prepare(scene: Scene, files: Path) -> Callable[[], np.ndarray]:
    """Return the backtest over data that Qlib has read into its cache."""
    folder = files / "data"
    shutil.rmtree(folder, ignore_errors=True)
    dump(scene, folder)
    qlib.init(provider_uri=str(folder), region="cn", logging_level=40, kernels=1)
    rows = np.arange(scene.first, len(scene.days))
    index = pd.MultiIndex.from_arrays(
        [
            np.repeat(scene.days[rows], scene.chosen.shape[1]),
            [code_of(column) for column in scene.chosen[rows].ravel()],
        ],
        names=["datetime", "instrument"],
    )
    signal = pd.DataFrame({"score": 1.0}, index=index)
    flat = pd.Series(0.0, index=pd.DatetimeIndex(scene.days))  # without a benchmark it asks for the CSI 300
    exchange = {
        "freq": "day", "deal_price": "$close", "open_cost": 0.0, "close_cost": 0.0, "min_cost": 0.0,
        "limit_threshold": 1e6, "trade_unit": None, "codes": [code_of(c) for c in range(scene.prices.shape[1])],
    }  # fmt: skip

    def backtest() -> np.ndarray:
        reports, _ = run(
            start_time=str(scene.days[scene.first + 1]),
            end_time=str(scene.days[-1]),
            strategy=Follow(signal),
            executor=SimulatorExecutor(time_per_step="day", generate_portfolio_metrics=True),
            account=CAPITAL,
            benchmark=flat,
            exchange_kwargs=exchange,
        )
        report, _ = reports["1day"]
        return report["account"].to_numpy()

    return backtest


if __name__ == "__main__":
    main(f"Qlib {qlib.__version__}", prepare)
