"""Reading files: every broken kind is named with its place, and lines are found."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.config import ConfigRequest, load
from quantflux.config.files import MAX_BYTES, fingerprint, key_lines, read_toml
from quantflux.config.layers import MAX_PROBLEMS
from quantflux.core.errors import ConfigError
from tests.config.broken import BROKEN


@pytest.mark.parametrize("broken", BROKEN, ids=lambda b: b.name)
def test_a_broken_file_is_refused_with_its_name_and_line(broken, tmp_path):
    path = tmp_path / "user.toml"
    broken.put(path)

    with pytest.raises(ConfigError) as caught:
        load(ConfigRequest(path=path), {})

    message = str(caught.value)
    place = f"{path}:{broken.line}: " if broken.line else f"{path}"
    assert message.startswith(place), message
    assert broken.says in message
    assert "\n" not in message
    assert len(message) < 600


def test_there_are_thirty_kinds_of_broken_file():
    assert len({b.name for b in BROKEN}) >= 30


def test_an_unreadable_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(ConfigError, match="cannot be read: Not a directory"):
        load(ConfigRequest(path=tmp_path / "file" / "user.toml"), {})


def test_a_path_with_nul_is_refused():
    with pytest.raises(ConfigError, match="cannot be read"):
        load(ConfigRequest(path=Path("a\x00b")), {})


def test_a_byte_order_mark_and_windows_line_ends_are_no_problem(tmp_path):
    path = tmp_path / "user.toml"
    path.write_bytes(b'\xef\xbb\xbf[store]\r\nname = "memory"\r\n')

    loaded = load(ConfigRequest(path=path), {})

    assert loaded.settings.store.name == "memory"
    assert str(loaded.origin("store.name")) == f"{path}:2"


def test_a_file_of_comments_is_valid(tmp_path):
    path = tmp_path / "user.toml"
    path.write_text("# nothing yet " + "." * 300)

    assert load(ConfigRequest(path=path), {}).settings.store.name == "columnar"


def test_the_largest_file_is_valid(tmp_path):
    path = tmp_path / "user.toml"
    text = b'[store]\nname = "memory"\n'
    path.write_bytes(text + b"#" * (MAX_BYTES - len(text)))

    assert load(ConfigRequest(path=path), {}).settings.store.name == "memory"


def test_every_problem_is_listed_at_once(tmp_path):
    path = tmp_path / "user.toml"
    path.write_text('[store]\nnmae = "x"\n[logging]\nlevel = "LOUD"\n[queries]\nmax_cells = 0\n')

    with pytest.raises(ConfigError) as caught:
        load(ConfigRequest(path=path, overrides=("a.b=1",)), {"QUANTFLUX_DATADIR": "/x"})

    lines = caught.value.problems
    assert [line.split(": ")[0] for line in lines] == [
        f"{path}:2",
        f"{path}:4",
        f"{path}:6",
        "QUANTFLUX_DATADIR",
        "--set",
    ]
    assert all(line in str(caught.value) for line in lines)


def test_the_problems_listed_of_one_file_are_bounded(tmp_path):
    path = tmp_path / "user.toml"
    path.write_text("".join(f"key{number} = 1\n" for number in range(2_000)))

    with pytest.raises(ConfigError) as caught:
        load(ConfigRequest(path=path), {})

    assert len(caught.value.problems) == MAX_PROBLEMS + 1
    assert caught.value.problems[-1] == f"{path}: there are more problems"


def test_an_enormous_key_is_shortened(tmp_path):
    path = tmp_path / "user.toml"
    path.write_text(f"{'k' * 900_000} = 1\n")

    with pytest.raises(ConfigError) as caught:
        load(ConfigRequest(path=path), {})

    assert len(str(caught.value)) < 400


def test_lines_are_found_in_every_spelling_of_a_key():
    text = '''# [store]
environment = "testing"
note = """
[fake]
name = "no"
"""
[store]   # comment
  name = "memory"
mysql.port = 1
"mysql" . 'user' = "a = b"
[ store . influxdb ]
url = "[x]"
[store.influxdb.shard_days]
predictions = 2
[[list]]
inner = { deep = 1 }'''

    assert key_lines(text) == {
        "environment": 2,
        "note": 3,
        "store": 7,
        "store.name": 8,
        "store.mysql.port": 9,
        "store.mysql.user": 10,
        "store.influxdb": 11,
        "store.influxdb.url": 12,
        "store.influxdb.shard_days": 13,
        "store.influxdb.shard_days.predictions": 14,
        "list": 15,
        "list.inner": 16,
    }


def test_a_key_in_an_inline_table_is_found_at_the_table(tmp_path):
    path = tmp_path / "user.toml"
    path.write_text('environment = "testing"\nstore = { name = "memory" }')

    assert read_toml(path).line_of("store.name") == 2
    assert read_toml(path).line_of("elsewhere") is None


NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,5}", fullmatch=True)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(NAMES, st.dictionaries(NAMES, st.integers(), min_size=1, max_size=4), max_size=4))
def test_lines_found_are_the_lines_of_the_values(tables):
    # Each value is unique, so that the line which holds it is known without our parser.
    numbered = iter(range(1000, 2000))
    text = "".join(
        f"[{table}]\n\n" + "".join(f"{key} = {next(numbered)}\n" for key in keys)
        for table, keys in tables.items()
    )

    parsed = tomllib.loads(text)
    found = key_lines(text)

    for table, keys in parsed.items():
        for key, value in keys.items():
            assert text.split("\n")[found[f"{table}.{key}"] - 1].endswith(f"= {value}")


def test_the_fingerprint_follows_content_and_absence(tmp_path):
    path = tmp_path / "user.toml"
    seen = [fingerprint(path)]
    for content in ("a = 1", "a = 2", "a = 1"):
        path.write_text(content)
        seen.append(fingerprint(path))

    assert len(set(seen)) == 3
    assert seen[1] == seen[3]
