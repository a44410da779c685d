"""Credentials that nobody must be let in with, as plain data: each is tried on the service and on every route.

`forged(genuine)` returns values of the header Authorization by what is wrong with them. All that are signed are signed
with the right key, so that only the one thing named is wrong.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

BIG = 1_000_000


@dataclass(frozen=True)
class Genuine:
    """What is forged from.

    Attributes
    ----------
    access, refresh, api_key : str
        Good ones, of one user.
    key, kid : bytes, str
        What signs access tokens.
    """

    access: str
    refresh: str
    api_key: str
    key: bytes
    kid: str


def forged(genuine: Genuine) -> dict[str, str]:
    """Return headers by name of what is wrong with them."""
    tokens = {
        **_headers(genuine),
        **_claims(genuine),
        **_shapes(genuine),
        **_signatures(genuine),
    }
    return {name: f"Bearer {token}" for name, token in tokens.items()} | _schemes(genuine)


def part(value: object) -> str:
    """Return JSON, or bytes as they are, in base64url."""
    raw = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: object, claims: object, key: bytes, digest: str = "sha256") -> str:
    """Return a token with any header and claims, signed by HMAC."""
    text = f"{part(header)}.{part(claims)}"
    return f"{text}.{part(hmac.digest(key, text.encode(), digest))}"


def claims_of(token: str) -> dict[str, Any]:
    """Return a token's claims, unverified."""
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def header_of(genuine: Genuine) -> dict[str, object]:
    """Return the header that a good token has."""
    return {"alg": "HS256", "kid": genuine.kid, "typ": "at+jwt"}


def _headers(genuine: Genuine) -> dict[str, str]:
    claims, good, key = claims_of(genuine.access), header_of(genuine), genuine.key
    own = {"kty": "oct", "k": part(b"\x00" * 32)}
    changed: dict[str, dict[str, object]] = {
        "alg HS384": {"alg": "HS384"},
        "alg HS512": {"alg": "HS512"},
        "alg RS256": {"alg": "RS256"},
        "alg ES256": {"alg": "ES256"},
        "alg EdDSA": {"alg": "EdDSA"},
        "alg in lower case": {"alg": "hs256"},
        "alg with a blank": {"alg": "HS256 "},
        "alg a list": {"alg": ["HS256"]},
        "alg null": {"alg": None},
        "typ JWT": {"typ": "JWT"},
        "typ in upper case": {"typ": "AT+JWT"},
        "typ null": {"typ": None},
        "kid unknown": {"kid": "k2"},
        "kid empty": {"kid": ""},
        "kid null": {"kid": None},
        "kid a number": {"kid": 1},
        "kid a list": {"kid": [genuine.kid]},
        "kid a path": {"kid": "../../../../dev/null"},
        "kid a query": {"kid": "x' UNION SELECT 'key' --"},
        "kid a command": {"kid": "|cat /etc/passwd"},
        "kid with a NUL": {"kid": genuine.kid + "\x00"},
        "jku": {"jku": "http://127.0.0.1:9/keys.json"},
        "jwk": {"jwk": own},
        "x5u": {"x5u": "http://127.0.0.1:9/cert.pem"},
        "x5c": {"x5c": ["MIIB"]},
        "x5t": {"x5t": "AAAA"},
        "crit": {"crit": ["exp"]},
        "b64 false": {"b64": False, "crit": ["b64"]},
        "zip": {"zip": "DEF"},
        "cty JWT": {"cty": "JWT"},
        "enc": {"enc": "A256GCM"},
    }
    made = {f"header: {name}": signed(good | change, claims, key) for name, change in changed.items()}
    for absent in ("alg", "typ", "kid"):
        made[f"header: no {absent}"] = signed({k: v for k, v in good.items() if k != absent}, claims, key)
    made["header: a list"] = signed([good], claims, key)
    made["header: no JSON"] = signed(b"HS256", claims, key)
    made["header: nested deeply"] = signed(b"[" * 1000, claims, key)
    made["header: jwk, signed by it"] = signed(good | {"jwk": own}, claims, b"\x00" * 32)
    for name in ("none", "None", "NONE", "nOnE", ""):
        text = f"{part(good | {'alg': name})}.{part(claims)}."
        made[f"header: alg {name!r} without a signature"] = text
    made["header: alg none, signed"] = signed(good | {"alg": "none"}, claims, key)
    return made


