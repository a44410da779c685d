"""Work on factors, models, portfolios and backtests: documents in, JSON out, and what stops it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from quantflux.core.errors import Cancelled, Conflict, Infeasible, InvalidRequest, NotFound
from quantflux.data.access import DataAccessLayer
from quantflux.jobs import Told
from quantflux.platform import Platform
from quantflux.work import backtests, factors, models, portfolios, scores
from quantflux.work.catalogue import KINDS
from tests.learning.in_process import tried_here  # noqa: F401 - a fixture
from tests.portfolio.markets import LAST

RUN = {
    "name": "Fallen",
    "start": "2023-06-01",
    "score": "reversal_20",
    "policy": {"kind": "ranked", "top": 6},
}
PORTFOLIO = {"capital": 1e7, "method": "minimum_variance", "risk": {"model": "shrunk", "window": 100}}
MODEL = {
    "id": "reversal",
    "kind": "ridge",
    "features": {"names": ["reversal_20"], "scale": "standard", "missing": "median"},
    "label": {"horizon": 3},
    "split": {"train": 120, "valid": 20, "test": 60},
}


def told() -> Told:
    return Told()


def plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document as a client reads it; a NaN in it fails."""
    read: dict[str, Any] = json.loads(json.dumps(document, allow_nan=False))
    return read


def test_factors_are_computed_once(place: Platform) -> None:
    place.factors.registry.define("once", "close / delay(close, 7)", owner="user:1")

    first = plain(factors.compute(place, {"factors": ["once"]}, told()))
    again = plain(factors.compute(place, {"factors": ["once"]}, told()))

    assert first["factors"] == ["once"] and first["days_computed"] > 300
    assert again["course"] == "current" and again["days_computed"] == 0


def test_what_the_data_do_not_allow_is_named(place: Platform) -> None:
    found = plain(factors.compute(place, {"factors": ["style"]}, told()))

    assert found["left_out"]["style_growth"] == "no rows in income_statement"
    assert "style_growth" not in found["factors"] and len(found["factors"]) == 6


def test_a_factor_of_which_less_is_better_is_turned_round(place: Platform) -> None:
    place.factors.registry.define("fallen", "close / delay(close, 20) - 1", orientation=-1, owner="user:1")
    place.factors.registry.define("risen", "close / delay(close, 20) - 1", orientation=1, owner="user:1")

    found = plain(factors.evaluate(place, {"factors": ["fallen", "risen"], "series": True}, told()))

    one, two = (report["tradable"] for report in found["reports"])
    assert found["turned_round"] == ["fallen"]
    assert one["rank_ic_mean"] == pytest.approx(-two["rank_ic_mean"]) and one["rank_ic_mean"]
    assert len(one["series"]["rank_ic"]) == found["reports"][0]["days"]


def test_several_factors_are_not_set_against_others(place: Platform) -> None:
    with pytest.raises(InvalidRequest, match="against compares one factor with others, 2 were named"):
        factors.evaluate(place, {"factors": ["size", "reversal_20"], "against": ["size"]}, told())


def test_a_label_is_told_from_a_leak(place: Platform) -> None:
    found = plain(factors.check(place, "lead(close, 5) / close - 1"))

    assert not found["leaks"] and found["looks_ahead"] == 5
    assert factors.check(place, "reversal_20")["looks_back"] == 20
    with pytest.raises(NotFound, match="similar: reversal_20"):
        factors.check(place, "reversal_2")
    with pytest.raises(InvalidRequest):
        factors.check(place, "leaky.py:leak")


@pytest.fixture(scope="module")
def trained(place: Platform) -> dict[str, Any]:
    return plain(models.train(place, {"actor": "ann", "model": MODEL}, told()))


def test_a_model_is_kept_under_the_name_of_who_asked(place: Platform, trained: dict[str, Any]) -> None:
    assert trained["version"]["actor"] == "ann" and trained["version"]["stage"] == "candidate"
    assert "folder" not in trained["version"]


