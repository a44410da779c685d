"""The catalogue names every number of the daily datasets, with the schema's units."""

from __future__ import annotations

import pyarrow as pa
import pytest

from quantflux.core.errors import NotFound
from quantflux.data.access import DataAccessLayer
from quantflux.data.schema import CHIP, DAILY, DAILY_BASIC, INSTRUMENTS, MONEYFLOW, Dataset, FieldType
from quantflux.factors.fields import available_fields, catalogue, field_named
from tests.factors.fields.conftest import CLOCK, stored


@pytest.mark.parametrize("source", [DAILY, DAILY_BASIC, MONEYFLOW, CHIP], ids=lambda d: d.name)
def test_every_number_of_the_daily_datasets_is_a_field(source: Dataset) -> None:
    elsewhere = {"close"} if source is DAILY_BASIC else set()  # the close of the bars is the one
    numbers = [f for f in source.fields if f.type in (FieldType.FLOAT, FieldType.INTEGER)]

    for column in numbers:
        if column.name not in elsewhere:
            field = field_named(column.name)
            assert field.source.dataset is source
            assert field.source.columns[0] == column.name
            assert field.unit == column.unit


def test_fields_read_columns_that_there_are() -> None:
    for field in catalogue().values():
        assert set(field.source.columns) <= set(field.source.dataset.by_name), field.name
        assert field.name.isidentifier() and field.name.islower()
        assert field.meaning and str(field.source).startswith(field.source.dataset.name)


def test_an_unknown_name_is_answered_with_similar_ones() -> None:
    with pytest.raises(NotFound, match=r"'clsoe'; similar: close"):
        field_named("clsoe")
    with pytest.raises(NotFound, match=r"'§'; there are: open, raw_open"):
        field_named("§")


def test_available_are_the_fields_with_values(data: DataAccessLayer) -> None:
    found = [field.name for field in available_fields(data)]

    assert [name for name in catalogue() if name not in found] == ["volume_ratio", "dv_ratio", "dv_ttm"]


def test_without_bars_nothing_is_available_and_without_the_rest_the_bars_are(
    tables: dict[Dataset, pa.Table],
) -> None:
    bars = tables[DAILY]
    bare = bars.drop_columns(["amount", "adj_factor"])

    def names(**rows: pa.Table) -> list[str]:
        layer = DataAccessLayer(stored({s: rows[s.name] for s in tables if s.name in rows}), clock=CLOCK)
        return [field.name for field in available_fields(layer)]

    nameless = tables[INSTRUMENTS].set_column(
        tables[INSTRUMENTS].schema.get_field_index("industry"),
        "industry",
        pa.nulls(tables[INSTRUMENTS].num_rows, pa.string()),
    )
    prices = ["open", "raw_open", "high", "raw_high", "low", "raw_low", "close", "raw_close"]
    assert names(instruments=tables[INSTRUMENTS]) == []
    assert names(stock_daily_data=bars) == [*prices, "volume", "amount", "vwap", "adj_factor"]
    assert "industry" in names(stock_daily_data=bars, instruments=tables[INSTRUMENTS])
    assert "industry" not in names(stock_daily_data=bars, instruments=nameless)
    assert names(stock_daily_data=bare) == [*prices, "volume", "vwap", "adj_factor"]
