"""Answers that follow from stored data alone: kept under the version of the data, and not sent to who has them.

1. The versions of the datasets behind the answer are looked up; mostly they are known and nobody waits (`_version`).
2. The entity tag is a hash of request, form and versions. Who sends it back gets 304, and nothing was read.
3. The body comes from the cache of this process without leaving the event loop, or from the cache behind it, or it
   is computed in a thread, once for all who ask at the same time.
4. If the data moved on while a body was computed, it may hold rows newer than its tag says. Such a body is thrown
   away and computed again under the new version (`_steady`), so that a tag always stands for the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from quantflux.accounts.permissions import Permission
from quantflux.api.answers import Form
from quantflux.cache.policies import OwnedKey
from quantflux.platform import Platform

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, in one form: equal questions have equal answers for as long as the data stay the same.

    Attributes
    ----------
    kind : {"hot_stocks", "user_queries"}
        Of the cache, which decides how long the answer lives.
    text : str
        The request without the ways in which the same can be said differently.
    form : Form
    datasets : tuple of str
        What the answer is made from.
    permission : Permission
        What one needs to ask: nothing else about the caller may change the answer.
    following : str
        The parameter that asks for the next page.
    """

    kind: str
    text: str
    form: Form
    datasets: tuple[str, ...]
    permission: Permission = Permission.MARKET_READ
    following: str = "after"

    @property
    def key(self) -> OwnedKey:
        """What the cache knows it by. The answer is the same for all who have the permission that the route asks."""
        hashed = blake2b(f"{self.form}\n{self.text}".encode(), digest_size=20).hexdigest()
        return OwnedKey.of(self.permission, hashed)


@dataclass(frozen=True, slots=True)
class Found:
    """A body, and where the next page begins; empty if there is none."""

    body: bytes
    next: str = ""


class MovedOnError(Exception):
    """The data changed while an answer was computed."""


async def answer(
    request: Request, platform: Platform, question: Question, compute: Callable[[], Found]
) -> Response:
    """Return the answer to a question: 304, from the cache, or computed in a thread.

    Parameters
    ----------
    request : Request
    platform : Platform
    question : Question
    compute : callable
        Reads the data and writes the body. Its errors pass through, and are not kept.
    """
    for _ in range(_ATTEMPTS):
        version = _known_version(platform, question.datasets)
        if version is None:
            version = await run_in_threadpool(_version, platform, question.datasets)
        key = question.key
        tag = _tag(key, version)
        if _holds(request, tag):
            return Response(status_code=304, headers=_headers(tag))
        value = platform.cache.peek(question.kind, key, version)
        if value is None:
            work = partial(_steady, platform, question.datasets, version, compute)
            try:
                value = await platform.cache.get_or_compute(question.kind, key, version, work)
            except MovedOnError:
                continue
        following, _, body = value.partition(b"\n")
        return _response(request, question, Found(body, following.decode()), _headers(tag))
    found = await run_in_threadpool(compute)  # the data never stand still: answered, but not kept anywhere
    return _response(request, question, found, {})


def _response(request: Request, question: Question, found: Found, headers: dict[str, str]) -> Response:
    if found.next:
        target = request.url.include_query_params(**{question.following: found.next})
        headers["Link"] = f'<{target.path}?{target.query}>; rel="next"'
    return Response(found.body, headers=headers, media_type=question.form.media_type)


def _tag(key: str, version: str) -> str:
    hashed = blake2b(f"{key}\n{version}".encode(), digest_size=16).hexdigest()
    return f'"{hashed}"'


def _headers(tag: str) -> dict[str, str]:
    # Anybody's cache may keep it for its own user, and has to ask us before each use.
    return {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept"}


def _holds(request: Request, tag: str) -> bool:
    """Whether the caller has said that it has the answer already."""
    given = request.headers.get("if-none-match")
    if given is None:
        return False
    return any(part.strip().removeprefix("W/") in (tag, "*") for part in given.split(","))


def _known_version(platform: Platform, datasets: tuple[str, ...]) -> str | None:
    max_age = platform.settings.panels.check_seconds
    states = [platform.data.known_state(name, max_age=max_age) for name in datasets]
    if None in states:
        return None
    return _text(states)  # type: ignore[arg-type]  # none of them is None


def _version(platform: Platform, datasets: tuple[str, ...]) -> str:
    return _text([platform.data.state(name) for name in datasets])


def _text(states: list[tuple[str, int]]) -> str:
    return ",".join(f"{identity}:{version}" for identity, version in states)


def _steady(
    platform: Platform, datasets: tuple[str, ...], version: str, compute: Callable[[], Found]
) -> bytes:
    """Return the value to keep: where the next page begins, a line feed, the body."""
    found = compute()
    if _version(platform, datasets) != version:
        raise MovedOnError
    return found.next.encode() + b"\n" + found.body
