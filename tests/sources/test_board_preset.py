"""Peripheral signals that a board sends in a preset of its own, by BrainFlow's synthetic and playback boards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pylsl
import pytest

from rtaffect.common.errors import StreamError
from rtaffect.sources import board_preset, brainflow_board, live
from rtaffect.sources.board_preset import BoardPreset
from rtaffect.sources.brainflow_board import BrainFlowSource
from rtaffect.sources.brainflow_library import KNOWN, STANDING_FOR, board_names, brainflow, describe_presets
from rtaffect.sources.device_profile import is_eeg
from rtaffect.sources.package_counter import Numbering, PackageCounter
from rtaffect.stream.buffer import SampleBuffer
from tests.support.recording_tap import RecordingTap
from tests.support.waiting import wait_for

KINDS = ("EDA", "PPG", "PPG", "TEMPERATURE")


def status(source: Any) -> Any:
    return source.status(pylsl.local_clock())


@pytest.fixture
def opened() -> Iterator[Callable[..., tuple[BrainFlowSource, BoardPreset]]]:
    """Open the synthetic board, or another one, with taps; return it and the one preset beside; all is stopped."""
    sources: list[BrainFlowSource] = []

    def start(board: str = "synthetic", **options: Any) -> tuple[BrainFlowSource, BoardPreset]:
        source = BrainFlowSource(board, **options)
        (beside,) = source.beside
        source.tap, beside.tap = RecordingTap(), RecordingTap()
        sources.append(source)
        source.start()
        beside.start()
        return source, beside

    yield start
    for source in sources * 2:
        source.stop()
    assert not brainflow_board._open_sessions


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What BrainFlow is let do: be ``gone``, refuse a preset or keep it ``silent``, lose samples; and its commands."""
    shim = brainflow()
    board, error = shim.BoardShim, shim.BrainFlowError
    does = SimpleNamespace(gone=False, refused=None, silent=None, drop=0, commands=[])
    real = {name: getattr(board, name) for name in ("get_board_data", "prepare_session", "config_board")}

    def get_board_data(self: Any, num_samples: int | None = None, preset: int = 0) -> Any:
        if does.gone or does.refused == preset:
            raise error("unable to get data", 15)
        data = real["get_board_data"](self, num_samples, preset)
        if does.silent == preset:
            return data[:, :0]
        if does.drop and preset and data.shape[1] > does.drop + 1:
            data, does.drop = np.delete(data, np.s_[1 : 1 + does.drop], axis=1), 0
        return data

    def prepare_session(self: Any) -> None:
        if does.gone:
            raise error("unable to prepare", 7)
        real["prepare_session"](self)

    def config_board(self: Any, command: str) -> Any:
        does.commands.append(command)
        return real["config_board"](self, command)

    for method in (get_board_data, prepare_session, config_board):
        monkeypatch.setattr(board, method.__name__, method)
    return does


def assert_replayable(beside: BoardPreset) -> None:
    """Check that what was tapped gives the same buffer when it is pushed again, a sample at a time."""
    columns = [beside.header.labels.index(name) for name in beside.info.channels]
    again = SampleBuffer(beside.info.rate, len(columns), seconds=60.0)
    for kind, content in beside.tap.events:
        if kind == "segment":
            again.begin_segment()
        elif kind == "samples":
            for stamp, value in zip(*content, strict=True):
                again.push(value[None, columns], np.array([stamp]))
    block, found = beside.buffer.read(0, np.inf), again.read(0, np.inf)
    np.testing.assert_array_equal(found.samples, block.samples)
    np.testing.assert_allclose(found.times, block.times, rtol=0, atol=1e-9)
    assert found.breaks == block.breaks


def test_a_preset_is_a_source_of_its_own_with_its_rate_and_times(opened: Callable[..., Any]) -> None:
    source, beside = opened(name="Anna")
    wait_for(lambda: beside.buffer.received > 150)
    now, found = pylsl.local_clock(), status(beside)
    source.stop()
    assert (found.state, found.kind, found.message, beside.losses) == ("ok", "body", "", 0)
    assert (beside.info.name, beside.info.rate, beside.info.origin) == ("Anna auxiliary", 250.0, "brainflow")
    assert (beside.info.source_id, beside.info.host) == (source.info.source_id, source.info.host)
    assert (beside.header.types, beside.header.format) == (KINDS, "double64")
    assert beside.header.labels == ("EDA 1", "PPG 1", "PPG 2", "Temperature 1")
    assert [channel.kind for channel in beside.body.channels] == ["eda", "ppg", "ppg"], "temperature is only recorded"
    block, sent = beside.buffer.read(0, np.inf), beside.tap.values()
    assert sent.shape[1] == 4
    np.testing.assert_array_equal(block.samples, sent[:, :3].astype(np.float32))
    assert block.samples.std(axis=0).min() > 0
    assert abs(now - block.times[150]) < 2.0
    assert block.times[-1] - block.times[0] == pytest.approx((len(block.times) - 1) / 250, rel=0.05)
    assert beside.tap.events[0][0] == "offset"
    assert_replayable(beside)
    assert status(beside).state == "ended"


