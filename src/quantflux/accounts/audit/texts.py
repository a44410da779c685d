"""What may stand in the log: texts without control characters, details without secrets."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Mapping
from itertools import islice

MOST_DETAILS = 8000
"""Characters of the details of one entry; what is longer is cut, and says so."""

_MOST_TEXT = 500
_MOST_ITEMS = 50
_MOST_DEPTH = 4
STRUCK = "[redacted]"

_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?|secret|token|authorization|cookie|credential|otp|api_?key|private_?key|signing_?key|"
    r"^(key|code|pin|jwt|bearer)$",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"\bqf_[A-Za-z0-9]+_[A-Za-z0-9_-]{16,}"  # an API key of ours
    r"|\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*"  # a JSON web token
    r"|\b(?:bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user and password in an address
    r"|\$argon2[a-z]*\$\S+",
    re.IGNORECASE,
)


def plain(text: str, most: int) -> str:
    r"""Return a text as one line: what could steer a terminal, forge a line or hide is written as an escape.

    Control and format characters, line separators and halves of surrogate pairs become `\x1b`, `\u2028` and the
    like; a backslash is doubled, so that an escape cannot be forged. What looks like a credential is struck out.
    What is longer than `most` characters is cut.

    Examples
    --------
    >>> plain("eve\r\nuser.add done\x1b[2J", 40)
    'eve\\x0d\\x0auser.add done\\x1b[2J'
    """
    text = _SECRET_TEXT.sub(STRUCK, text[: 4 * most])
    if not text.isprintable() or "\\" in text:
        text = "".join(_shown(c) for c in text)
    return text if len(text) <= most else text[: most - 3] + "..."


def _shown(c: str) -> str:
    if c == "\\":
        return "\\\\"
    # Other, Separator-line, Separator-paragraph: controls, formats (which turn the reading order), surrogates.
    if unicodedata.category(c)[0] == "C" or c in "\u2028\u2029":
        code = ord(c)
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return c


def details_text(details: Mapping[str, object]) -> str:
    """Write details as JSON, secrets struck out by their names and by what they look like.

    Examples
    --------
    >>> details_text({"role": "viewer", "new_password": "hunter2", "tried": ["Bearer abcdefgh12345"]})
    '{"role":"viewer","new_password":"[redacted]","tried":["[redacted]"]}'
    """
    if not details:
        return "{}"
    text = json.dumps(_clean(details, 0), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    if len(text) <= MOST_DETAILS:
        return text
    return json.dumps(
        {"cut": True, "characters": len(text), "keys": [plain(str(k), 60) for k in details][:50]}
    )


def _clean(value: object, depth: int) -> object:
    if value is None or (isinstance(value, int) and abs(value) < 1 << 64):
        return value
    if isinstance(value, int):
        return "[large number]"  # Python refuses to write very large ones
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        # The text of what is nested deeper could hold secrets whose names nobody looked at.
        return _clean_parts(value, depth + 1) if depth < _MOST_DEPTH else "[nested too deeply]"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"[{len(value)} bytes]"
    return plain(str(value), _MOST_TEXT)


def _clean_parts(value: Mapping[object, object] | Collection[object], depth: int) -> object:
    if isinstance(value, Mapping):
        return {
            plain(str(name), 60): STRUCK if _SECRET_NAME.search(str(name)) else _clean(part, depth)
            for name, part in islice(value.items(), _MOST_ITEMS)
        }
    return [_clean(part, depth) for part in islice(value, _MOST_ITEMS)]