def test_nobody_adds_versions_to_the_model_of_another(place: Platform, trained: dict[str, Any]) -> None:
    with pytest.raises(Conflict, match="first trained by ann"):
        models.train(place, {"actor": "bob", "model": MODEL}, told())


def test_a_version_is_judged_as_when_it_was_trained(place: Platform, trained: dict[str, Any]) -> None:
    found = plain(models.evaluate(place, {"id": "reversal"}, told()))

    assert found["figures"]["rank_ic"] == pytest.approx(trained["version"]["figures"]["rank_ic"])
    assert found["health"]["state"] == "unknown" and found["health"]["reason"]


def test_a_search_gives_a_model_that_can_be_trained(place: Platform) -> None:
    asked = {"model": {**MODEL, "id": "searched"}, "trials": 2, "space": {"alpha": [0.1, 10.0]}}

    found = plain(models.tune(place, asked, told()))

    assert 0.1 <= found["model"]["parameters"]["alpha"] <= 10 and len(found["trials"]) == 2


def test_an_unknown_key_of_a_request_is_named(place: Platform) -> None:
    with pytest.raises(InvalidRequest, match="the request: controll: is unknown; did you mean control"):
        models.train(place, {"actor": "ann", "model": MODEL, "controll": True}, told())


def test_a_portfolio_is_invested_and_priced(place: Platform) -> None:
    found = plain(portfolios.explain(place, PORTFOLIO | {"constraints": {"weights": 0.1}}, told()))

    weights = np.array(list(found["portfolio"]["weights"].values()))
    assert weights.sum() == pytest.approx(1) and weights.max() == pytest.approx(0.1, abs=1e-5)
    assert any(price["constraint"] == "bounds" for price in found["prices"])


def test_no_portfolio_comes_with_its_reason(place: Platform) -> None:
    impossible = PORTFOLIO | {"constraints": {"weights": 0.01}}

    with pytest.raises(Infeasible, match="no weights meet all limits") as caught:
        portfolios.optimise(place, impossible, told())
    found = plain(portfolios.diagnose(place, impossible, told()))

    assert caught.value.diagnosis is not None
    assert plain(caught.value.diagnosis)["changes"] == found["changes"] != []
    assert not found["feasible"] and "bounds: let single weights go up to" in found["text"]


def test_orders_lead_from_what_is_held(place: Platform) -> None:
    symbol = place.portfolios.prepare(portfolios.portfolio_document(PORTFOLIO)).problem.symbols[0]
    asked = {key: value for key, value in PORTFOLIO.items() if key != "capital"}

    found = plain(
        portfolios.rebalance(place, asked | {"holdings": {"shares": {symbol: 1000}, "cash": 5e6}}, told())
    )

    assert found["date"] == str(LAST) and found["orders"]
    spent = sum(order["amount"] * (1 if order["side"] == "buy" else -1) for order in found["orders"])
    assert 5e6 - spent - found["fees"] == pytest.approx(found["cash"], abs=0.5)


