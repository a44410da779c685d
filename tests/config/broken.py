"""Every kind of broken configuration file: what stands at the path, and what the message must say."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Broken:
    """A way to spoil the file at a path; `says` must be in the message, after the path and `line`."""

    name: str
    content: bytes | Callable[[Path], None]
    says: str
    line: int | None = None

    def put(self, path: Path) -> None:
        """Replace what is at `path`; content arrives by an atomic rename, as editors do it."""
        if callable(self.content):
            clear(path)
            self.content(path)
            return
        replace(path, self.content)


def clear(path: Path) -> None:
    """Remove whatever is at a path."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def replace(path: Path, content: bytes) -> None:
    """Put content at a path in one step."""
    if path.is_dir() and not path.is_symlink():
        clear(path)
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(content)
    fresh.replace(path)


def _socket(path: Path) -> None:
    relative = os.path.relpath(path)  # a socket's path has at most 107 bytes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(min(str(path), relative, key=len))


DEEP = b".".join([b"a"] * 3000)

BROKEN = [
    Broken("empty", b"", "is empty"),
    Broken("blank lines", b"\n \n\t\n", "is empty"),
    Broken("byte-order mark alone", b"\xef\xbb\xbf", "is empty"),
    Broken("not UTF-8", b'data_dir = "x"\nenvironment = "\xff\xfe\xfa"\n', "is not UTF-8 text", 2),
    Broken("UTF-16", 'data_dir = "x"'.encode("utf-16"), "is UTF-16"),
    Broken("GBK text", 'data_dir = "数据"'.encode("gbk"), "is not UTF-8 text", 1),
    Broken("NUL byte", b'data_dir = "x"\n\n\x00', "NUL byte", 3),
    Broken("binary", bytes(range(1, 256)), "is not UTF-8 text", 2),
    Broken("half a line", b'[store]\nname = "colum', "is not valid TOML", 2),
    Broken("half a table name", b'data_dir = "x"\n[sto', "is not valid TOML", 2),
    Broken("no value", b"data_dir =\n", "is not valid TOML", 1),
    Broken("value without quotes", b"[store]\nname = columnar\n", "Invalid value, column 8", 2),
    Broken("YAML", b"store:\n  name: columnar\n", "is not valid TOML", 1),
    Broken("JSON", b'{"store": {"name": "columnar"}}', "is not valid TOML", 1),
    Broken("key twice", b'data_dir = "a"\ndata_dir = "b"\n', "Cannot overwrite a value", 2),
    Broken("table twice", b'[store]\nname = "memory"\n[store]\n', "Cannot declare", 3),
    Broken(
        "unknown key",
        b'[store]\nnmae = "memory"\n',
        "store.nmae: there is no such setting; did you mean store.name?",
        2,
    ),
    Broken("unknown section", b"[strore]\n", "strore: there is no such setting; did you mean store?", 1),
    Broken(
        "wrong type",
        b'[store.mysql]\nport = "3306"\n',
        'store.mysql.port: found "3306" (text); valid is an integer',
        2,
    ),
    Broken(
        "boolean as integer",
        b"[queries]\nmax_cells = true\n",
        "found true; valid is an integer",
        2,
    ),
    Broken(
        "out of range",
        b"[store.mysql]\nport = 70000\n",
        "found 70000; valid is an integer from 1 to 65,535",
        2,
    ),
    Broken(
        "negative",
        b"[queries]\nmax_cells = -1\n",
        "queries.max_cells: found -1; valid is an integer of at least 1 (cells)",
        2,
    ),
    Broken("infinite", b"[panels]\ncheck_seconds = inf\n", "panels.check_seconds: found inf", 2),
    Broken("unknown choice", b'[store]\nname = "oracle"\n', 'found "oracle"; valid is one of "columnar"', 2),
    Broken("table for a value", b"[data_dir]\nx = 1\n", "data_dir: found a table; valid is a path", 1),
    Broken(
        "value for a table",
        b"store = 1\n",
        "store: found an integer; valid is a table of settings: [store]",
        1,
    ),
    Broken("list of tables", b"[[store]]\n", "store: found a list; valid is a table", 1),
    Broken("date", b"data_dir = 2024-01-01\n", "data_dir: found a date; valid is a path", 1),
    Broken("rules broken", b'[cache]\nbackend = "redis"\n', "cache.url: is empty; the redis cache needs"),
    Broken(
        "limits without Redis",
        b'[limits]\nbackend = "redis"\n',
        "cache.url: is empty; limits that are counted",
    ),
    Broken(
        "enormous integer", b"[queries]\nmax_cells = " + b"9" * 5000, "is not valid TOML: Exceeds the limit"
    ),
    Broken("nested lists", b"data_dir = " + b"[" * 100_000, "is nested too deeply"),
    Broken("dotted bomb", DEEP + b" = 1\n", "more than 50 dots", 1),
    Broken("50 MB", b"#" * 50_000_000, "is larger than 1,000,000 bytes"),
    Broken("gone", lambda path: None, "there is no such file"),
    Broken("a directory", Path.mkdir, "is a directory"),
    Broken("a named pipe", os.mkfifo, "is a pipe, socket or device"),
    Broken("a socket", _socket, "cannot be read: No such device or address"),
    Broken("a symlink to itself", lambda path: path.symlink_to(path.name), "cannot be read: Too many levels"),
    Broken("a symlink to nothing", lambda path: path.symlink_to("nowhere.toml"), "there is no such file"),
    Broken("an endless device", lambda path: path.symlink_to("/dev/zero"), "is a pipe, socket or device"),
]
