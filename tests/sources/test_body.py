"""Peripheral signals beside EEG, and in streams of their own: which channels they are, and their samples and times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rtaffect.common.errors import StreamError
from rtaffect.sources.body_plan import plan_body
from rtaffect.sources.channel_plan import plan_eeg
from rtaffect.sources.polled import PolledSource
from rtaffect.sources.selection import Query
from rtaffect.sources.xdf import XdfRecording
from rtaffect.stream.body import body_of
from rtaffect.stream.source import StreamHeader
from tests.support.xdf_writer import FakeStream, image

RATE = 50.0


def header(labels: tuple[str, ...], types: tuple[str, ...] = (), units: tuple[str, ...] = ()) -> StreamHeader:
    return StreamHeader("Cap", "EEG", RATE, "float32", labels, units or ("uV",) * len(labels), types)


@pytest.mark.parametrize("types", [("EEG", "EDA", "EEG", "RESP"), ("EEG", "EEG", "EEG", "EEG"), ()])
def test_a_peripheral_channel_is_no_row_and_keeps_its_unit(types: tuple[str, ...]) -> None:
    plan = plan_eeg(header(("Fz", "EDA", "Pz", "Resp"), types, ("uV", "uS", "uV", "V")))
    assert plan.names == ("Fz", "Pz")
    assert [(each.name, each.kind, each.unit, each.column) for each in plan.body] == [
        ("EDA", "eda", "uS", 1), ("Resp", "respiration", "V", 3),
    ]  # fmt: skip


def test_a_stream_without_peripheral_channels_is_refused() -> None:
    with pytest.raises(StreamError, match="no peripheral channel, only Fz"):
        plan_body(header(("Fz",), ("EEG",)))


def test_a_recording_gives_them_at_the_times_of_their_stream(tmp_path: Path) -> None:
    rng, stamps = np.random.default_rng(0), 100.0 + np.arange(500) / RATE
    both = rng.standard_normal((500, 3)).astype(np.float32)
    belt = rng.standard_normal((250, 1)).astype(np.float32)
    path = tmp_path / "both.xdf"
    path.write_bytes(image([
        FakeStream(both, stamps, "Cap", rate=RATE, labels=("Fz", "EDA", "Pz"), kinds=("EEG", "EDA", "EEG"),
                   unit=("microvolts", "uS", "microvolts")),
        FakeStream(belt, 100.0 + np.arange(250) / 25.0, "Belt", "Respiration", 25.0, labels=("1",), unit=""),
    ]).data)  # fmt: skip
    recording = XdfRecording.open(path)
    (cap,), (alone,) = recording.eeg_sources(), recording.beside("body", [Query("name", "Belt")])
    for source, column, values in ((cap, 1, both), (alone, 0, belt)):
        source.advance(200.0)
        body = body_of(source)
        assert body is not None
        times, samples = body.buffer.tail(60.0)
        np.testing.assert_array_equal(samples[:, 0], values[:, column])
        np.testing.assert_array_equal(times, source.buffer.tail(60.0)[0])
    assert (cap.info.kind, alone.info.kind) == ("eeg", "body")


def test_a_board_gives_them_too() -> None:
    class Board(PolledSource):
        def _open(self) -> None: ...

        def _close(self) -> None: ...

        def _poll(self) -> None: ...

    board = Board("brainflow", "board", header(("Fz", "ECG"), ("EEG", "ECG"), ("uV", "mV")), {})
    values = np.arange(20.0).reshape(10, 2)
    board._deliver(values, 5.0 + np.arange(10) / RATE)
    body = body_of(board)
    assert body is not None
    np.testing.assert_array_equal(body.buffer.tail(10.0)[1][:, 0], values[:, 1])
    assert board.info.channels == ("Fz",)
    assert (board.header.labels, board.header.units) == (("Fz", "ECG"), ("uV", "mV")), "all that comes is recorded"
