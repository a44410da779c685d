"""Who asks: an API key, an access token, or a log-in that renews itself."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from typing import Any, Protocol

import orjson

from quantflux.client.calls import Call
from quantflux.client.failures import refusal
from quantflux.client.wire import Lost, Wire
from quantflux.core.errors import Forbidden, InvalidRequest, NotAuthenticated, QuantfluxError

_EARLY_SECONDS = 5.0
"""An access token is renewed so long before it ends, as clocks and networks are not exact."""

_REFRESH_ATTEMPTS = 3
_OWN = ("/api/v2/account", "/api/v2/auth")


class Credentials(Protocol):
    """What is sent so that the server knows who asks."""

    def header(self) -> tuple[str, str]:
        """Return name and value of the header to send now."""

    def renew(self, refused: str) -> bool:
        """Get another value for one that was refused; False if there is none."""

    def check(self, call: Call) -> None:
        """Raise if the server would refuse this for a reason that is known already."""

    def observe(self, call: Call, found: Any) -> None:
        """Look at an answer, which may have brought other credentials."""

    def end(self) -> None:
        """Log out, if this logged in."""


class FixedHeader:
    """An API key or a token that somebody else got: there is no other when it is refused."""

    def __init__(self, name: str, value: str) -> None:
        if not value.isascii() or not value.isprintable() or " " in value.removeprefix("Bearer "):
            raise InvalidRequest(f"what is sent as {name} must be one word of visible ASCII characters")
        self._header = (name, value)

    def __repr__(self) -> str:
        return self._header[0]

    def header(self) -> tuple[str, str]:
        """Return it."""
        return self._header

    def renew(self, refused: str) -> bool:
        """There is no other."""
        return False

    def check(self, call: Call) -> None:
        """Nothing is known beforehand."""

    def observe(self, call: Call, found: Any) -> None:
        """It stays the same."""

    def end(self) -> None:
        """It is not ours to end."""


class Session:
    """A log-in with name and password. Renews its access token, once for all threads that need it.

    Parameters
    ----------
    wire : Wire
    user, password : str
    code : str or None
        Six digits of the second factor. They count once, so such a session cannot log in again by itself.
    label : str
        How it is called in the list of sessions.
    """

    def __init__(self, wire: Wire, user: str, password: str, code: str | None, label: str) -> None:
        self._wire = wire
        self._user, self._password, self._code = user, password, code
        self._label = label
        self._device = ""
        self._lock = threading.Lock()
        self._access = self._refresh = ""
        self._ends = 0.0
        self.must_change_password = False
        self._log_in()

    def __repr__(self) -> str:
        return f"user {self._user}"

    @property
    def password(self) -> str:
        """The password in force, as its change has to prove it."""
        return self._password

    def header(self) -> tuple[str, str]:
        """Return the access token, renewed if it is about to end."""
        access, ends = self._access, self._ends
        if time.monotonic() > ends - _EARLY_SECONDS:
            self.renew(f"Bearer {access}")
        return "Authorization", f"Bearer {self._access}"

    def renew(self, refused: str) -> bool:
        """Exchange the refresh token; log in again if the session is gone.

        Raises
        ------
        NotAuthenticated
            If the password does not serve any more, or a code of the second factor is needed.
        """
        with self._lock:
            if refused != f"Bearer {self._access}":
                return True  # another thread has done it
            try:
                self._exchange_refresh()
            except NotAuthenticated as exc:
                if self._code is not None:
                    raise NotAuthenticated(
                        "The session has ended, and the account has a second factor: make a new Client with a new code."
                    ) from exc
                self._log_in()
        return True

    def check(self, call: Call) -> None:
        """Say that the password has to be changed before anything else.

        Raises
        ------
        Forbidden
        """
        if self.must_change_password and not call.path.startswith(_OWN):
            raise Forbidden(
                f"{self._user} must choose a password before anything else: client.change_password('a new one')"
            )

    def observe(self, call: Call, found: Any) -> None:
        """Go on with the session that a changed password or second factor began."""
        if call.path.startswith(_OWN[0]) and isinstance(found, dict) and found.get("access_token"):
            with self._lock:
                if call.body is not None and "new_password" in call.body:
                    self._password = str(call.body["new_password"])
                if call.path.endswith("/totp/confirm"):
                    self._code = str((call.body or {}).get("code", ""))
                elif call.path.endswith("/totp/remove"):
                    self._code = None
                self._adopt(found)

    def end(self) -> None:
        """Log out. That it could not be told to the server is no matter: the session ends by itself."""
        with self._lock, contextlib.suppress(QuantfluxError):
            if self._access:
                name, value = "Authorization", f"Bearer {self._access}"
                self._access = self._refresh = ""
                self._wire.exchange("POST", "/api/v2/auth/logout", {name: value})

    def _log_in(self) -> None:
        asked = {"name": self._user, "password": self._password, "label": self._label, "device": self._device}
        found = self._post("login", asked if self._code is None else asked | {"code": self._code})
        if found["needs_totp"]:
            raise NotAuthenticated(
                f"{self._user} has a second factor: give the six digits that the app shows, Client(..., code='123456')."
            )
        self._adopt(found)

    def _exchange_refresh(self) -> None:
        if not self._refresh:
            raise NotAuthenticated("This client has logged out.")
        for attempt in range(1, _REFRESH_ATTEMPTS + 1):
            try:
                # Safe to repeat: for some seconds the server gives the same successor again.
                return self._adopt(self._post("refresh", {"refresh_token": self._refresh}))
            except Lost:
                if attempt == _REFRESH_ATTEMPTS:
                    raise
        return None

    def _post(self, what: str, body: Mapping[str, Any]) -> dict[str, Any]:
        target = f"/api/v2/auth/{what}"
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        reply = self._wire.exchange("POST", target, headers, orjson.dumps(body))
        if reply.status >= 400:
            raise refusal(reply.status, reply.headers, reply.content, f"POST {target}", self._wire.url)
        try:
            found = orjson.loads(reply.content)
            return {name: found[name] for name in _TOKEN_FIELDS}
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise QuantfluxError(
                f"{self._wire.url} answered a log-in, but not as quantflux does. Is it a quantflux server?"
            ) from None

    def _adopt(self, found: Mapping[str, Any]) -> None:
        self._access, self._refresh = found["access_token"], found["refresh_token"]
        self._ends = time.monotonic() + float(found["expires_in"])
        self._device = found.get("device") or self._device
        self.must_change_password = bool(found["must_change_password"])


_TOKEN_FIELDS = (
    "access_token",
    "refresh_token",
    "expires_in",
    "must_change_password",
    "needs_totp",
    "device",
)
