"""Reloading: the settings in force are swapped whole, or stay."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from quantflux.config import ConfigManager, ConfigRequest, Settings, catalogue
from quantflux.config.catalogue import value_of
from quantflux.core.errors import ConfigError, NotFound
from tests.config.broken import BROKEN, clear, replace

GOOD = "[queries]\nmax_symbols = {0}\nmax_cells = {0}\n[cache]\nresults_seconds = {0}\nuser_queries_seconds = {0}\n"


def good(number: int) -> bytes:
    """A valid file in which four settings hold the same number."""
    return GOOD.format(number).encode()


def numbers(settings: Settings) -> set[int]:
    """The different numbers in those four settings: one, unless the reader saw a mix."""
    return {
        settings.queries.max_symbols,
        settings.queries.max_cells,
        settings.cache.results_seconds,
        settings.cache.user_queries_seconds,
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "user.toml"
    file.write_bytes(good(1))
    return file


@pytest.fixture
def manager(path: Path) -> ConfigManager:
    return ConfigManager(ConfigRequest(path=path), {})


def test_a_broken_file_stops_the_start(path):
    path.write_text("[stor]")

    with pytest.raises(ConfigError, match="did you mean store"):
        ConfigManager(ConfigRequest(path=path), {})


def test_a_reload_swaps_everything_and_says_what_changed(manager, path):
    before = manager.current
    path.write_bytes(good(2) + b'[logging]\nlevel = "DEBUG"\nformat = "json"\n')

    report = manager.reload()

    assert report.error is None
    assert report.changed == (
        "queries.max_symbols",
        "queries.max_cells",
        "cache.results_seconds",
        "cache.user_queries_seconds",
        "logging.level",
        "logging.format",
    )
    assert report.needs_restart == ("logging.level", "logging.format")
    assert (report.generation, manager.generation) == (2, 2)
    assert numbers(before) == {1}
    assert numbers(manager.current) == {2}


def test_a_reload_without_changes_keeps_the_generation(manager):
    calls = []
    manager.subscribe(lambda *_: calls.append(1))

    report = manager.reload()

    assert (report.changed, report.error, report.generation) == ((), None, 1)
    assert calls == []


def test_a_key_that_is_removed_falls_back_to_its_default(manager, path):
    path.write_text("# nothing")

    report = manager.reload()

    assert "queries.max_cells" in report.changed
    assert manager.current.queries.max_cells == catalogue()["queries.max_cells"].default


@pytest.mark.parametrize("broken", BROKEN, ids=lambda b: b.name)
def test_a_broken_file_changes_nothing_and_a_good_one_is_taken_later(broken, manager, path, caplog):
    before = manager.current
    broken.put(path)

    with caplog.at_level(logging.ERROR):
        report = manager.reload()

    assert broken.says in str(report.error)
    assert manager.last_error is report.error
    assert manager.current is before
    assert (report.changed, report.needs_restart, report.generation) == ((), (), 1)
    assert "the previous one stays in force" in caplog.text

    clear(path)
    replace(path, good(5))
    assert manager.reload().error is None
    assert numbers(manager.current) == {5}
    assert manager.last_error is None


def test_settings_that_wait_for_a_restart_are_remembered_until_they_are_set_back(manager, path):
    path.write_bytes(good(1) + b"[panels]\nenabled = false\n")
    manager.reload()
    path.write_bytes(good(2) + b"[panels]\nenabled = false\n")
    assert manager.reload().needs_restart == ()

    assert manager.pending_restart == ("panels.enabled",)

    path.write_bytes(good(2))
    manager.reload()
    assert manager.pending_restart == ()


def test_a_file_that_appears_later_is_found(tmp_path):
    manager = ConfigManager(ConfigRequest(), {})
    Path("quantflux.toml").write_bytes(good(7))

    manager.reload()

    assert numbers(manager.current) == {7}


def test_a_file_in_use_that_disappears_does_not_make_room_for_another(tmp_path):
    Path("quantflux.toml").write_bytes(good(7))
    home = tmp_path / "home" / ".config" / "quantflux"
    home.mkdir(parents=True)
    (home / "config.toml").write_bytes(good(8))
    manager = ConfigManager(ConfigRequest(), {})
    Path("quantflux.toml").unlink()

    report = manager.reload()

    assert "there is no such file" in str(report.error)
    assert numbers(manager.current) == {7}


def test_a_change_of_the_working_folder_does_not_lose_the_file(tmp_path, monkeypatch):
    Path("quantflux.toml").write_bytes(good(7))
    manager = ConfigManager(ConfigRequest(), {})
    monkeypatch.chdir(tmp_path)

    assert manager.reload().error is None


def test_subscribers_are_told_in_order_until_they_leave(manager, path):
    calls: list[tuple[str, int, tuple[str, ...]]] = []
    leave = manager.subscribe(lambda s, r: calls.append(("first", s.queries.max_cells, r.changed)))
    manager.subscribe(lambda s, r: calls.append(("second", s.queries.max_cells, r.changed)))
    path.write_bytes(good(2))
    manager.reload()
    leave()
    leave()
    path.write_bytes(good(3))
    manager.reload()

    assert [(who, value) for who, value, _ in calls] == [("first", 2), ("second", 2), ("second", 3)]
    assert "queries.max_cells" in calls[0][2]


def test_one_callback_subscribed_twice_leaves_once(manager, path):
    calls = []

    def note(*_: object) -> None:
        calls.append(1)

    leave = manager.subscribe(note)
    manager.subscribe(note)
    leave()
    path.write_bytes(good(2))
    manager.reload()

    assert calls == [1]


def test_a_subscriber_that_fails_is_logged_and_the_others_are_told(manager, path, caplog):
    calls = []

    def fail(*_: object) -> None:
        raise ZeroDivisionError("on purpose")

    manager.subscribe(fail)
    manager.subscribe(lambda *_: calls.append(1))
    path.write_bytes(good(2))

    report = manager.reload()

    assert report.error is None
    assert calls == [1]
    assert "a subscriber of the configuration failed" in caplog.text
    assert "on purpose" in caplog.text


def test_a_subscriber_sees_the_new_settings_as_current_and_may_reload(manager, path):
    seen = []

    def again(settings: Settings, _: object) -> None:
        seen.append(manager.current is settings)
        manager.reload()

    manager.subscribe(again)
    path.write_bytes(good(2))
    manager.reload()

    assert seen == [True]


def test_settings_of_another_environment_come_with_that_environments_defaults(path):
    path.write_text('[store]\nname = "mysql"\n[store.mysql]\nuser = "u"\npassword = "k3vQz9tr81xx0P7m"\n')
    manager = ConfigManager(ConfigRequest(path=path, environment="testing"), {})

    assert manager.get_database_config().mysql.user == "u"
    assert manager.get_database_config("testing").name == "mysql"
    cache = manager.get_cache_config("development")
    lifetimes = (
        cache.realtime_seconds,
        cache.hot_stocks_seconds,
        cache.results_seconds,
        cache.user_queries_seconds,
    )
    assert lifetimes == (300, 1800, 3600, 900)
    assert manager.current.environment == "testing"


def test_settings_unfit_for_production_are_refused_when_asked_for(path):
    path.write_text('[store]\nname = "mysql"\n[store.mysql]\nuser = "u"\npassword = "root"\n')
    manager = ConfigManager(ConfigRequest(path=path), {})

    with pytest.raises(ConfigError, match="well-known default"):
        manager.get_database_config("production")
    with pytest.raises(ConfigError, match="no environment is called 'staging'"):
        manager.get_cache_config("staging")


def test_each_setting_is_explained_with_value_and_origin(manager, path):
    found = {e.setting.key: e for e in manager.explain_all()}

    assert set(found) == set(catalogue())
    assert found["queries.max_cells"] == manager.explain("queries.max_cells")
    assert str(found["queries.max_cells"].origin) == f"{path}:3"
    assert found["queries.max_cells"].shown == "1"
    assert all(e.value == value_of(manager.current, key) for key, e in found.items())


def test_an_unknown_key_is_answered_with_keys_that_look_like_it(manager):
    with pytest.raises(NotFound, match=r"no setting is called 'store\.nmae'; did you mean store\.name\?"):
        manager.explain("store.nmae")
    with pytest.raises(
        NotFound, match=r"store\.columnar is a section; its settings: store\.columnar\.directory"
    ):
        manager.explain("store.columnar")
    with pytest.raises(NotFound, match="config show"):
        manager.explain("zzzzzz")


def test_readers_never_see_a_mix_while_a_writer_and_reloads_race(manager, path):
    """Good and broken files replace each other as fast as they can; every snapshot is one of the good files."""
    stop = threading.Event()
    wrong: list[object] = []
    reads, reports = [0, 0], []

    def write() -> None:
        number = 1
        while not stop.is_set():
            for broken in BROKEN:
                if broken.name == "50 MB" or stop.is_set():
                    continue
                broken.put(path)
                number += 1
                replace(path, good(1 + number % 80_000))

    def read(slot: int) -> None:
        last = 0
        while not stop.wait(0.0001):  # without a pause, spinning readers would starve the others
            generation, settings = manager.generation, manager.current
            reads[slot] += 1
            if len(numbers(settings)) != 1 or generation < last:
                wrong.append((generation, settings))
            last = generation

    def check(settings: Settings, report: object) -> None:
        if len(numbers(settings)) != 1:
            wrong.append(report)

    manager.subscribe(check)
    logging.getLogger("quantflux.config").setLevel(logging.CRITICAL)
    threads = [threading.Thread(target=write), *(threading.Thread(target=read, args=(i,)) for i in (0, 1))]
    try:
        for thread in threads:
            thread.start()
        while len(reports) < 250:
            reports.append(manager.reload())
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        logging.getLogger("quantflux.config").setLevel(logging.NOTSET)

    assert wrong == []
    assert min(reads) > 0
    assert {r.error is None for r in reports} == {True, False}
    assert manager.generation == 1 + sum(bool(r.changed) for r in reports)

    clear(path)
    replace(path, good(3))
    assert manager.reload().error is None
    assert numbers(manager.current) == {3}


def test_parallel_reloads_come_one_after_the_other(manager, path):
    told: list[int] = []
    manager.subscribe(lambda _, report: told.append(report.generation))

    def change_and_reload(number: int) -> None:
        for step in range(20):
            replace_own(path, number, step)
            manager.reload()

    def replace_own(target: Path, number: int, step: int) -> None:
        fresh = target.with_name(f"{number}.new")
        fresh.write_bytes(good(1 + number * 100 + step))
        fresh.replace(target)

    threads = [threading.Thread(target=change_and_reload, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert told == list(range(2, manager.generation + 1))
