from __future__ import annotations

import stat
import threading

import pytest

from quantflux.accounts.secrets import secret_file
from quantflux.core.errors import ConfigError


def test_a_secret_is_made_once_for_its_owner_alone(tmp_path):
    path = tmp_path / "secrets" / "signing"
    secret = secret_file(path)

    assert len(secret) == 32 and secret == secret_file(path) != secret_file(tmp_path / "secrets" / "audit")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(file.name for file in path.parent.iterdir()) == ["audit", "signing"]


def test_all_who_start_at_once_have_the_same(tmp_path):
    path, found = tmp_path / "signing", []
    threads = [threading.Thread(target=lambda: found.append(secret_file(path))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 20 and len(set(found)) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o601])
def test_a_secret_that_others_may_read_is_refused(mode, tmp_path):
    path = tmp_path / "signing"
    secret_file(path)
    path.chmod(mode)

    with pytest.raises(ConfigError, match="chmod 600"):
        secret_file(path)


@pytest.mark.parametrize("text", ["", "short", "c2hvcnQ=", "ä" * 60, "A" * 42])
def test_what_is_no_secret_is_refused_and_not_shown(text, tmp_path):
    path = tmp_path / "signing"
    path.write_text(text, "utf-8")
    path.chmod(0o600)

    with pytest.raises(ConfigError, match="no secret of at least 32 bytes") as refused:
        secret_file(path)
    assert not text or text not in str(refused.value)