def test_the_board_is_opened_once_by_whichever_is_started_and_closed_by_itself(opened: Callable[..., Any]) -> None:
    source = BrainFlowSource("synthetic")
    (beside,) = source.beside
    try:
        with ThreadPoolExecutor(4) as pool:
            for each in [pool.submit(start) for start in (beside.start, source.start) * 2]:
                each.result()
        wait_for(lambda: beside.buffer.received and source.buffer.received)
        beside.stop()
        assert (status(beside).state, status(source).state) == ("ended", "ok")
        received, eeg = beside.buffer.received, source.buffer.received
        wait_for(lambda: source.buffer.received > eeg + 20)
        assert beside.buffer.received == received
    finally:
        source.stop()
    assert not brainflow_board._open_sessions
    opened()


def test_both_are_lost_together_and_both_come_back(
    opened: Callable[..., Any], device: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live.LiveSource, "retry_s", 0.05)
    source, beside = opened()
    wait_for(lambda: min(beside.buffer.received, source.buffer.received) > 20)
    device.gone = True
    wait_for(lambda: status(source).state == "lost")
    assert status(beside).state == "lost"
    assert "cannot be opened" in status(beside).message or "BrainFlow says" in status(beside).message
    device.gone = False
    wait_for(lambda: status(source).state == status(beside).state == "ok")
    source.stop()
    assert source.reconnections == 1
    for each in (source, beside):
        assert (each.losses, each.tap.count("segment"), len(each.buffer.read(0, np.inf).breaks)) == (0, 1, 1), each
    assert_replayable(beside)


def test_what_is_lost_of_a_preset_is_told_of_it_alone(opened: Callable[..., Any], device: SimpleNamespace) -> None:
    source, beside = opened()
    wait_for(lambda: beside.buffer.received > 20)
    device.drop = 2
    wait_for(lambda: beside.losses)
    assert "2 samples were lost on the way from the device, in 1 place" in status(beside).message
    source.stop()
    assert (beside.losses, beside.lost_samples, beside.tap.count("segment")) == (1, 2, 1)
    assert len(beside.buffer.read(0, np.inf).breaks) == 1
    assert (source.losses, source.tap.count("segment"), source.buffer.read(0, np.inf).breaks) == (0, 0, ())
    assert_replayable(beside)


@pytest.mark.parametrize(("how", "words"), [
    ("refused", "BrainFlow gives none of it (BOARD_NOT_CREATED"),
    ("silent", "has sent nothing for 0 s, while 'synthetic' sends EEG; see that its sensor is there"),
])  # fmt: skip
def test_a_preset_that_does_not_come_is_told_and_the_eeg_goes_on(
    opened: Callable[..., Any], device: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, how: str, words: str
) -> None:
    monkeypatch.setattr(board_preset, "STALL_S", 0.2)
    setattr(device, how, 1)
    source, beside = opened()
    wait_for(lambda: status(beside).state == "stalled")
    assert words in status(beside).message
    received = source.buffer.received
    wait_for(lambda: source.buffer.received > received + 20)
    assert (status(source).state, source.reconnections, beside.buffer.received) == ("ok", 0, 0)


def test_the_command_is_sent_before_the_board_streams(
    opened: Callable[..., Any], device: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KNOWN["peripheral"], "synthetic", ["p61", "p50"])
    source, beside = opened(parameters={"peripheral": "on"})
    wait_for(lambda: beside.buffer.received)
    assert device.commands == ["p61"]
    assert source.info.source_id == beside.info.source_id == "brainflow:synthetic"


@pytest.mark.parametrize(("board", "parameters", "commands", "taken"), [
    ("muse_2", {}, [], 0),
    ("muse_s", {"peripheral": "on"}, ["p61"], 1),
    ("muse_2_bled", {"peripheral": "on"}, ["p61"], 1),
    ("muse_2", {"peripheral": "On", "config": "p20; d"}, ["p20", "d"], 1),
    ("muse_2", {"config": "p50"}, ["p50"], 1),
    ("muse_2", {"config": "p20"}, ["p20"], 0),
    ("muse_2", {"peripheral": "off", "config": "p61"}, ["p61"], 0),
    ("galea", {}, [], 1),
    ("galea", {"peripheral": "off"}, [], 0),
    ("muse_2016", {}, [], 0),
    ("explore_8_chan", {}, [], 0),
])  # fmt: skip
def test_a_command_is_sent_only_where_the_signals_are_wanted(
    board: str, parameters: dict[str, str], commands: list[str], taken: int
) -> None:
    names = [f"E{number}" for number in range(8)] if board.startswith("explore") else None
    source = BrainFlowSource(board, parameters, channels=names)
    assert (source._commands, len(source.beside)) == (commands, taken)
    told = any("peripheral=on in the board's text takes it" in each for each in source.info.about.assumed)
    assert told is (board == "muse_2" and not taken and "peripheral" not in parameters)


