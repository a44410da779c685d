"""The application under attack, and the table of what was tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.attack.target import Target, attacked

TRIED: pytest.StashKey[Counter[str]] = pytest.StashKey()


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One a module, so that no module sees what another did."""
    with attacked(tmp_path_factory.mktemp("attacked")) as made:
        yield made


@pytest.fixture(scope="session")
def tried(request: pytest.FixtureRequest) -> Counter[str]:
    """How many cases of each kind were tried; each attack adds its own."""
    return request.config.stash.setdefault(TRIED, Counter())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print how much was tried: an attack that tried nothing has shown nothing."""
    counts = config.stash.get(TRIED, None)
    if not counts:
        return
    failed = len(terminalreporter.stats.get("failed", ()))
    terminalreporter.section("attacks")
    for name, cases in sorted(counts.items()):
        terminalreporter.line(f"{name:<58}{cases:>9,}")
    terminalreporter.line(f"{'in all':<58}{sum(counts.values()):>9,}")
    terminalreporter.line(f"{'tests with findings':<58}{failed:>9,}")
