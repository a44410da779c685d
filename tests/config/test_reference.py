"""The reference page is what the settings say."""

from __future__ import annotations

from pathlib import Path

from quantflux.config import catalogue
from quantflux.config.catalogue import sections
from quantflux.config.reference import EXAMPLE, reference

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_in_the_documentation_is_up_to_date():
    assert PAGE.read_text("utf-8") == reference(), (
        "write it again: quantflux config reference > docs/configuration.md"
    )


def test_every_setting_is_on_the_page():
    page = reference()

    for key, setting in catalogue().items():
        section, _, name = key.rpartition(".")
        heading = f"### `[{section}]`" if section else "### Top level"
        table = page.split(heading + "\n")[1].split("###")[0]
        assert f"| `{name}` |" in table
        assert setting.description in table


def test_every_row_has_four_cells():
    rows = [
        line for line in reference().splitlines() if line.startswith("| `") and "quantflux" not in line[:12]
    ]

    assert len(rows) == len(catalogue())
    assert {row.count("|") for row in rows} == {5}


def test_every_section_with_settings_is_described():
    page = reference()

    assert all(sections()[s] in page for s in {k.rpartition(".")[0] for k in catalogue()})


def test_the_example_is_valid_with_the_secret_it_asks_for(load_text):
    loaded = load_text(
        EXAMPLE, QUANTFLUX_STORE__INFLUXDB__TOKEN="k3vQz9tr81xx0P7m", QUANTFLUX_ENV="production"
    )

    assert loaded.settings.store.influxdb.bucket == "quantflux"
