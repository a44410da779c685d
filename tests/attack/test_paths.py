"""Names of files in every text that the API takes, with canaries in the data folder and around it.

Each check stands beside a test which does the harm itself and sees that the check notices.
"""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from tests.attack.evil import path_payloads
from tests.attack.sweeping import CANARIES, SONG, SPARSELY_OR_NOT, rows_told, sweep, sweep_hole
from tests.attack.target import attacked
from tests.attack.watching import Guarded, Watch, tree, watched

_GROWS = re.compile(
    r"quantflux\.db(-\w+)?|audit(/.+)?|panels(/.+)?|quality(/ledger\.sqlite(-\w+)?)?"
    r"|factors(/definitions\.db(-\w+)?)?|v1(/factors(/[A-Za-z_]\w*\.json)?)?"
)
"""What requests may add to the data folder or change in it: neither its rows nor its secrets."""


@pytest.fixture
def canaries(tmp_path: Path) -> list[Path]:
    """Files in the data folder and in those around it."""
    data = tmp_path / "a" / "data"
    data.mkdir(parents=True)
    names = ("canary", "canary.json", "canary.db")
    files = [folder / name for folder in (tmp_path, tmp_path / "a", data) for name in names]
    for file in files:
        file.write_text(SONG)
    return files


@SPARSELY_OR_NOT
def test_names_lead_to_no_other_file(
    tmp_path: Path, canaries: list[Path], everywhere: bool, tried: Counter[str]
) -> None:
    payloads = path_payloads()
    assert len(payloads) >= 300
    data = tmp_path / "a" / "data"
    with attacked(data) as target:
        for role in ("viewer", "researcher", "admin"):
            target.user(role)
        told = rows_told(target)
        secrets = sorted((data / "secrets").iterdir())
        assert secrets
        keys = [text for s in secrets for text in (s.read_bytes(), s.read_bytes().hex().encode())]
        around = tree(tmp_path, without=data)
        inside = tree(data)

        secret = [*canaries, *secrets]
        watch = Watch(data, secret)
        with Guarded(secret) as guarded, watched(watch):
            sent, wrong = sweep(
                target,
                payloads[::6] if everywhere else payloads,
                everywhere=everywhere,
                canaries=(*CANARIES, *keys),
            )
            opened = guarded.opened()
        tried["injection: paths"] += sent

        assert not wrong, "\n".join(wrong[:20])
        assert not watch.wrong()
        assert not opened
        assert len(watch.done) > 20, "nothing was watched"
        assert tree(tmp_path, without=data) == around
        after = tree(data)
        differ = {name for name in after.keys() | inside.keys() if after.get(name) != inside.get(name)}
        assert not {name for name in differ if not _GROWS.fullmatch(name)}
        assert rows_told(target) == told


def _starts_a_program(folder: Path) -> None:
    subprocess.run(["true"], check=True, cwd=folder)


def _connects(folder: Path) -> None:
    del folder
    with socket.socket() as taken, socket.socket() as caller:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        with pytest.raises(OSError, match="refused"):
            caller.connect(taken.getsockname())


_HARM: dict[str, Callable[[Path], object]] = {
    "a file is read": lambda folder: (folder / "canary").read_text(),
    "a system's file is read": lambda folder: Path("/etc/passwd").read_text(),
    "a file of the process is read": lambda folder: Path("/proc/self/environ").read_bytes(),
    "a file is written": lambda folder: (folder / "new").write_text("x"),
    "a file is written over": lambda folder: (folder / "canary").write_text(SONG),
    "a database is opened": lambda folder: sqlite3.connect(folder / "canary.db").close(),
    "a database is opened by its address": lambda folder: sqlite3.connect(
        f"file:{folder}/canary.db", uri=True
    ).close(),
    "a folder is made": lambda folder: (folder / "made").mkdir(),
    "a folder is listed": lambda folder: list(folder.iterdir()),
    "a file is renamed": lambda folder: (folder / "canary").rename(folder / "canary.2"),
    "a file is moved in": lambda folder: (folder / "canary.json").rename(folder / "data" / "moved"),
    "a file is removed": lambda folder: (folder / "canary.db").unlink(),
    "a link is made": lambda folder: (folder / "data" / "link").symlink_to(folder),
    "a program is started": _starts_a_program,
    "a connection is made": _connects,
}


def test_harm_done_to_files_is_noticed(tmp_path: Path, canaries: list[Path], tried: Counter[str]) -> None:
    folder = tmp_path / "a"
    for name, harm in _HARM.items():
        watch = Watch(folder / "data")
        with watched(watch):
            harm(folder)
        assert watch.wrong(), name
        tried["harm that must be noticed"] += 1
    with watched(Watch(folder / "data", [folder / "data" / "canary"])) as watch:
        (folder / "data" / "canary.json").read_text()
        (folder / "data" / "own").write_text("x")
        Path(os.__file__).read_bytes()
        assert not watch.wrong()
        (folder / "data" / "canary").read_text()
        assert watch.wrong()


def test_a_hole_to_files_is_noticed(tmp_path: Path, canaries: list[Path], tried: Counter[str]) -> None:
    data = tmp_path / "a" / "data"
    with attacked(data) as target:
        target.user("admin")
        watch = Watch(data, canaries)
        with Guarded(canaries) as guarded, watched(watch):
            payloads = [
                each for each in path_payloads() if not each.startswith(("/dev/", "/proc/"))
            ]  # no end
            found = Counter(sweep_hole(target, payloads, lambda text: (data / "audit" / text).read_text()))
            opened = guarded.opened()
    tried["harm that must be noticed"] += found.total()
    assert found[f"tells {[CANARIES[0]]}"] > 1, found
    assert found["tells [b'root:x:']"] > 1, found
    assert opened == {str(data / name) for name in ("canary", "canary.json", "canary.db")}
    touched = {path for _, path, _ in watch.wrong()}
    assert opened | {"/etc/passwd"} <= touched


def test_files_opened_by_compiled_code_are_noticed(tmp_path: Path, canaries: list[Path]) -> None:
    with Guarded(canaries) as guarded, watched(Watch(tmp_path / "nowhere")) as watch:
        assert not guarded.opened()
        with pa.OSFile(str(canaries[4])) as file:
            assert file.read() == SONG.encode()
        assert not watch.wrong(), "Python's own events would do"
        assert guarded.opened() == {str(canaries[4])}


def test_changes_of_a_tree_are_noticed(tmp_path: Path, canaries: list[Path]) -> None:
    seen = [tree(tmp_path)]
    canaries[0].write_text(SONG[::-1])
    seen.append(tree(tmp_path))
    (tmp_path / "a" / "empty").mkdir()
    seen.append(tree(tmp_path))
    (tmp_path / "a" / "link").symlink_to("/etc")
    seen.append(tree(tmp_path))
    canaries[1].rename(tmp_path / "renamed")
    seen.append(tree(tmp_path))
    assert all(a != b for i, a in enumerate(seen) for b in seen[:i])
