"""Independent random streams: each part of the market draws from its own, so changing one leaves the others alone."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a stream is for. Numbers are part of the seed: never reuse one."""

    DRIVERS = 1
    COMPANIES = 2
    PATHS = 3
    BARS = 4
    MINUTES = 5
    BUSINESS = 6
    STATEMENTS = 7
    MONEYFLOW = 8


def generator(seed: int, stream: Stream, *parts: int) -> np.random.Generator:
    """Return the generator of one stream, and within it of one block or bar.

    Examples
    --------
    >>> a, b = generator(7, Stream.BARS, 0), generator(7, Stream.BARS, 0)
    >>> a.random() == b.random() != generator(7, Stream.BARS, 1).random()
    True
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, int(stream), *parts])))