def test_the_pulse_of_a_muse_comes_first_and_keeps_its_number() -> None:
    (preset,) = describe_presets(brainflow(), "muse_2")
    assert (preset.name, preset.rate, preset.numbering) == ("ancillary", 64.0, None)
    assert (preset.labels, preset.rows) == (("PPG 2", "PPG 1", "PPG 3"), (2, 1, 3))
    (beside,) = BrainFlowSource("muse_2", {"peripheral": "on"}).beside
    assert (beside.header.type, beside.info.name, beside.info.rate) == ("PPG", "muse_2 ancillary", 64.0)
    assert beside.info.channels == ("PPG 2", "PPG 1", "PPG 3")


def test_no_preset_of_any_board_is_taken_for_eeg() -> None:
    shim, found = brainflow(), {}
    for board in board_names(shim):
        if board in STANDING_FOR:
            continue
        for preset in describe_presets(shim, board):
            beside = BoardPreset(preset, board, f"brainflow:{board}", lambda: None, lambda now: ("ok", ""))
            assert not is_eeg(beside.header), beside.header
            found[board] = set(preset.kinds)
    assert found["galea"] == {"EDA", "PPG", "TEMPERATURE"}
    assert "muse_2016" not in found


@pytest.fixture
def recording(tmp_path: Path) -> tuple[Path, Path]:
    """Files that BrainFlow wrote of its synthetic board, of both presets."""
    shim, paths = brainflow(), (tmp_path / "eeg.csv", tmp_path / "aux.csv")
    board = shim.BoardShim(shim.BoardIds.SYNTHETIC_BOARD.value, shim.BrainFlowInputParams())
    board.prepare_session()
    try:
        for preset, path in enumerate(paths):
            board.add_streamer(f"file://{path}:w", preset)
        board.start_stream(1000)
        wait_for(lambda: min(board.get_board_data_count(preset) for preset in (0, 1)) > 100)
        board.stop_stream()
    finally:
        board.release_session()
    return paths


def test_a_recorded_preset_is_played_where_its_file_is_named(
    recording: tuple[Path, Path], opened: Callable[..., Any]
) -> None:
    eeg, aux = recording
    parameters = {"master_board": "synthetic", "file": str(eeg)}
    assert BrainFlowSource("playback_file", parameters).beside == ()
    written = np.loadtxt(aux)
    _, beside = opened("playback_file", parameters=parameters | {"file_aux": str(aux)})
    wait_for(lambda: beside.buffer.received == len(written))
    np.testing.assert_allclose(beside.tap.values(), written[:, 8:12], rtol=1e-5)


@pytest.mark.parametrize(("board", "parameters", "message"), [
    ("muse_2", {"peripheral": "yes"}, r"board 'muse_2': peripheral=yes is neither; expected on or off"),
    ("cyton", {"peripheral": "on"}, r"'cyton' has no peripheral signals but those that come .*leave peripheral=on"),
    ("streaming", {"master_board": "muse_2", "peripheral": "on"}, r"or say where they are by one of .*ip_address_anc"),
])  # fmt: skip
def test_what_is_asked_for_in_vain_is_refused(board: str, parameters: dict[str, str], message: str) -> None:
    with pytest.raises(StreamError, match=message) as error:
        BrainFlowSource(board, parameters)
    assert "\n" not in str(error.value)


def test_a_file_of_a_preset_that_is_not_there_is_told(tmp_path: Path) -> None:
    eeg = tmp_path / "eeg.csv"
    eeg.touch()
    parameters = {"master_board": "synthetic", "file": str(eeg), "file_aux": "no.csv"}
    with pytest.raises(StreamError, match=r"has no file 'no.csv' to play; .*file_aux=recording.csv"):
        BrainFlowSource("playback_file", parameters)


def test_which_samples_come_one_after_another() -> None:
    counter = PackageCounter(Numbering(10))
    parts = [list(counter.unbroken(np.array(numbers, float))) for numbers in ([8, 9, 0, 3], [5, 6])]
    assert parts == [[(slice(0, 3), None), (slice(3, 4), 2)], [(slice(0, 0), None), (slice(0, 2), 1)]]
