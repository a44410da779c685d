"""Access tokens: short-lived JSON Web Tokens of one algorithm, signed by a key of our own.

A token is read in this order, and refused at the first thing that is not as it must be:

1. Its length and its three parts, each in the one spelling that base64url has for its bytes.
2. The header: exactly `alg`, `typ` and `kid`. Anything that would name a key elsewhere (`jku`, `jwk`, `x5u`, `x5c`)
   or change how the token is read (`crit`, `b64`, `zip`) is refused, not ignored.
3. The key: `kid` is looked up among ours.
4. The signature, by HMAC-SHA-256 alone. Only now is a claim looked at.
5. The claims: all there, each of its one type, ours, and of now.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from quantflux.core.clock import Clock
from quantflux.core.errors import ConfigError, NotAuthenticated

ALGORITHM = "HS256"
TYPE = "at+jwt"
"""As RFC 9068 has it: no other kind of token can be taken for an access token."""

LONGEST = 2048
"""Characters. Ours have about 450."""

LEEWAY = 10
"""Seconds by which the clocks of two hosts may differ: for what says when a token was made, not for its end."""

LONGEST_LIFE = 600
SHORTEST_KEY = 32
_HEADER = {"alg", "typ", "kid"}
_CLAIMS = ["iss", "aud", "sub", "sid", "ver", "jti", "iat", "nbf", "exp"]


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says, once it was verified.

    Attributes
    ----------
    user_id : int
    session : str
    version : int
        The user's count of changes that void older tokens, when this one was made.
    expires_at : int
        Seconds since 1970.
    """

    user_id: int
    session: str
    version: int
    expires_at: int


class JWTManager:
    """Signs and verifies access tokens.

    Parameters
    ----------
    keys : mapping of str to bytes
        By `kid`, newest first: the first one signs, all of them verify. Each at least 32 bytes.
    issuer, audience : str
        Written into each token and required of it.
    clock : Clock

    Raises
    ------
    ConfigError
        If there is no key, or one is too short.

    Examples
    --------
    >>> from quantflux.core.clock import SystemClock
    >>> tokens = JWTManager({"k1": bytes(range(32))}, "quantflux", "quantflux-api", SystemClock())
    >>> tokens.verify(tokens.issue(7, "5e55", version=3, seconds=60)).user_id
    7
    """

    def __init__(self, keys: Mapping[str, bytes], issuer: str, audience: str, clock: Clock) -> None:
        if not keys:
            raise ConfigError("there is no key to sign access tokens with")
        for kid, key in keys.items():
            if len(key) < SHORTEST_KEY:
                raise ConfigError(
                    f"the signing key {kid!r} has {len(key)} bytes; valid are at least {SHORTEST_KEY}"
                )
        self._keys = dict(keys)
        self._newest = next(iter(self._keys))
        self._issuer = issuer
        self._audience = audience
        self._clock = clock

    def issue(self, user_id: int, session: str, *, version: int, seconds: int) -> str:
        """Return a signed token that is valid for some seconds, at most ten minutes."""
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(user_id),
            "sid": session,
            "ver": version,
            "jti": secrets.token_hex(12),
            "iat": now,
            "nbf": now,
            "exp": now + min(seconds, LONGEST_LIFE),
        }
        header = {"typ": TYPE, "kid": self._newest}
        return jwt.encode(claims, self._keys[self._newest], ALGORITHM, headers=header)

    def verify(self, token: str) -> Claims:
        """Return what a token says.

        Raises
        ------
        NotAuthenticated
            If anything is wrong with it. The message is always the same; `__notes__` is for the audit log.
        """
        header = _read_header(token)
        key = self._keys.get(header["kid"])
        if key is None:
            raise refusal("kid")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=self._audience,
                # Times are checked against our clock below.
                options={
                    "require": _CLAIMS,
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "strict_aud": True,
                },
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise refusal("signature or claims") from None
        return self._checked(claims)

    def derive(self, purpose: str) -> bytes:
        """Return a key for another purpose, which tells nothing about the signing key."""
        return hmac.digest(self._keys[self._newest], f"quantflux {purpose}".encode(), hashlib.sha256)

    def _checked(self, claims: dict[str, Any]) -> Claims:
        subject, session, version = claims["sub"], claims["sid"], claims["ver"]
        issued, valid_from, expires = claims["iat"], claims["nbf"], claims["exp"]
        whole = all(type(number) is int for number in (version, issued, valid_from, expires))
        if not whole or not isinstance(session, str) or not isinstance(claims["jti"], str):
            raise refusal("types of claims")
        if not (isinstance(subject, str) and subject.isascii() and subject.isdigit() and len(subject) < 19):
            raise refusal("subject")
        now = self._clock.now().timestamp()
        if expires <= now:
            raise refusal("expired")
        if issued > now + LEEWAY or valid_from > now + LEEWAY or expires - issued > LONGEST_LIFE:
            raise refusal("times")
        return Claims(int(subject), session, version, expires)


def refusal(why: str) -> NotAuthenticated:
    """Return the one answer to any credential that is not taken; the reason is a note that no caller sees."""
    refused = NotAuthenticated("Not logged in, or not any more; log in and try again.")
    refused.add_note(why)
    return refused


def _read_header(token: str) -> dict[str, str]:
    if not isinstance(token, str) or len(token) > LONGEST or not token.isascii():
        raise refusal("length")
    parts = token.split(".")
    if len(parts) != 3:
        raise refusal("shape")
    try:
        decoded = [_decoded(part) for part in parts]
        header = json.loads(decoded[0])
    except (ValueError, RecursionError, binascii.Error):
        raise refusal("shape") from None
    if not isinstance(header, dict) or set(header) != _HEADER:
        raise refusal("header")
    if header["alg"] != ALGORITHM or header["typ"] != TYPE or not isinstance(header["kid"], str):
        raise refusal("header")
    return header


def _decoded(part: str) -> bytes:
    raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != part:
        raise ValueError("not the one spelling of these bytes")
    return raw
