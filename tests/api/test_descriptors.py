"""How many connections fit."""

from __future__ import annotations

import resource

import pytest

from quantflux.api import descriptors


@pytest.mark.parametrize(
    ("limit", "room"),
    [(70, descriptors.LEAST_ROOM), (100_000, pytest.approx(100_000 - descriptors.RESERVED, abs=2000))],
)
def test_room_is_what_is_left(monkeypatch: pytest.MonkeyPatch, limit: int, room: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))

    assert descriptors.room_for_connections() == room


def test_without_a_limit_there_is_room_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    assert descriptors.room_for_connections() >= 10_000


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        ((1024, 4096), (4096, 4096)),
        ((1024, resource.RLIM_INFINITY), (65_536, resource.RLIM_INFINITY)),
        ((128, 128), None),
        ((100_000, 200_000), None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None),
    ],
)
def test_the_limit_is_raised_as_far_as_it_may(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], wanted: tuple[int, int] | None
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: asked.append(pair))

    descriptors.raise_limit()

    assert asked == ([] if wanted is None else [wanted])


def test_a_system_that_refuses_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []

    def refuse(_: int, pair: tuple[int, int]) -> None:
        asked.append(pair)
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1024))
    monkeypatch.setattr(resource, "setrlimit", refuse)

    descriptors.raise_limit()

    assert asked == [(1024, 1024)]
    assert descriptors.room_for_connections() < 256
