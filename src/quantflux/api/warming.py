"""Keeps what is often asked of often-read stocks ready: after a write, before the next one asks.

A key holds the version of the data, so a write leaves every answer behind. What was last asked of each stock is
remembered with its computation; every minute the answers of the hottest stocks that memory lacks are computed again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

from starlette.concurrency import run_in_threadpool

from quantflux.api.questions import Found, MovedOnError, Question, Work, current_version
from quantflux.platform import Platform

logger = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
_STOCKS = 5000
_OF_ONE = 4


class UsualQuestions:
    """What was last asked of each stock: of at most 5,000 stocks, at most four questions each."""

    def __init__(self) -> None:
        self._stocks: OrderedDict[str, OrderedDict[str, tuple[Question, Callable[[], Found]]]] = OrderedDict()

    def note(self, question: Question, compute: Callable[[], Found]) -> None:
        """Remember a question of a stock, and how it is answered."""
        asked = self._stocks.setdefault(question.stock, OrderedDict())
        self._stocks.move_to_end(question.stock)
        asked[question.key] = (question, compute)
        asked.move_to_end(question.key)
        if len(asked) > _OF_ONE:
            asked.popitem(last=False)
        if len(self._stocks) > _STOCKS:
            self._stocks.popitem(last=False)

    async def load(self, platform: Platform, stock: str) -> None:
        """Answer a stock's questions that memory has no answer to."""
        for question, compute in list(self._stocks.get(stock, {}).values()):
            version = await run_in_threadpool(current_version, platform, question.datasets)
            work = Work(platform, question.datasets, version, compute)
            with suppress(MovedOnError):  # the next round will find it
                await platform.cache.get_or_compute(question.kind, question.key, version, work)


async def keep_warm(platform: Platform, usual: UsualQuestions, every: float = EVERY_SECONDS) -> None:
    """Warm the cache until cancelled."""
    while True:
        await asyncio.sleep(every)
        try:
            await platform.cache.warm(
                platform.settings.cache.hot_stocks, lambda stock: usual.load(platform, stock)
            )
        except Exception:  # a round that fails must not be the last one
            logger.exception("warming the cache failed")