def _claims(genuine: Genuine) -> dict[str, str]:
    claims, good, key = claims_of(genuine.access), header_of(genuine), genuine.key
    now = claims["iat"]
    changed: dict[str, dict[str, object]] = {
        "expired": {"iat": now - 600, "nbf": now - 600, "exp": now},
        "expired for a second": {"iat": now - 601, "nbf": now - 601, "exp": now - 1},
        "exp a text": {"exp": str(claims["exp"])},
        "exp a fraction": {"exp": claims["exp"] + 0.5},
        "exp null": {"exp": None},
        "exp true": {"exp": True},
        "exp infinite": {"exp": float("inf")},
        "exp huge": {"exp": 10**30},
        "valid for a day": {"exp": now + 86_400},
        "not valid yet": {"nbf": now + 60},
        "made in the future": {"iat": now + 60},
        "nbf a text": {"nbf": "0"},
        "iat null": {"iat": None},
        "other audience": {"aud": "another-api"},
        "audience a list": {"aud": ["quantflux-api", "another-api"]},
        "audience empty": {"aud": ""},
        "other issuer": {"iss": "quantflux2"},
        "issuer a list": {"iss": ["quantflux"]},
        "sub a number": {"sub": int(claims["sub"])},
        "sub of nobody": {"sub": "999999999"},
        "sub negative": {"sub": "-1"},
        "sub zero": {"sub": "0"},
        "sub in other digits": {"sub": "١"},
        "sub a query": {"sub": "1 OR 1=1"},
        "sub huge": {"sub": "9" * 400},
        "sub empty": {"sub": ""},
        "session of nobody": {"sid": "0" * 32},
        "session empty": {"sid": ""},
        "session a list": {"sid": [claims["sid"]]},
        "older version": {"ver": claims["ver"] - 1},
        "later version": {"ver": claims["ver"] + 1},
        "version a text": {"ver": str(claims["ver"])},
        "version true": {"ver": True},
        "jti a number": {"jti": 7},
    }
    made = {f"claims: {name}": signed(good, claims | change, key) for name, change in changed.items()}
    for absent in claims:
        made[f"claims: no {absent}"] = signed(good, {k: v for k, v in claims.items() if k != absent}, key)
    made["claims: a list"] = signed(good, [claims], key)
    made["claims: no JSON"] = signed(good, b"\x00\xff", key)
    made["claims: none"] = signed(good, {}, key)
    return made


def _shapes(genuine: Genuine) -> dict[str, str]:
    head, body, signature = genuine.access.split(".")
    return {
        "shape: empty": "",
        "shape: dots": "..",
        "shape: one part": head,
        "shape: two parts": f"{head}.{body}",
        "shape: four parts": f"{genuine.access}.{signature}",
        "shape: five parts": f"{head}.{body}.{signature}.{head}.{body}",
        "shape: a megabyte": "A" * BIG,
        "shape: a megabyte of claims": f"{head}.{'A' * BIG}.{signature}",
        "shape: a thousand dots": "." * 1000,
        "shape: padded": f"{genuine.access}=",
        "shape: a blank inside": f"{head}. {body}.{signature}",
        "shape: a line break behind": f"{genuine.access}\n",
        "shape: twice": f"{genuine.access}, {genuine.access}",
        "shape: as JSON": json.dumps({"token": genuine.access}),
        "shape: a NUL": f"{genuine.access}\x00",
        "shape: no ASCII": f"{head}.{body}.{signature}é",
        "a refresh token": genuine.refresh,
        "an API key": genuine.api_key,
        "the session": str(claims_of(genuine.access)["sid"]),
    }


def _signatures(genuine: Genuine) -> dict[str, str]:
    head, body, signature = genuine.access.split(".")
    claims, good = claims_of(genuine.access), header_of(genuine)
    first = "A" if signature[0] != "A" else "B"
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spelt = alphabet[alphabet.index(signature[-1]) ^ 1]  # the last character has two bits that no byte holds
    return {
        "signature: none": f"{head}.{body}.",
        "signature: another": f"{head}.{body}.{first}{signature[1:]}",
        "signature: cut": f"{head}.{body}.{signature[:-2]}",
        "signature: another spelling of its bytes": f"{head}.{body}.{signature[:-1]}{spelt}",
        "signature: of other claims": f"{head}.{part(claims | {'sub': claims['sub'] + '2'})}.{signature}",
        "signature: empty key": signed(good, claims, b""),
        "signature: key of zeros": signed(good, claims, b"\x00" * 32),
        "signature: the kid as key": signed(good, claims, genuine.kid.encode()),
        "signature: the word secret": signed(good, claims, b"secret"),
        "signature: the key in base64": signed(good, claims, base64.b64encode(genuine.key)),
        "signature: the key in hexadecimal": signed(good, claims, genuine.key.hex().encode()),
        "signature: SHA-512": signed(good, claims, genuine.key, "sha512"),
        "signature: a plain digest": f"{head}.{body}.{part(hashlib.sha256(f'{head}.{body}'.encode()).digest())}",
    }


def _schemes(genuine: Genuine) -> dict[str, str]:
    basic = base64.b64encode(f"admin:{genuine.access}".encode()).decode()
    return {
        "scheme: none": genuine.access,
        "scheme: Basic": f"Basic {basic}",
        "scheme: Digest": f'Digest username="admin", response="{genuine.access}"',
        "scheme: Token": f"Token {genuine.access}",
        "scheme: Bearer twice": f"Bearer Bearer {genuine.access}",
        "scheme: two blanks": f"Bearer  {genuine.access}",
        "scheme: a tab": f"Bearer\t{genuine.access}",
        "scheme: a colon": f"Bearer: {genuine.access}",
        "scheme: a blank in front": f" Bearer {genuine.access}",
        "scheme: nothing behind": "Bearer",
        "scheme: empty": "",
    }
