"""The methods that people use most, against a real server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import quantflux
from quantflux.accounts.permissions import Role
from quantflux.accounts.principal import LOCAL
from quantflux.client.calls import Call
from quantflux.client.failures import ServerUnreachable
from quantflux.core.errors import (
    Cancelled,
    ExpressionError,
    Forbidden,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    QuantfluxError,
    UnknownSymbol,
    Unsupported,
)
from quantflux.platform import Platform
from tests.api.conftest import PASSWORD

ClientOf = Callable[..., quantflux.Client]


def test_bars_of_one_symbol(shared: quantflux.Client, daily: pl.DataFrame) -> None:
    every = daily.select("symbol", "trade_date", "close", "volume")
    symbol = every["symbol"][0]

    found = shared.bars(symbol, start="2024-01-02", end=date(2024, 1, 31), fields=["close", "volume"])

    low, high = date(2024, 1, 2), date(2024, 1, 31)
    expected = every.filter((pl.col("symbol") == symbol) & pl.col("trade_date").is_between(low, high))
    assert len(expected) > 15
    assert_frame_equal(found.select(expected.columns), expected, check_dtypes=False)


def test_bars_of_many_come_in_pages(
    shared: quantflux.Client, daily: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = daily.select("symbol", "trade_date", "close")
    asked = []
    exchange = shared._http.wire.exchange

    def counted(method: str, target: str, headers: dict[str, str], content: bytes | None = None) -> object:
        asked.append(target)
        return exchange(method, target.replace("?", "?limit=1500&"), headers, content)

    monkeypatch.setattr(shared._http.wire, "exchange", counted)

    found = shared.bars(expected["symbol"].unique().to_list(), fields="close")

    assert_frame_equal(found.select(expected.columns), expected, check_dtypes=False)
    assert len(asked) == -(-len(expected) // 1500)


def test_more_symbols_than_one_request_takes(
    shared: quantflux.Client, daily: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = daily.select("symbol", "trade_date", "close")
    symbols = expected["symbol"].unique().to_list()
    monkeypatch.setattr("quantflux.client.client._MOST_SYMBOLS", 3)

    found = shared.bars(symbols[::-1], fields=["close"])

    assert_frame_equal(found.select(expected.columns), expected, check_dtypes=False)


def test_a_panel_is_the_same_rows(shared: quantflux.Client, daily: pl.DataFrame) -> None:
    expected = daily.select("symbol", "trade_date", "open").filter(pl.col("trade_date") >= date(2024, 6, 3))

    found = shared.panel("open", start="2024-06-03").sort("symbol", "trade_date")

    assert_frame_equal(found.select(expected.columns), expected, check_dtypes=False)


def test_factors_are_computed_and_read(shared: quantflux.Client, daily: pl.DataFrame) -> None:
    job = shared.compute_factors("reversal_20")
    result = job.wait(progress=True, timeout=60).result()
    assert job.has_ended and job.state == "done" and isinstance(result, dict)

    found = shared.factor_values("reversal_20", start="2024-06-28").sort("symbol")

    bars = daily.select("symbol", "trade_date", "close", "adj_factor")
    adjusted = (pl.col("close") * pl.col("adj_factor")).alias("adjusted")
    grid = bars.select("symbol", "trade_date", adjusted).pivot(
        "symbol", index="trade_date", values="adjusted"
    )
    last = grid.sort("trade_date").tail(21).drop("trade_date")
    traded = [name for name in last.columns if not last[name].null_count()]
    assert len(traded) > 5
    for name in traded:
        value = found.filter(pl.col("symbol") == name)["reversal_20"].item()
        assert value == pytest.approx(1 - last[name][-1] / last[name][0])


def test_a_job_says_how_it_stands(shared: quantflux.Client) -> None:
    job = shared.job(shared.compute_factors(["reversal_20"]).id).wait()

    assert repr(job) == f"<Job {job.id} factors.compute: done>"
    assert "<table>" in job._repr_html_() and job.id in job._repr_html_()
    assert job.id in {each["id"] for each in shared.jobs.list(kind="factors.compute")}


def test_a_failed_job_raises_what_the_work_raised(shared: quantflux.Client, platform: Platform) -> None:
    job = shared.backtest(
        {"policy": {"kind": "ranked", "top": 2}, "score": "reversal_20", "start": "2031-01-01"}
    )

    with pytest.raises(QuantfluxError) as raised:
        job.result(timeout=60)

    assert job.state == "failed" and type(raised.value).__name__ in job.shown["error"][
        "code"
    ].title().replace("_", "")
    assert job.id in raised.value.__notes__[0]
    assert job.shown["error"]["code"] in repr(job)


def test_a_cancelled_job(shared: quantflux.Client, platform: Platform) -> None:
    submitted = platform.jobs.submit("nobody.does.this", {}, shared_owner(platform), shared_id(platform))
    job = shared.job(submitted.id)

    with pytest.raises(TimeoutError, match=r"queued after 0\.01 s"):
        job.wait(timeout=0.01)
    job.cancel()

    assert job.state == "cancelled"
    with pytest.raises(Cancelled):
        job.result()


def shared_id(platform: Platform) -> int:
    return next(user.id for user in platform.users.list() if user.name == "ann")


def shared_owner(platform: Platform) -> str:
    return f"user:{shared_id(platform)}"


def test_a_backtest_runs_from_a_file(shared: quantflux.Client, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        'start = 2024-01-02\nscore = "reversal_20"\n[policy]\nkind = "ranked"\ntop = 3\nleast = 1\n',
        encoding="utf-8",
    )

    result = shared.backtest(file).result(timeout=120)

    assert result["id"] in {each["id"] for each in shared.backtests.list()}
    assert shared.backtests.read_study(result["id"]) == result["study"]


def test_training_a_bad_model_is_refused_at_once(shared: quantflux.Client) -> None:
    with pytest.raises(InvalidRequest, match="kind"):
        shared.train({"id": "x", "kind": "oracle"})


def test_groups_are_completed_and_pages_followed(shared: quantflux.Client) -> None:
    assert {"factors", "models", "backtests", "market_data", "jobs"} <= set(dir(shared))
    assert "list" in dir(shared.factors)

    pages = shared.factors.list(limit=7)

    assert len(pages.all()) == pages.total == len({each["id"] for each in pages}) > 7
    assert pages.frame().height == pages.total
    assert "/api/v2/factors" in repr(pages)
    assert shared.factors.read("classic.reversal_20")["library"] == "classic"


def test_errors_are_those_of_a_local_caller(shared: quantflux.Client) -> None:
    with pytest.raises(UnknownSymbol) as unknown:
        shared.bars("600999.SH")
    with pytest.raises(ExpressionError) as wrong:
        shared.factors.check(expression="close +")
    with pytest.raises(NotFound):
        shared.models.read("none")
    with pytest.raises(Forbidden) as forbidden:
        shared.users.list().all()

    assert unknown.value.symbols == ("600999.SH",)
    assert wrong.value.column == 8 or wrong.value.column > 1
    assert forbidden.value.permission == "users:manage"
    assert "request " in unknown.value.__notes__[0]


def test_reading_again_costs_a_304(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(user="ann")
    statuses = []
    exchange = client._http.wire.exchange

    def seen(*arguments: object) -> object:
        reply = exchange(*arguments)  # type: ignore[arg-type]
        statuses.append(reply.status)
        return reply

    monkeypatch.setattr(client._http.wire, "exchange", seen)

    first, second = client.panel("close"), client.panel("close")

    assert statuses == [200, 304]
    assert_frame_equal(first, second)


def test_a_name_in_a_path_stays_one_part(shared: quantflux.Client) -> None:
    for name in ("../../system/version", "..", "a/b", "a?x=1", "a#b", "茅台"):
        target = Call("GET", "/models/{model}", {"model": name}).target
        assert target.count("/") == 2 and not set("?#") & set(target) and not target.endswith("..")
        with pytest.raises((NotFound, InvalidRequest)):
            shared.models.read(name)


def test_an_api_key_from_the_environment(
    url: str, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    with quantflux.Client(url, "ann", PASSWORD) as ann:
        made = ann.account.create_api_key(
            name="test", scopes=["market:read"], expires_at=datetime.now(UTC) + timedelta(days=1)
        )
    monkeypatch.setenv("QUANTFLUX_API_KEY", made["text"])
    monkeypatch.setenv("QUANTFLUX_URL", url)

    with quantflux.Client() as client:
        assert client.url == url
        assert len(client.panel("close", start="2024-06-28"))
        with pytest.raises(Forbidden):
            client.factors.list().all()
        assert made["text"] not in repr(client) and "X-API-Key" in repr(client)


def test_a_token_is_used_as_it_is(url: str, platform: Platform) -> None:
    access = platform.accounts.log_in("ann", PASSWORD, address="192.0.2.1").access

    with quantflux.Client(url, token=access) as client:
        assert client.account.get()["name"] == "ann"
    with pytest.raises(NotAuthenticated):
        quantflux.Client(url, token=access + "x")


def test_a_first_password_has_to_be_changed(url: str, platform: Platform) -> None:
    _, given = platform.users.add(LOCAL, "ben", Role.VIEWER)

    with quantflux.Client(url, "ben", given) as client:
        with pytest.raises(Forbidden, match="change_password"):
            client.bars("600000.SH")
        client.change_password("a door of green glass")
        assert len(client.panel("close", start="2024-06-28"))
        client.change_password("a door of blue glass")
        assert client.account.get()["must_change_password"] is False


def test_a_second_factor(url: str, platform: Platform) -> None:
    import pyotp

    from tests.client.conftest import add_user

    add_user(platform, "cleo", Role.VIEWER)
    with quantflux.Client(url, "cleo", PASSWORD) as client:
        secret = client.account.set_up_totp(password=PASSWORD)["secret"]
        client.account.confirm_totp(code=pyotp.TOTP(secret).at(platform.clock.now()))
        assert client.account.get()["has_totp"]
    with pytest.raises(NotAuthenticated, match="second factor"):
        quantflux.Client(url, "cleo", PASSWORD)

    soon = pyotp.TOTP(secret).at(platform.clock.now() + timedelta(seconds=30))
    with quantflux.Client(url, "cleo", PASSWORD, code=soon) as client:
        assert client.account.get()["name"] == "cleo"


def test_closing_logs_out(url: str, platform: Platform) -> None:
    client = quantflux.Client(url, "ann", PASSWORD)
    before = len(platform.accounts.sessions(shared_id(platform)))

    client.close()

    assert len(platform.accounts.sessions(shared_id(platform))) == before - 1


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"user": "ann"},
        {"password": "x"},
        {"user": "ann", "password": "x", "api_key": "y"},
        {"api_key": "y", "code": "123456"},
        {"api_key": "two words"},
        {"api_key": "y", "url": "ftp://server"},
        {"api_key": "y", "url": "http://ann:secret@server"},
        {"api_key": "y", "timeout": 0},
    ],
)
def test_bad_arguments_are_refused_before_anything_is_sent(
    options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QUANTFLUX_API_KEY", raising=False)

    with pytest.raises(InvalidRequest) as raised:
        quantflux.Client(**{"url": "http://127.0.0.1:9", **options})  # type: ignore[arg-type]

    assert "secret" not in str(raised.value)


def test_wrong_passwords_say_no_more_than_the_server(url: str) -> None:
    with pytest.raises(NotAuthenticated) as raised:
        quantflux.Client(url, "ann", "wrong")

    assert "wrong" not in f"{raised.value} {raised.value.__notes__}"


def other(status: int, body: object) -> httpx.MockTransport:
    return httpx.MockTransport(lambda request: httpx.Response(status, json=body))


def test_another_version_is_said_so() -> None:
    for version, api in (("0.9.0", "v2"), ("1.0.0", "v2"), (quantflux.__version__, "v3")):
        with pytest.raises(Unsupported, match="install the server's version"):
            quantflux.Client(token="x", transport=other(200, {"version": version, "api": api}))
    with pytest.raises(Unsupported, match="no quantflux server, or older"):
        quantflux.Client(token="x", transport=other(404, {"detail": "Not Found"}))


def test_another_server_is_said_so() -> None:
    page = httpx.MockTransport(lambda request: httpx.Response(200, html="<h1>Router</h1>"))

    with pytest.raises(QuantfluxError, match="Is it a quantflux server"):
        quantflux.Client(token="x", transport=page)
    with pytest.raises(QuantfluxError, match="Is it a quantflux server"):
        quantflux.Client(user="ann", password="x", transport=page)


def test_credentials_in_the_clear_are_warned_of() -> None:
    answering = other(200, {"version": quantflux.__version__, "api": "v2"})

    with pytest.warns(UserWarning, match="not https"):
        quantflux.Client("http://quant.example", token="x", transport=answering).close()


def test_a_server_that_is_not_there(client_of: ClientOf) -> None:
    from quantflux.api.listener import bind

    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    listener.close()

    with pytest.raises(ServerUnreachable, match=r"cannot be reached.*Start it with: quantflux serve"):
        client_of(f"http://127.0.0.1:{port}", token="x")
