"""Recordings take no more memory than they have bytes for; what does not hold what it says is left out, and told."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from rtaffect.common.errors import RecordingError
from rtaffect.sources.xdf import XdfRecording
from rtaffect.sources.xdf_chunks import whole_chunks
from rtaffect.sources.xdf_file import read_xdf
from tests.support.xdf_writer import SAMPLES, STREAM_HEADER, FakeStream, chunk, image, stream_header

NUMBER = struct.pack("<I", 1)


def stream(kind: str = "float32", n: int = 100) -> FakeStream:
    stamps = 10.0 + np.arange(n) / 100
    values = [f"text {i}" for i in range(n)] if kind == "string" else np.arange(2 * n).reshape(n, 2)
    return FakeStream(values, stamps, format=kind, labels=() if kind == "string" else ("Fz", "Cz"))


def peak(path: Path) -> int:
    """Return the bytes that reading takes at most, refused or not."""
    tracemalloc.start()
    try:
        read_xdf(path)
    except RecordingError:
        pass
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return most


@pytest.mark.parametrize("kind", ["float32", "string"])
@pytest.mark.parametrize("count", [b"\x04" + struct.pack("<I", 30_000_000), b"\x08" + struct.pack("<Q", 2**40)])
def test_a_number_of_samples_takes_no_memory(tmp_path, kind, count):
    header = stream_header(stream(kind)).encode()
    data = b"XDF:" + chunk(STREAM_HEADER, NUMBER + header) + chunk(SAMPLES, NUMBER + count + b"\0" * 40)
    (tmp_path / "small.xdf").write_bytes(data)
    assert peak(tmp_path / "small.xdf") < 5_000_000


@pytest.mark.parametrize(("old", "new"), [(b"_count>2<", b"_count>4000000000<"), (b"_srate>100.0<", b"_srate>1e300<")])
def test_more_channels_or_samples_a_second_than_any_stream_has_are_refused(tmp_path, old, new):
    header = stream_header(stream()).encode()
    assert old in header
    (tmp_path / "small.xdf").write_bytes(b"XDF:" + chunk(STREAM_HEADER, NUMBER + header.replace(old, new)))
    with pytest.raises(RecordingError, match="expected at most"):
        read_xdf(tmp_path / "small.xdf")
    assert peak(tmp_path / "small.xdf") < 5_000_000


def test_a_packed_file_unpacks_to_a_bounded_size(tmp_path):
    (tmp_path / "bomb.xdf").write_bytes(gzip.compress(b"XDF:" + bytes(200_000_000), 1))
    with pytest.raises(RecordingError, match="unpacks to more than"):
        read_xdf(tmp_path / "bomb.xdf")


@pytest.mark.parametrize("kind", ["float32", "double64", "int16", "string"])
def test_whole_files_stay_as_they_are(kind):
    data = image([stream(kind)], per_chunk=30).data
    assert whole_chunks(data) == (data, [])


@pytest.mark.parametrize("kind", ["float32", "string"])
def test_only_the_chunk_that_is_damaged_is_left_out_and_that_is_told(tmp_path, kind):
    made = image([stream(kind)], per_chunk=25)
    begin, end = made.marks[0][0], made.marks[1][0]
    at = made.data.index(NUMBER + b"\x01\x19", begin) + 5
    assert begin < at < end
    data = bytearray(made.data)
    data[at] = 26
    (tmp_path / "damaged.xdf").write_bytes(data)
    (found,), notes = read_xdf(tmp_path / "damaged.xdf")
    np.testing.assert_allclose(found.stamps, np.delete(stream(kind).stamps, np.s_[25:50]))
    assert any("damaged and left out" in note for note in notes)


def test_a_rate_that_cannot_be_true_takes_no_memory(tmp_path):
    fast = stream()
    fast.rate = 380_000.0
    (tmp_path / "fast.xdf").write_bytes(image([fast]).data)
    tracemalloc.start()
    (source,) = XdfRecording.open(tmp_path / "fast.xdf").eeg_sources()
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
    source.advance(source.last)
    assert len(source.buffer.read(0, np.inf).times) == 100