def test_large_portfolios_and_those_that_count_names_take_their_time(
    place: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = portfolios.portfolio_document(PORTFOLIO)
    counted = portfolios.portfolio_document(PORTFOLIO | {"constraints": {"names": 5}})

    assert portfolios.is_small(place, small) and not portfolios.is_small(place, counted)
    monkeypatch.setattr(DataAccessLayer, "symbols", lambda *_: ["600519.SH"] * 501)
    assert not portfolios.is_small(place, small)


@pytest.fixture(scope="module")
def ran(place: Platform) -> dict[str, Any]:
    return plain(backtests.run(place, {"owner": "user:1", "run": RUN, "rules": False}, told()))


def test_a_backtest_leaves_its_record_to_its_owner(place: Platform, ran: dict[str, Any]) -> None:
    shelf = backtests.shelf_of(place)

    record = shelf.read(ran["id"], owner="user:1")
    assert record.metrics["final_equity"] == ran["study"]["series"]["equity"][-1]
    assert json.loads(shelf.study(ran["id"], owner="user:1")) == ran["study"]
    with pytest.raises(NotFound):
        backtests.replay(place, {"owner": "user:2", "id": ran["id"]}, told())


def test_a_record_is_replayed_bit_for_bit(place: Platform, ran: dict[str, Any]) -> None:
    found = plain(backtests.replay(place, {"owner": "user:1", "id": ran["id"]}, told()))

    assert found["identical"] and found["differences"] == []


def test_a_record_of_the_command_line_that_runs_python_is_not_replayed(
    place: Platform, ran: dict[str, Any]
) -> None:
    shelf = backtests.shelf_of(place)
    record = shelf.read(ran["id"])
    own = {"policy": {"kind": "python", "class": "own.py:Own"}}
    kept = shelf.keep("", type(record)(**{**vars(record), "content": own}), {})

    with pytest.raises(InvalidRequest, match=r"policy\.class: a request cannot name a file"):
        backtests.replay(place, {"owner": "user:1", "id": kept, "everybody": True}, told())


def test_runs_are_compared_over_the_same_days(place: Platform) -> None:
    two = {**RUN, "name": "Fewer", "policy": {"kind": "ranked", "top": 3}}

    found = plain(backtests.compare(place, {"owner": "user:1", "runs": [RUN, two]}, told()))

    assert found["differing"] == {"policy.top": [6, 3]}
    assert [study["name"] for study in found["studies"]] == ["Fallen", "Fewer"]
    assert len(set(found["ids"])) == 2


def test_a_sweep_tries_every_set(place: Platform) -> None:
    swept = RUN | {"sweep": {"policy.top": [3, 6]}}

    found = plain(backtests.sweep(place, {"owner": "user:1", "run": swept}, told()))

    assert found["keys"] == ["policy.top"] and found["sets"] == 2 and found["failed"] == 0


def test_scores_screens_and_what_explains_them(place: Platform) -> None:
    score = {"factors": ["reversal_20", "size"], "selection": {"top": 3}}

    chosen = plain(scores.choose(place, score))
    best = chosen["top_stocks"][0]
    name = plain(scores.contributions(place, best["symbol"], score))
    screened = plain(scores.screen(place, {"where": "close > 0", "show": ["size"], "top": 2}))

    assert name["score"] == best["score"] and name["rank"] == 1
    assert plain(scores.sectors(place, score, 2))["trade_date"] == str(LAST)
    assert len(screened["stocks"]) == 2 and screened["found"] > 2


STOPPED: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (factors.evaluate, {"factors": ["reversal_20"]}),
    (models.train, {"actor": "ann", "model": {**MODEL, "id": "stopped"}}),
    (models.evaluate, {"id": "reversal"}),
    (portfolios.optimise, PORTFOLIO),
    (portfolios.diagnose, PORTFOLIO),
    (backtests.run, {"owner": "user:9", "run": {**RUN, "score": "ts_mean(volume, 7)"}}),
    (backtests.compare, {"owner": "user:9", "runs": [RUN, {**RUN, "name": "x"}]}),
    (backtests.sweep, {"owner": "user:9", "run": RUN | {"sweep": {"policy.top": [3, 6]}}}),
]


@pytest.mark.parametrize(("work", "payload"), STOPPED)
def test_work_that_is_stopped_ends_and_keeps_nothing(
    place: Platform, trained: dict[str, Any], work: Callable[..., Any], payload: dict[str, Any]
) -> None:
    line = told()
    line.stop()

    with pytest.raises(Cancelled):
        work(place, payload, line)

    assert backtests.shelf_of(place).entries("user:9") == []
    assert not place.models.registry.list("stopped")


def test_every_kind_of_work_is_named_for_its_subject() -> None:
    mine = {"factors": 2, "models": 4, "portfolios": 4, "backtests": 4}

    assert {subject: sum(name.startswith(f"{subject}.") for name in KINDS) for subject in mine} == mine
    assert all(
        work.permission.value.split(":")[0] == name.split(".")[0]
        for name, work in KINDS.items()
        if name.split(".")[0] in mine
    )
