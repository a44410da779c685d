"""Answers that follow from stored data alone: kept under the version of the data, and not sent to who has them.

1. The versions of the datasets behind the answer are looked up; mostly they are known and nobody waits.
2. The entity tag is a hash of request, form and versions. Who sends it back gets 304, and nothing was read.
3. The body comes from the cache of this process without leaving the event loop, or from the cache behind it, or it
   is computed in a thread, once for all who ask at the same time.
4. A route of `KeptRouter` remembers which question an address meant, as its parameters mean the same every time. Who
   asks for the same address again is answered without them being read. Whether one may ask is looked at before.
5. If the data moved on while a body was computed, it may hold rows newer than its tag says. Such a body is thrown
   away and computed again under the new version (`questions.Work`), so that a tag always stands for the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from quantflux.api.parameters import Handler, ParametersAtOnce
from quantflux.api.questions import Found, MovedOnError, Question, Work, current_version, version_text
from quantflux.api.routing import Route, Router
from quantflux.core.errors import LimitReached
from quantflux.platform import Platform

_ATTEMPTS = 3
_REMEMBERED = 4096  # addresses of a route
_LONGEST = 1000  # bytes of an address that is remembered
_ASKED = "quantflux.question"


async def answer(
    request: Request,
    platform: Platform,
    question: Question,
    compute: Callable[[], Found],
    at_hand: Callable[[], bool] = lambda: False,
) -> Response:
    """Return the answer to a question: 304, from the cache, or computed in a thread.

    Parameters
    ----------
    request : Request
    platform : Platform
    question : Question
    compute : callable
        Reads the data and writes the body. Its errors pass through, and are not kept.
    at_hand : callable, optional
        Whether `compute` is a matter of microseconds now, less than handing it to a thread.
    """
    request.scope[_ASKED] = question
    for _ in range(_ATTEMPTS):
        version = _known_version(platform, question.datasets)
        if version is None:
            version = await run_in_threadpool(current_version, platform, question.datasets)
        kept = _kept(request, platform, question, version)
        if kept is not None:
            return kept
        work = Work(platform, question.datasets, version, compute)
        try:
            if at_hand():
                value = work()
                platform.cache.keep(question.kind, question.key, version, value)
            else:
                value = await platform.cache.get_or_compute(question.kind, question.key, version, work)
        except MovedOnError:
            continue
        except LimitReached:
            if work.began:
                raise
            continue  # it is the budget of somebody else who asked the same
        _count(platform, question)
        if question.stock:
            request.app.state.usual.note(question, compute)
        return _response(request, question, value, _headers(_tag(question.key, version)))
    found = await run_in_threadpool(compute)  # the data never stand still: answered, but not kept anywhere
    return _response(request, question, found.value, {})


def _kept(request: Request, platform: Platform, question: Question, version: str) -> Response | None:
    """Return the answer if the caller or the memory of this process has it; never waits."""
    tag = _tag(question.key, version)
    if tag in _held(request):
        return Response(status_code=304, headers=_headers(tag))
    value = platform.cache.peek(question.kind, question.key, version)
    if value is None:
        return None
    _count(platform, question)
    return _response(request, question, value, _headers(tag))


def _count(platform: Platform, question: Question) -> None:
    if question.stock:
        platform.cache.count_reads((question.stock,))


class _RemembersQuestions(ParametersAtOnce):
    """Answers what its address has asked before, if memory has it, before parameters are read."""

    def get_route_handler(self) -> Handler:
        """Return what answers a request that was let in."""
        run = super().get_route_handler()
        questions: dict[tuple[str, bytes, str | None], Question] = {}

        async def handle(request: Request) -> Response:
            scope = request.scope
            address = (scope["path"], scope["query_string"], request.headers.get("accept"))
            question = questions.get(address)
            if question is not None:
                platform: Platform = scope["app"].state.platform
                version = _known_version(platform, question.datasets)
                kept = None if version is None else _kept(request, platform, question, version)
                if kept is not None:
                    return kept
            response = await run(request)
            if question is None and _ASKED in scope and sum(len(part or "") for part in address) < _LONGEST:
                if len(questions) >= _REMEMBERED:
                    questions.pop(next(iter(questions)), None)  # the oldest; asked for again, it comes back
                questions[address] = scope[_ASKED]
            return response

        return handle


class KeptRoute(Route, _RemembersQuestions):
    """A route whose answers are those of `answer`: lets in as every route does, then remembers."""


class KeptRouter(Router):
    """A router of such routes."""

    def __init__(self, *, prefix: str, tags: list[str]) -> None:
        super().__init__(prefix=prefix, tags=tags)
        self.route_class = KeptRoute


def _response(request: Request, question: Question, value: bytes, headers: dict[str, str]) -> Response:
    if "ETag" in headers and "*" in _held(request):
        return Response(status_code=304, headers=headers)
    following, _, body = value.partition(b"\n")
    if following:
        target = request.url.include_query_params(**{question.following: following.decode()})
        headers["Link"] = f'<{target.path}?{target.query}>; rel="next"'
    return Response(body, headers=headers, media_type=question.form.media_type)


def _tag(key: str, version: str) -> str:
    hashed = blake2b(f"{key}\n{version}".encode(), digest_size=16).hexdigest()
    return f'"{hashed}"'


def _headers(tag: str) -> dict[str, str]:
    # Anybody's cache may keep it for its own user, and has to ask us before each use.
    return {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept"}


def _held(request: Request) -> list[str]:
    """Return the tags of what the caller says to have; a `*` is any answer that there is."""
    given = request.headers.get("if-none-match")
    if given is None or request.method not in ("GET", "HEAD"):
        return []
    return [part.strip().removeprefix("W/") for part in given.split(",")]


def _known_version(platform: Platform, datasets: tuple[str, ...]) -> str | None:
    max_age = platform.settings.panels.check_seconds
    states = [platform.data.known_state(name, max_age=max_age) for name in datasets]
    if None in states:
        return None
    return version_text(states)  # type: ignore[arg-type]  # none of them is None
