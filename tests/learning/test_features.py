"""What a model sees: names and their meaning, steps across the day against pandas, values from storage."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import InvalidRequest, NotFound
from quantflux.core.panel import Panel
from quantflux.data.schema import DAILY
from quantflux.expressions.evaluate import evaluate
from quantflux.expressions.labels import Lead
from quantflux.expressions.nodes import Field, Node
from quantflux.expressions.text import parse, to_text
from quantflux.factors.fields import catalogue
from quantflux.factors.registry import FactorRegistry
from quantflux.learning import features as features_module
from quantflux.learning.features import StoredFeatures, feature_expressions
from quantflux.learning.specification import FeatureSpec
from tests.factors.stored.markets import LATER, NAMES, Market, bars

CLOCK = FixedClock(datetime(2041, 1, 1, tzinfo=UTC))


@pytest.fixture
def registry() -> FactorRegistry:
    made = FactorRegistry(None, CLOCK)
    made.define("fall", "1 - close / delay(close, 1)")
    return made


# Names


def test_libraries_factors_fields_and_expressions_keep_their_order_and_names(
    registry: FactorRegistry,
) -> None:
    spec = FeatureSpec(names=("user.fall", "volume/ts_mean(volume,5)", "classic", "alpha158.KMID", "amount"))

    found = feature_expressions(registry, spec)

    library = [factor.id for factor in registry.library("classic")]
    assert list(found) == ["fall", "volume / ts_mean(volume, 5)", *library, "KMID", "amount"]
    assert found["fall"] is parse("mask(1 - close / delay(close, 1), close)")
    assert found["KMID"] is parse(f"mask({registry.get('KMID').expression}, close)")


def test_the_text_of_a_feature_reads_back_as_the_same_expression(registry: FactorRegistry) -> None:
    steps = ("winsorise", "standardise", "neutralise:industry", "neutralise:size", "rank")

    found = feature_expressions(registry, FeatureSpec(names=("alpha158", "alpha101"), daily=steps))

    assert len(found) == 259
    assert all(parse(to_text(node), fields=catalogue()) is node for node in found.values())


def test_what_is_named_twice_is_one_feature(registry: FactorRegistry) -> None:
    names = ("classic", f"classic.{registry.library('classic')[0].id}", "close/open", "close / open")

    found = feature_expressions(registry, FeatureSpec(names=names))

    assert len(found) == len(registry.library("classic")) + 1


def test_libraries_leave_out_what_the_data_do_not_allow(registry: FactorRegistry) -> None:
    first, second, *others = (factor.id for factor in registry.library("classic"))

    found = feature_expressions(registry, FeatureSpec(names=("classic", first)), {first, second})

    assert set(found) == {first, *others}  # the first is wanted by its own name
    with pytest.raises(NotFound, match="nothing is left of user that the data allow"):
        feature_expressions(registry, FeatureSpec(names=("user",)), {"fall"})


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("classic.nothing", NotFound, "features.names: no factor is called"),
        ("unheard_of", NotFound, "features.names: no factor is called"),
        ("close / (open +", InvalidRequest, "features.names: an operand is missing"),
        ("1 + 2", InvalidRequest, "reads no field"),
        ("lead(close, 5) / close - 1", InvalidRequest, "features.names: looks 5 rows ahead"),
    ],
)
def test_names_that_are_refused(
    registry: FactorRegistry, name: str, error: type[Exception], says: str
) -> None:
    spec = FeatureSpec.model_construct(names=(name,), daily=())  # as if nobody had looked at it yet

    with pytest.raises(error, match=says):
        feature_expressions(registry, spec)


@pytest.mark.parametrize(
    ("meant", "says"),
    [
        ([("ahead", Lead(Field("close"), 2) / Field("close"))], "ahead looks 2 rows ahead"),
        ([("same", Field("close")), ("same", Field("open"))], "two features would be called same"),
    ],
)
def test_what_libraries_must_not_hold_is_refused(
    registry: FactorRegistry, meant: list[tuple[str, Node]], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features_module, "_meant", lambda *_: iter(meant))

    with pytest.raises(InvalidRequest, match=says):
        feature_expressions(registry, FeatureSpec(names=("user",)))


# Steps across the day


def day_panel() -> Panel:
    """A few days of names, of which some did not trade, and some have no industry or size."""
    rng = np.random.default_rng(3)
    shape = (6, 40)
    fields = {
        "volume": np.exp(rng.normal(10, 1, shape)),
        "close": rng.uniform(5, 50, shape),
        "industry": rng.integers(0, 4, shape).astype(float),
        "cap": np.exp(rng.normal(22, 1, shape)),
    }
    fields["volume"] *= 1 + fields["industry"] + np.log(fields["cap"])
    for name, part in (("close", 0.2), ("industry", 0.1), ("cap", 0.1), ("volume", 0.05)):
        fields[name][rng.random(shape) < part] = np.nan
    return Panel(np.arange(shape[0]).astype("datetime64[D]"), [f"{i:06d}.SZ" for i in range(40)], fields)


def residuals(day: pd.DataFrame, *, industry: bool) -> pd.Series:
    """Return what least squares leave of `value` on size, and on industries or a constant."""
    known = day.dropna(subset=["value", "cap", *(["industry"] if industry else [])])
    groups = known["industry"] if industry else pd.Series(0, known.index)
    exposures = pd.get_dummies(groups).assign(size=np.log(known["cap"])).to_numpy(float)
    slopes = np.linalg.lstsq(exposures, known["value"].to_numpy(), rcond=None)[0]
    return (known["value"] - exposures @ slopes).reindex(day.index)


def cut_off(day: pd.DataFrame) -> pd.Series:
    return day["value"].clip(day["value"].quantile(0.01), day["value"].quantile(0.99))


STEPS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "winsorise": cut_off,
    "standardise": lambda day: (day["value"] - day["value"].mean()) / day["value"].std(),
    "rank": lambda day: day["value"].rank(pct=True),
    "neutralise:industry": lambda day: day["value"] - day.groupby("industry")["value"].transform("mean"),
    "neutralise:size": lambda day: residuals(day, industry=False),
    "neutralise:size neutralise:industry": lambda day: residuals(day, industry=True),
    "neutralise:industry neutralise:size": lambda day: residuals(day, industry=True),
    "rank neutralise:size": lambda day: residuals(
        day.assign(value=day["value"].rank(pct=True)), industry=False
    ),
    "winsorise standardise": lambda day: STEPS["standardise"](day.assign(value=cut_off(day))),
}


@pytest.mark.parametrize("steps", STEPS)
def test_steps_are_taken_among_the_names_that_traded(registry: FactorRegistry, steps: str) -> None:
    panel = day_panel()
    spec = FeatureSpec(names=("volume",), daily=tuple(steps.split()))

    found = evaluate(feature_expressions(registry, spec), panel)["volume"]

    for row in range(len(panel)):
        day = pd.DataFrame({name: panel[name][row] for name in panel})
        day["value"] = day["volume"].where(day["close"].notna())
        expected = STEPS[steps](day).to_numpy()
        assert 20 < np.isfinite(expected).sum() < 40
        np.testing.assert_allclose(found[row], expected, rtol=1e-8, atol=1e-8 * np.nanstd(expected))


# Values from storage


def test_stored_values_are_gathered_on_the_axes_of_a_data_set(
    tmp_path: Path, registry: FactorRegistry
) -> None:
    market = Market(tmp_path).start(30)
    market.data.write(DAILY, bars(LATER[:3], range(12, 30)))
    stored = market.keeper.values(
        feature_expressions(registry, FeatureSpec(names=("fall", "ts_mean(volume, 3)")))
    )
    symbols = np.array(sorted({*NAMES[2:5], LATER[0]}))
    days = stored.days[5:20]

    features = StoredFeatures(stored, days, symbols)
    row, column = np.indices((len(days), len(symbols))).reshape(2, -1)
    found = features.gather(row, column)

    assert features.names == ("fall", "ts_mean(volume, 3)")
    panel = stored.panel(slice(5, 20), symbols.tolist())
    for place, name in enumerate(panel):
        assert np.array_equal(found[:, place], panel[name].ravel(), equal_nan=True)
    assert np.isfinite(found).any()


def test_cells_of_which_nothing_is_stored_are_refused(tmp_path: Path, registry: FactorRegistry) -> None:
    market = Market(tmp_path).start(20)
    stored = market.keeper.values(feature_expressions(registry, FeatureSpec(names=("fall",))))
    days = np.append(stored.days, np.datetime64("2030-01-01"))
    symbols = np.array(["000000.SH", *stored.symbols, "999999.SH"])
    features = StoredFeatures(stored, days, symbols)

    assert len(features.gather(np.array([3, 19]), np.array([1, 2]))) == 2
    for row, column, named in (
        (20, 1, r"600000\.SH on 2030"),
        (2, 0, "000000"),
        (2, len(symbols) - 1, "999999"),
    ):
        with pytest.raises(NotFound, match=f"no features are stored of {named}.* 0 more of 2 cells"):
            features.gather(np.array([1, row]), np.array([1, column]))
