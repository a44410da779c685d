"""The memory tier stays within its bytes and puts out what was read longest ago."""

from __future__ import annotations

import random
import threading
import tracemalloc

from quantflux.cache.memory import OVERHEAD, Entry, MemoryTier


class Watched(MemoryTier):
    def __init__(self, most_bytes: int) -> None:
        self.sizes: list[tuple[int, int]] = []
        self.reasons: list[str] = []
        super().__init__(most_bytes, lambda n, size: self.sizes.append((n, size)), self.reasons.append)


def entry(size: int = 100, born: float = 0.0, ends: float = 100.0) -> Entry:
    return Entry(b"v" * size, born, ends * 0.8, ends)


def name(key: str, kind: str = "results") -> tuple[str, str, str]:
    return (kind, key, "v1")


def test_the_least_recently_read_goes_first() -> None:
    cost = 100 + 1 + 2 + OVERHEAD
    tier = Watched(5 * cost)
    for key in "abcde":
        tier.put(name(key), entry())

    tier.get(name("a"))
    tier.put(name("f"), entry())

    assert [key for key in "abcdef" if tier.get(name(key))] == ["a", "c", "d", "e", "f"]
    assert tier.reasons == ["space"]
    assert tier.bytes == 5 * cost and tier.sizes[-1] == (5, 5 * cost)


def test_a_value_that_would_drive_out_all_others_is_not_kept() -> None:
    tier = Watched(10_000)
    tier.put(name("small"), entry())

    tier.put(name("huge"), entry(size=9000))

    assert tier.get(name("huge")) is None and tier.get(name("small")) is not None


def test_replacing_a_value_by_one_too_big_leaves_no_old_one() -> None:
    tier = Watched(10_000)
    tier.put(name("a"), entry())

    tier.put(name("a"), entry(size=9000))

    assert tier.get(name("a")) is None and tier.bytes == 0


def test_bytes_add_up_after_any_sequence() -> None:
    chance, tier = random.Random(3), Watched(20_000)
    for step in range(3000):
        key = name(str(chance.randrange(60)), chance.choice(["results", "realtime"]))
        match chance.randrange(12):
            case 0:
                tier.clear(chance.choice([None, "results"]))
            case 1:
                tier.sweep(step)
            case 2:
                tier.shorten("results", 1.0, 0.5)
            case 3 | 4 | 5:
                tier.get(key)
            case _:
                tier.put(key, entry(size=chance.randrange(3000), ends=step + chance.randrange(50)))
        held = sum(len(e.value) + len(k[1]) + len(k[2]) + OVERHEAD for k, e in tier._entries.items())
        assert tier.bytes == held <= 20_000


def test_what_it_says_it_takes_covers_what_it_does_take() -> None:
    tier = MemoryTier(10_000_000, lambda *_: None, lambda _: None)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for i in range(2000):
        tier.put(("results", f"key-{i}", f"version-{i}"), Entry(bytes(200), float(i), i + 0.5, i + 1.0))
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert 0.5 * tier.bytes < taken <= tier.bytes


def test_sweeping_drops_what_has_ended_and_nothing_else() -> None:
    tier = Watched(100_000)
    tier.put(name("old"), entry(ends=10.0))
    tier.put(name("new"), entry(ends=20.0))

    assert tier.sweep(10.0) == 1
    assert tier.get(name("old")) is None and tier.get(name("new")) is not None
    assert tier.reasons == ["expired"]


def test_threads_that_read_and_write_at_once_never_fail() -> None:
    tier, errors = Watched(20_000), []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for _ in range(4000):
                key = name(str(chance.randrange(50)))
                if chance.random() < 0.5:
                    tier.put(key, entry(size=chance.randrange(1500)))
                else:
                    tier.get(key)
        except Exception as exc:  # noqa: BLE001 - whatever it is, it fails the test
            errors.append(exc)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert tier.bytes == sum(len(e.value) + len(k[1]) + 2 + OVERHEAD for k, e in tier._entries.items())
