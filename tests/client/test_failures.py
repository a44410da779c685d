"""A refusal is the error that a local caller would get."""

from __future__ import annotations

import pytest

from quantflux.api.errors import TABLE, answer_for
from quantflux.client.failures import failure, refusal
from quantflux.core import errors

RAISED: list[errors.QuantfluxError] = [
    errors.InvalidRequest("limit must be above 0, was -1"),
    errors.Unsupported("this store keeps no history"),
    errors.ExpressionError("nothing is called ts_men", "ts_men(close, 5)", 0, 6, "did you mean ts_mean?"),
    errors.NotFound("No model is called x."),
    errors.UnknownDataset("bars", ["stock_daily_data"]),
    errors.UnknownSymbol(["600519.SH"], "stock_daily_data", ["600518.SH"]),
    errors.InvalidData("close is below 0", dataset="stock_daily_data", column="close", rule="positive"),
    errors.NotAuthenticated("Log in."),
    errors.Forbidden("This needs models:train.", "models:train"),
    errors.Conflict("It exists."),
    errors.LimitReached("Too many.", 7.0),
    errors.Busy("No room."),
    errors.Cancelled("Stopped."),
    errors.ConfigError("wrong", ["a is wrong"]),
    errors.MissingDependency("shap", "explain"),
    errors.StoreError("broken"),
    errors.StoreUnavailable("away"),
    errors.StoreFull("full"),
    errors.OutcomeUnknown("lost"),
    errors.PartialWrite(3, [errors.RejectedRow(0, "600519.SH", "no")]),
    errors.VersionConflict("first"),
    errors.StoreCorrupt("torn", "file"),
    errors.AccessDenied("no"),
    errors.OptimisationError("no portfolio", "failed"),
    errors.Infeasible("no weights", "infeasible", {"give": ["turnover"]}),
    errors.Unbounded("no best", "unbounded"),
    errors.SourceError("vendor"),
    errors.SourceUnavailable("away"),
    errors.RateLimited("slow down", 9.0),
    errors.SourceChanged("other shape"),
    errors.QuantfluxError("anything"),
]


def test_every_error_of_the_table_is_tried() -> None:
    assert {type(each) for each in RAISED} == {
        kind for kind in TABLE if issubclass(kind, errors.QuantfluxError)
    }


@pytest.mark.parametrize("raised", RAISED, ids=lambda each: type(each).__name__)
def test_it_comes_back_as_its_class(raised: errors.QuantfluxError) -> None:
    answer = answer_for(raised, "abc123")
    headers = {name.lower(): value for name, value in answer.headers.items()}

    made = refusal(
        answer.status_code, headers | {"x-request-id": "abc123"}, bytes(answer.body), "GET /x", "http://s"
    )

    assert type(made) is type(raised)
    assert (str(made) == str(raised)) == (
        answer.status_code < 500 or "not installed" in str(raised) or isinstance(raised, errors.Busy)
    )
    assert "abc123" in made.__notes__[0]
    assert vars(raised).keys() <= vars(made).keys() | {"msg"}  # whoever reads an attribute finds it
    assert made.retryable == raised.retryable


def test_facts_come_back() -> None:
    unknown = _there_and_back(errors.UnknownSymbol(["600519.SH"], "d", ["600518.SH"]))
    wrong = _there_and_back(errors.ExpressionError("what", "close +", 6))
    limit = _there_and_back(errors.LimitReached("Too many.", 7.0))
    forbidden = _there_and_back(errors.Forbidden("no", "models:train"))

    assert isinstance(unknown, errors.UnknownSymbol) and unknown.similar == ("600518.SH",)
    assert isinstance(wrong, errors.ExpressionError) and (wrong.offset, wrong.column) == (6, 7)
    assert isinstance(limit, errors.LimitReached) and limit.retry_after == 7.0
    assert isinstance(forbidden, errors.Forbidden) and forbidden.permission == "models:train"


def _there_and_back(raised: errors.QuantfluxError) -> errors.QuantfluxError:
    answer = answer_for(raised, "n")
    return refusal(answer.status_code, dict(answer.headers), bytes(answer.body), "GET /x", "http://s")


def test_a_code_of_a_newer_server_goes_by_its_status() -> None:
    made = refusal(409, {}, b'{"code": "of_tomorrow", "detail": "hm"}', "POST /x", "http://s")

    assert type(made) is errors.Conflict and str(made) == "hm"


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"[]", b'{"code": 5}', b"\xff"])
def test_what_is_no_problem_document_is_said_to_be_none(body: bytes) -> None:
    made = refusal(502, {}, body, "GET /x", "http://s")

    assert type(made) is errors.QuantfluxError
    assert "http://s answered 502 to GET /x, but not as quantflux does" in str(made)


def test_a_job_fails_with_the_same_class() -> None:
    assert type(failure("unknown_symbol", "none")) is errors.UnknownSymbol
    assert isinstance(failure("not_installed", "shap is missing"), ImportError)
    assert str(failure("not_installed", "shap is missing")) == "shap is missing"
