"""The second factor: six digits that an app on the user's telephone shows for half a minute (TOTP, RFC 6238)."""

from __future__ import annotations

import hmac

import pyotp
from sqlalchemy import Connection, update

from quantflux.core.clock import Clock
from quantflux.database.tables.accounts import users

STEP_SECONDS = 30
_DRIFT_STEPS = 1


class OneTimeCodes:
    """Sets up the second factor and takes each code once.

    Examples
    --------
    >>> OneTimeCodes.address("JBSWY3DPEHPK3PXPJBSWY3DP", "li.wei")
    'otpauth://totp/quantflux:li.wei?secret=JBSWY3DPEHPK3PXPJBSWY3DP&issuer=quantflux'
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @staticmethod
    def new_secret() -> str:
        """Return 160 random bits in base32, as the apps want them."""
        return pyotp.random_base32()

    @staticmethod
    def address(secret: str, name: str) -> str:
        """Return what a QR code for the app holds."""
        return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name="quantflux")

    def accept(self, connection: Connection, user_id: int, secret: str, code: str) -> bool:
        """Whether a code is right and was not used before; it cannot be used again.

        The one before and the one after the present half minute are taken as well, for clocks that are off.
        """
        step = self._step_of(secret, code)
        if step is None:
            return False
        # The comparison is part of the statement: of two requests with one code, one changes the row.
        unused = update(users).where(users.c.id == user_id, users.c.totp_step < step)
        return connection.execute(unused.values(totp_step=step)).rowcount == 1

    def _step_of(self, secret: str, code: str) -> int | None:
        if not (code.isascii() and code.isdigit() and len(code) == 6):
            return None
        present = int(self._clock.now().timestamp()) // STEP_SECONDS
        generator = pyotp.TOTP(secret)
        found = None
        for step in range(present - _DRIFT_STEPS, present + _DRIFT_STEPS + 1):
            if hmac.compare_digest(generator.generate_otp(step), code):
                found = step
        return found
