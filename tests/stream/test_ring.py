"""The ring against a plain table that keeps everything."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtaffect.stream.ring import RingBuffer

WRITES = st.lists(st.tuples(st.booleans(), st.integers(0, 25)), max_size=12)


@given(capacity=st.integers(1, 12), writes=WRITES, data=st.data())
def test_any_writes_and_reads_match_a_plain_table(capacity, writes, data):
    ring = RingBuffer(capacity, 2, np.float64)
    table = np.empty((0, 2))
    for absent, n in writes:
        rows = np.full((n, 2), np.nan) if absent else len(table) + np.arange(n * 2.0).reshape(n, 2)
        if absent:
            ring.skip(n)
        else:
            ring.append(rows)
        table = np.concatenate([table, rows])
    assert ring.head == len(table)
    assert ring.oldest == max(0, ring.head - capacity)

    low = data.draw(st.integers(0, ring.head + 5))
    high = data.draw(st.integers(low, ring.head + 10))
    numbers = np.arange(low, high)
    expected = np.full((high - low, 2), np.nan)
    held = (numbers >= ring.oldest) & (numbers < ring.head)
    expected[held] = table[numbers[held]]
    np.testing.assert_array_equal(ring.read(low, high), expected)


def test_one_write_longer_than_the_ring_keeps_its_end():
    ring = RingBuffer(4, 1)
    ring.append(np.arange(11, dtype=np.float32)[:, None])
    np.testing.assert_array_equal(ring.read(0, 12)[:, 0], [np.nan] * 7 + [7, 8, 9, 10, np.nan])


def test_a_read_is_a_copy():
    ring = RingBuffer(4, 1)
    ring.append(np.ones((4, 1), np.float32))
    ring.read(0, 4)[:] = 7.0
    np.testing.assert_array_equal(ring.read(0, 4), np.ones((4, 1)))


@pytest.mark.parametrize(("capacity", "columns"), [(0, 1), (1, 0), (-3, 2)])
def test_an_empty_ring_is_refused(capacity, columns):
    with pytest.raises(ValueError, match="at least one row"):
        RingBuffer(capacity, columns)


def test_a_backwards_read_is_refused():
    with pytest.raises(ValueError, match="rows 3 to 2"):
        RingBuffer(4, 1).read(3, 2)
