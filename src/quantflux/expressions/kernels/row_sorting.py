"""The order of a row, by a radix sort made for ranks.

It takes some eight nanoseconds a number on ordinary rows and twice that on the worst we could think of, with gaps or
without; `np.argsort` takes 20 to 60.

`sort_row` works on one row of float64, seen as unsigned integers:

1. The bits of a number become its *key*, an integer that grows with the number (`_key`); -0.0 gets the key of 0.0.
   The lowest key is taken off and the rest shifted up, so that the row's range fills all 64 bits.
2. The lowest `place` bits, as many as a position needs, make room for it: key and position are one *word*. Numbers
   that are NaN are left out on the way (`_make_words`).
3. Words are dealt into piles by their second-highest digit, then by the highest, of up to 11 bits each (`_deal`).
   That leaves few out of order, and insertion mends them (`_insert`). Where very many share both digits, beside some
   that are far away, insertion gives up and all digits are dealt instead (`_deal_all`).
4. Words that differ only in the bits that gave way to the position, which takes numbers some ulps apart in a row with
   a wide range, are put in order by just these (`_settle`).

Every way ends in the same order: by number, equal ones by position.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from quantflux.expressions.kernels.contract import jit

_SIGN = np.uint64(1 << 63)
_ALL = np.uint64((1 << 64) - 1)
_INFINITY = np.uint64(0x7FF << 52)
_ZERO, _ONE = np.uint64(0), np.uint64(1)

_MOST_BITS = 11  # of a digit: its 2048 counters of 4 bytes stay in the first-level cache
_MOVES = 8  # per word, before insertion gives up
_SHORT = 24  # words that insertion sorts faster than dealing does


@jit
def _bits(number: Any) -> int:
    count = 0
    while number > _ZERO:
        number = number >> _ONE
        count += 1
    return count


@jit
def _key(bits: Any) -> Any:
    bits = _ZERO if bits == _SIGN else bits
    return bits ^ (_SIGN if bits < _SIGN else _ALL)


@jit
def _range(row: Any) -> tuple[Any, Any]:
    """Return the lowest and the highest key of the numbers; the lowest is above the highest if there are none."""
    low, high = _ALL, _ZERO
    for i in range(row.size):
        number = (row[i] & ~_SIGN) <= _INFINITY
        key = _key(row[i])
        low = min(low, key if number else _ALL)
        high = max(high, key if number else _ZERO)
    return low, high


@jit
def sorting_space(width: int) -> tuple[Any, Any, Any, Any, Any, Any]:
    """Return what `sort_row` needs for rows of this width, to be used again for every row.

    Returns
    -------
    order : array of int64, shape (width,)
        After `sort_row`: the positions of the numbers, ascending, equal ones as they stand in the row.
    tied : array of bool, shape (width,)
        Whether a number equals the one before it in that order.
    words, spare, high_counts, low_counts : array
        For the sort itself.
    """
    digit = min(max(_bits(np.uint64(width)), 4), _MOST_BITS)
    return (
        np.empty(width, np.int64),
        np.empty(width, np.bool_),
        np.empty(width, np.uint64),
        np.empty(width, np.uint64),
        np.empty(1 << digit, np.int32),
        np.empty(1 << digit, np.int32),
    )


@jit
def sort_row(row: Any, space: tuple[Any, Any, Any, Any, Any, Any]) -> int:
    """Order a row, given as its bits (uint64, shape (N,)); return how many numbers it has. See `sorting_space`."""
    order, tied, words, spare, high_counts, low_counts = space
    low, high = _range(row)
    if low > high:
        return 0
    place = _bits(np.uint64(row.size - 1))
    shift = 64 - max(_bits(high - low), 1)
    digit = _bits(np.uint64(high_counts.size - 1))
    count = _make_words(row, low, shift, place, words, high_counts, low_counts)
    _deal(words, spare, count, 64 - 2 * digit, low_counts)
    _deal(spare, words, count, 64 - digit, high_counts)
    if not _insert(words, count, _MOVES * count):
        _deal_all(words, spare, count, place, 64 - place, low_counts)
    _read_order(words, count, place, order, tied)
    if shift < place and _some_differ(row, order, tied, count):
        _settle(row, low, shift, place, count, space)
    return count


@jit
def _make_words(
    row: Any, low: Any, shift: int, place: int, words: Any, high_counts: Any, low_counts: Any
) -> int:
    """Write the words of the numbers, count their two highest digits, and return how many there are."""
    high_counts[:] = 0
    low_counts[:] = 0
    digit = _bits(np.uint64(high_counts.size - 1))
    to_high, to_low = np.uint64(64 - digit), np.uint64(64 - 2 * digit)
    last_digit = np.uint64(high_counts.size - 1)
    up, kept = np.uint64(shift), _ALL << np.uint64(place)
    count = 0
    for i in range(row.size):
        word = (((_key(row[i]) - low) << up) & kept) | np.uint64(i)
        words[count] = word  # overwritten by the next one if this is NaN
        number = (row[i] & ~_SIGN) <= _INFINITY
        high_counts[word >> to_high] += number
        low_counts[(word >> to_low) & last_digit] += number
        count += number
    return count


@jit
def _deal(words: Any, to: Any, count: int, bit: int, counts: Any) -> None:
    """Put words in the order of the digit that begins at a bit, of which there are `counts`; keep it among equals."""
    start = np.int32(0)
    for pile in range(counts.size):
        size = counts[pile]
        counts[pile] = start
        start += size
    down, last_digit = np.uint64(bit), np.uint64(counts.size - 1)
    for i in range(count):
        pile = (words[i] >> down) & last_digit
        to[counts[pile]] = words[i]
        counts[pile] += 1


@jit
def _deal_all(words: Any, spare: Any, count: int, first: int, bits: int, counts: Any) -> None:
    """Put words in the order of so many bits from the `first` on; what they have above is the same for all."""
    digit = _bits(np.uint64(counts.size - 1))
    last_digit = np.uint64(counts.size - 1)
    for bit in range(first, first + bits, digit):
        counts[:] = 0
        for i in range(count):
            counts[(words[i] >> np.uint64(bit)) & last_digit] += 1
        _deal(words, spare, count, bit, counts)
        for i in range(count):  # a slice here would triple the time to compile
            words[i] = spare[i]


@jit
def _insert(words: Any, count: int, moves: int) -> bool:
    """Sort words that are nearly in order; return False, with all of them still there, if that takes more moves."""
    for i in range(1, count):
        word = words[i]
        j = i
        while j > 0 and words[j - 1] > word:
            words[j] = words[j - 1]
            j -= 1
        words[j] = word
        moves -= i - j
        if moves < 0:
            return False
    return True


@jit
def _read_order(words: Any, count: int, place: int, order: Any, tied: Any) -> None:
    """Split sorted words into positions and ties."""
    position = ~(_ALL << np.uint64(place))
    order[0], tied[0] = np.int64(words[0] & position), False
    for i in range(1, count):
        order[i] = np.int64(words[i] & position)
        tied[i] = (words[i] ^ words[i - 1]) <= position


@jit
def _some_differ(row: Any, order: Any, tied: Any, count: int) -> bool:
    """Return whether any that are called tied may differ; cheaper than a walk along the runs, and rarely so."""
    differ = False
    for i in range(1, count):
        differ |= tied[i] & (row[order[i]] != row[order[i - 1]])
    return differ


@jit
def _settle(row: Any, low: Any, shift: int, place: int, count: int, space: tuple[Any, ...]) -> None:
    """Order the runs of words whose kept bits are equal by the bits that gave way to the position."""
    order, tied, words, spare, _, counts = space
    position = ~(_ALL << np.uint64(place))
    up, beside = np.uint64(shift), np.uint64(place)
    start = 0
    while start < count:
        stop = start + 1
        unequal = False
        while stop < count and tied[stop]:
            unequal |= _key(row[order[stop]]) != _key(row[order[start]])
            stop += 1
        if unequal:
            run, size = words[start:stop], stop - start
            for i in range(size):
                at = order[start + i]
                run[i] = ((((_key(row[at]) - low) << up) & position) << beside) | np.uint64(at)
            if size > _SHORT or not _insert(run, size, size * size):
                _deal_all(run, spare, size, place, place, counts)
            _read_order(run, size, place, order[start:stop], tied[start:stop])
        start = stop
