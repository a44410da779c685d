"""The command's root: help, version, doctor."""

from __future__ import annotations

import quantflux
from tests.cli.conftest import Run


def test_help_lists_every_command(run: Run) -> None:
    text = run("--help").stdout
    data = run("data", "--help").stdout

    assert all(name in text for name in ("demo", "data", "config", "doctor"))
    assert all(name in data for name in ("import", "sync", "status", "quality", "query", "export", "compact"))


def test_version(run: Run) -> None:
    assert run("--version").stdout.strip() == f"quantflux {quantflux.__version__}"


def test_doctor_is_content_with_a_fresh_installation(run: Run) -> None:
    text = run("doctor").stdout

    assert "All is well" in text
    assert "calendar" in text and "store" in text and "Delta Lake" in text


def test_doctor_names_an_unreachable_store_and_the_cure(run: Run) -> None:
    # Port 9 (discard) is not listened on.
    options = ("--set", "store.name=influxdb", "--set", "store.influxdb.url=http://127.0.0.1:9")

    done = run(*options, "doctor", code=1)

    assert "fail" in done.stdout
    assert "127.0.0.1:9" in done.stdout


def test_doctor_names_a_data_folder_that_is_a_file(run: Run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("")

    done = run("--set", f"data_dir={tmp_path / 'file' / 'data'}", "doctor", code=1)

    assert "is a file" in done.stdout
