"""Writes the reference page of every setting from the settings themselves."""

from __future__ import annotations

from collections.abc import Iterator

from quantflux.config.catalogue import Setting, catalogue, sections

EXAMPLE = """\
data_dir = "/srv/quantflux"

[store]
name = "influxdb"

[store.influxdb]
url = "https://influx.example:8086"
dialect = "2"
org = "research"
bucket = "quantflux"
# The token comes from the environment: QUANTFLUX_STORE__INFLUXDB__TOKEN

[logging]
level = "INFO"
"""
"""A small complete configuration; a test loads it."""

_INTRODUCTION = """\
# Configuration

<!-- Written by `quantflux config reference`; a test compares the two. Change the settings, not this page. -->

quantflux runs without any configuration: an embedded store in `~/.local/share/quantflux`. To change something,
write a TOML file, set an environment variable, or give an option. Later sources win:

1. the defaults below;
2. the shipped file of the environment: `development` (when nothing is chosen), `testing` or `production`,
   chosen with `--env`, `QUANTFLUX_ENV` or `environment` in the user file;
3. the user file: `--config PATH`, else the path in `QUANTFLUX_CONFIG`, else `./quantflux.toml`, else
   `~/.config/quantflux/config.toml`; relative paths in it are relative to its own folder;
4. environment variables: `QUANTFLUX_STORE__NAME=mysql` sets `store.name`;
5. options: `--set store.name=mysql`.

Everything is checked before anything is used, and every problem is listed at once with its file, line and key.
An unknown key is a problem too, as is a variable that begins with `QUANTFLUX_` and sets nothing.

| command | does |
|---|---|
| `quantflux config show [SECTION]` | lists settings with value and origin; `--json` for programs |
| `quantflux config validate [FILE]` | checks everything; ends with 1 if something is wrong |
| `quantflux config explain KEY` | tells all about one setting |
| `quantflux config reference` | writes this page |

## An example

```toml
{example}```

## Secrets

Settings marked *secret* are shown as `********` everywhere. Give them as environment variables, or in a file that
only the service can read. In production, a secret that is missing where it is needed, shorter than 12 characters, or
known from samples (such as `changeme`) is refused, as are a remote InfluxDB without credentials, a remote https
server whose certificate is not checked, and the `memory` store.

## Changes while running

A process that runs for long can watch the user file (`ConfigManager.watch`) and take over a changed one as a whole.
If anything in it is wrong, the settings in force stay, the log says why, and the next good file is taken. If the file
disappears, the settings in force stay. Settings marked *restart* are read only at start; the log names those that
wait for one.

## All settings
"""


def reference() -> str:
    """Return the page as Markdown."""
    return "\n".join([_INTRODUCTION.format(example=EXAMPLE), *_tables()])


def _tables() -> Iterator[str]:
    for section, description in sections().items():
        inside = [s for s in catalogue().values() if s.key.rpartition(".")[0] == section]
        if not inside:
            continue
        yield f"### {f'`[{section}]`' if section else 'Top level'}\n\n{description}\n"
        yield "| setting | default | valid | meaning |\n|---|---|---|---|"
        yield from map(_row, inside)
        yield ""


def _row(setting: Setting) -> str:
    marks = [*(["*secret*"] if setting.secret else []), *(["*restart*"] if setting.restart else [])]
    name = setting.key.rpartition(".")[2]
    default = f"`{setting.shown(setting.default)}`" if setting.shown(setting.default) else "not set"
    unit = f" ({setting.unit})" if setting.unit else ""
    meaning = " ".join([setting.description, *marks])
    return f"| `{name}` | {default} | {setting.valid}{unit} | {meaning} |"
