"""Secrets that an installation makes for itself, in files that only their owner may read."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
import stat
from pathlib import Path

from quantflux.core.errors import ConfigError

SECRET_BYTES = 32
"""As long as the output of SHA-256, below which a key would be the weakest part."""


def secret_file(path: Path) -> bytes:
    """Return the secret in a file, made with mode 600 if there is none.

    Whoever makes it, of several processes that start at once, all get the same.

    Raises
    ------
    ConfigError
        If others than its owner may read the file, or it holds no secret of 32 bytes or more.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "secrets" / "signing"
    ...     len(secret_file(path)), secret_file(path) == secret_file(path), oct(path.stat().st_mode)
    (32, True, '0o100600')
    """
    if not path.exists():
        _make(path)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise ConfigError(f"{path} may be read by others (mode {mode:o}); valid is 600: chmod 600 {path}")
    try:
        secret = base64.b64decode(path.read_text("ascii").strip(), validate=True)
    except (UnicodeDecodeError, binascii.Error):
        secret = b""
    if len(secret) < SECRET_BYTES:
        raise ConfigError(
            f"{path} holds no secret of at least {SECRET_BYTES} bytes in base64; remove it to have a new one made"
        )
    return secret


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(SECRET_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first; its secret is the one
            os.link(scratch, path)  # appears whole or not at all
    finally:
        scratch.unlink()
