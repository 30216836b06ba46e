"""Boards through BrainFlow: its synthetic and playback boards, and a Cyton's serial protocol on a pseudo terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest

from rtaffect.common.errors import StreamError
from rtaffect.sources import brainflow_board, live
from rtaffect.sources.brainflow_board import BrainFlowSource
from rtaffect.sources.brainflow_library import KNOWN, brainflow, is_searched, numbering
from rtaffect.sources.host_clock import HostClock
from rtaffect.sources.package_counter import Numbering, PackageCounter
from rtaffect.sources.serial_ports import SerialPort
from tests.support.cyton_emulator import MICROVOLTS, CytonEmulator
from tests.support.recording_tap import RecordingTap
from tests.support.waiting import wait_for

needs_terminal = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal (POSIX)")
CYTON = ("Fp1", "Fp2", "C3", "C4", "P7", "P8", "O1", "O2")


def status(source: BrainFlowSource) -> Any:
    return source.status(pylsl.local_clock())


@pytest.fixture
def opened() -> Iterator[Callable[..., BrainFlowSource]]:
    """Open a board with a tap; every source is stopped at the end, twice."""
    sources: list[BrainFlowSource] = []

    def start(board: str, **options: Any) -> BrainFlowSource:
        source = BrainFlowSource(board, **options)
        source.tap = RecordingTap()
        sources.append(source)
        source.start()
        return source

    yield start
    for source in sources * 2:
        source.stop()


def assert_replayable(source: BrainFlowSource) -> None:
    """Check that what was tapped gives the same buffer when it is pushed again."""
    units = [unit for unit in source.header.units if unit]
    block, again = source.buffer.read(0, np.inf), source.tap.replayed(source.info.rate, units)
    np.testing.assert_array_equal(again.samples, block.samples)
    np.testing.assert_allclose(again.times, block.times, rtol=0, atol=1e-9)
    assert again.breaks == block.breaks


def test_a_synthetic_board_arrives_without_loss_in_volts(opened: Callable[..., BrainFlowSource]) -> None:
    source = opened("Synthetic", name="one")
    wait_for(lambda: source.buffer.received > 150)
    now = pylsl.local_clock()
    found = status(source)
    source.stop()
    block = source.buffer.read(0, np.inf)
    assert (found.state, found.name, found.gaps, found.clock_jumps, found.message) == ("ok", "one", 0, 0, "")
    assert abs(now - block.times[150]) < 2.0
    assert block.times[-1] - block.times[0] == pytest.approx((len(block.times) - 1) / 250, rel=0.02)
    assert source.info.channels[:4] == source.header.labels[:4] == ("Fz", "C3", "Cz", "C4")
    assert (source.info.origin, source.info.rate, source.info.source_id) == ("brainflow", 250.0, "brainflow:synthetic")
    assert (source.header.format, source.header.type) == ("double64", "EEG")
    assert set(source.header.units[:16]) == {"microvolts"}
    np.testing.assert_allclose(block.samples, source.tap.values()[:, :16] * 1e-6, rtol=1e-6, atol=1e-12)
    assert 1e-6 < block.samples[:, 0].std() < 1e-2
    assert source.tap.events[0][0] == "offset"
    assert_replayable(source)
    assert status(source).state == "ended"


def test_peripheral_channels_of_a_board_are_taken_and_recorded_and_are_no_rows(
    opened: Callable[..., BrainFlowSource],
) -> None:
    source = opened("synthetic")
    wait_for(lambda: source.buffer.received > 150)
    source.stop()
    described = brainflow().BoardShim.get_board_descr(brainflow().BoardIds.SYNTHETIC_BOARD.value)
    kinds = ["eda"] * len(described["eda_channels"]) + ["ppg"] * len(described["ppg_channels"])
    assert kinds
    assert [channel.kind for channel in source.body.channels] == kinds
    assert len(source.info.channels) == 16, "none of them is a row"
    assert set(source.header.types[16:]) == {"EDA", "PPG", "TEMPERATURE"}
    block = source.body.buffer.read(0, np.inf)
    np.testing.assert_array_equal(block.samples, source.tap.values()[:, 16 : 16 + len(kinds)].astype(np.float32))
    assert np.isfinite(block.samples).all()
    assert block.samples[:, 0].std() > 0
    np.testing.assert_array_equal(block.times, source.buffer.read(0, np.inf).times)


def test_the_same_board_twice_is_refused_and_the_first_goes_on(opened: Callable[..., BrainFlowSource]) -> None:
    first = opened("synthetic")
    with pytest.raises(StreamError, match=r"brainflow:synthetic is open already in this program; name each board once"):
        BrainFlowSource("synthetic").start()
    received = first.buffer.received
    wait_for(lambda: first.buffer.received > received + 10)
    first.stop()
    again = opened("synthetic")
    wait_for(lambda: again.buffer.received)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A file that BrainFlow wrote of its synthetic board."""
    shim, path = brainflow(), tmp_path / "recording.csv"
    board = shim.BoardShim(shim.BoardIds.SYNTHETIC_BOARD.value, shim.BrainFlowInputParams())
    board.prepare_session()
    try:
        board.start_stream(1000, f"file://{path}:w")
        wait_for(lambda: board.get_board_data_count() > 100)
        board.stop_stream()
    finally:
        board.release_session()
    return path


def test_a_recorded_file_is_played_and_ends(
    recording: Path, opened: Callable[..., BrainFlowSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STALL_S", 0.3)
    source = opened("playback_file", parameters={"master_board": "synthetic", "file": str(recording)}, rate=250)
    wait_for(lambda: status(source).state == "ended")
    assert "no more" in status(source).message
    written = np.loadtxt(recording)
    np.testing.assert_allclose(source.buffer.read(0, np.inf).samples, written[:, 1:17] * 1e-6, rtol=1e-5, atol=1e-11)
    assert source.buffer.gaps == 0
    source.stop()
    parameters = {"master_board": "synthetic", "file": str(recording), "config": "new_timestamps;loopback_true"}
    source = opened("playback_file", parameters=parameters)
    wait_for(lambda: source.buffer.received > len(written))


@needs_terminal
def test_lost_packages_begin_segments_and_are_counted(opened: Callable[..., BrainFlowSource]) -> None:
    with CytonEmulator(dropped=range(260, 263), rate=1000.0) as cyton:
        source = opened("cyton", parameters={"serial_port": cyton.port}, rate=1000.0)
        wait_for(lambda: source.buffer.received > 300)
        found = status(source)
        source.stop()
    block = source.buffer.read(0, np.inf)
    numbers = np.round(block.samples[:, 0] / (MICROVOLTS * 1e-6) / 100).astype(int)
    # The count goes round at 256, which is no loss.
    np.testing.assert_array_equal(numbers[:270], [*range(260), *range(263, 273)])
    counts = 100 * numbers[:, None] + np.arange(8)
    np.testing.assert_allclose(block.samples, counts * MICROVOLTS * 1e-6, rtol=1e-5)
    assert source.info.channels == CYTON
    assert block.breaks == (260,)
    assert (source.losses, source.lost_samples) == (1, 3)
    assert found.state == "ok"
    assert "3 samples were lost on the way from the device, in 1 place" in found.message
    assert source.tap.count("segment") == 1
    assert_replayable(source)


@needs_terminal
def test_a_silent_board_is_opened_again_unless_another_one_would_be_held_up(
    opened: Callable[..., BrainFlowSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STALL_S", 0.15)
    monkeypatch.setattr(brainflow_board, "LOST_S", 0.4)
    other = opened("synthetic")
    with CytonEmulator() as cyton:
        source = opened("cyton", parameters={"serial_port": cyton.port})
        wait_for(lambda: source.buffer.received > 20)
        cyton.silent = True
        wait_for(lambda: status(source).state == "stalled")
        wait_for(lambda: "while other boards are open" in status(source).message)
        assert "check that it is on, charged and in reach" in status(source).message
        assert (status(other).state, source.reconnections) == ("ok", 0)
        other.stop()
        wait_for(lambda: status(source).state == "lost")
        assert "it is opened again by itself" in status(source).message
        cyton.silent = False
        wait_for(lambda: status(source).state == "ok")
        assert cyton.commands.count("v") >= 2
        cyton.unplug()
        wait_for(lambda: "cannot be opened" in status(source).message)
        assert "rtaffect devices lists the serial ports" in status(source).message
        source.stop()
    assert source.reconnections >= 1
    assert source.tap.count("segment") == source.reconnections
    assert source.buffer.read(0, np.inf).breaks
    assert_replayable(source)


@needs_terminal
def test_a_board_that_was_found_by_searching_is_searched_again_only_if_a_person_says_so(
    opened: Callable[..., BrainFlowSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STALL_S", 0.15)
    monkeypatch.setattr(brainflow_board, "LOST_S", 0.3)
    monkeypatch.setitem(KNOWN["searched"], "boards", ["cyton"])
    with CytonEmulator() as cyton:
        source = opened("cyton", parameters={"serial_port": cyton.port})
        wait_for(lambda: source.buffer.received > 20)
        cyton.silent = True
        wait_for(lambda: source.offers)
        time.sleep(0.3)
        assert (status(source).state, source.reconnections, cyton.commands.count("v")) == ("stalled", 0, 1)
        assert "another one of its kind may answer" in status(source).message
        cyton.silent = False
        wait_for(lambda: status(source).state == "ok" and not source.offers)
        cyton.silent = True
        wait_for(lambda: source.offers)
        cyton.silent = False
        source.take(source.offers[0])
        wait_for(lambda: status(source).state == "ok")
        source.stop()


@pytest.mark.parametrize(("board", "given", "searched"), [
    ("muse_2", {}, True),
    ("muse_2", {"serial_number": "Muse-1A2B"}, False),
    ("ganglion", {"serial_port": "COM3"}, True),
    ("ganglion", {"serial_port": "COM3", "mac_address": "aa:bb"}, False),
    ("cyton", {"serial_port": "COM3"}, False),
    ("synthetic", {}, False),
])  # fmt: skip
def test_which_boards_are_found_by_searching(board: str, given: dict[str, str], searched: bool) -> None:
    assert is_searched(board, given) is searched


@needs_terminal
def test_another_dongle_at_the_port_is_told_and_not_taken(
    opened: Callable[..., BrainFlowSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STALL_S", 0.15)
    monkeypatch.setattr(brainflow_board, "LOST_S", 0.3)
    monkeypatch.setattr(live.LiveSource, "retry_s", 0.05)
    with CytonEmulator() as cyton:
        there = ["usb-FTDI_one"]
        monkeypatch.setattr(brainflow_board, "serial_ports", lambda: [SerialPort(cyton.port, there[0])])
        source = opened("cyton", parameters={"serial_port": cyton.port})
        wait_for(lambda: source.buffer.received > 20)
        there[0] = "usb-FTDI_two"
        cyton.silent = True
        wait_for(lambda: status(source).state == "changed")
        assert "has usb-FTDI_two now, expected usb-FTDI_one; connect that one there" in status(source).message
        there[0], cyton.silent = "usb-FTDI_one", False
        wait_for(lambda: status(source).state == "ok")
        source.stop()


def test_times_of_another_computers_clock_are_told(opened: Callable[..., BrainFlowSource]) -> None:
    source = BrainFlowSource("synthetic")
    source._clock = HostClock(unix=lambda: time.time() + 60.0)
    source.start()
    try:
        wait_for(lambda: source.buffer.received)
        assert "60 s behind this computer's clock" in status(source).message
    finally:
        source.stop()


class TestErrors:
    @pytest.mark.parametrize(
        ("board", "parameters", "message"),
        [
            ("cytn", {}, r"'cytn' is none of BrainFlow's.*rtaffect devices --boards.*perhaps cyton"),
            ("emotibit", {}, r"'emotibit' measures no EEG"),
            ("cyton", {"port": "COM3"}, r"no parameter 'port'; expected one of .*serial_port"),
            ("muse_2", {"timeout": "soon"}, r"timeout=soon is not a whole number"),
            ("muse_2", {"ip_protocol": "x"}, r"ip_protocol=x is none; expected one of .*udp"),
            ("playback_file", {"file": "x"}, r"needs the name of the board .*master_board=cyton"),
            ("playback_file", {"master_board": "cyton", "file": "no.csv"}, r"no file 'no.csv' to play"),
            ("streaming", {"master_board": "nothing"}, r"'nothing' is none of BrainFlow's"),
        ],
    )
    def test_a_wrong_name_or_parameter_says_what_is_expected(
        self, board: str, parameters: dict[str, str], message: str
    ) -> None:
        with pytest.raises(StreamError, match=message):
            BrainFlowSource(board, parameters)

    def test_a_config_that_does_nothing_or_fails_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        about = BrainFlowSource("synthetic", {"config": "garbage"}).info.about
        assert "its config (garbage) is sent to it and does nothing: it only repeats it" in about.assumed
        with pytest.raises(StreamError, match="config=; holds no command; expected commands with ; between them"):
            BrainFlowSource("synthetic", {"config": ";"})
        refused = BrainFlowSource("synthetic", {"config": "x1"})
        answer = "Failure: too few chars"
        monkeypatch.setattr(refused._shim.BoardShim, "config_board", lambda *_: answer)
        with pytest.raises(
            StreamError, match=f"does not do the command 'x1' of its config: it answers '{answer}'; corr"
        ):
            refused.start()
        monkeypatch.undo()
        again = BrainFlowSource("synthetic", {"config": "x1"})
        again.start()
        again.stop()

    def test_a_board_without_names_asks_for_them(self) -> None:
        with pytest.raises(StreamError, match=r"'ganglion' does not name its 4 channels.*--channels"):
            BrainFlowSource("ganglion")
        source = BrainFlowSource("ganglion", channels=["Fz", "Cz", "Pz", "Oz"], rate=100.0)
        assert (source.info.channels, source.info.rate) == (("Fz", "Cz", "Pz", "Oz"), 100.0)

    def test_a_board_without_a_unit_asks_for_it(self) -> None:
        with pytest.raises(StreamError, match=r"does not say in which unit.*--unit"):
            BrainFlowSource("gforce_dual", channels=["a", "b"])

    def test_eego_amplifiers_give_volts(self) -> None:
        source = BrainFlowSource("ant_neuro_ee_411", channels=list("abcdefgh"))
        assert set(source.header.units) == {"volts"}
        assert BrainFlowSource("ant_neuro_ee_411", channels=list("abcdefgh"), unit="mV").header.units[0] == "mV"

    def test_a_wrong_port_is_told_and_nothing_stays_open(self) -> None:
        source = BrainFlowSource("cyton", {"serial_port": "/dev/no-such-port"})
        for _ in range(2):
            with pytest.raises(StreamError, match=r"UNABLE_TO_OPEN_PORT_ERROR.*rtaffect devices lists the serial") as e:
                source.start()
        assert "brainflow:cyton?serial_port=/dev/no-such-port" in str(e.value)
        assert "\n" not in str(e.value)
        source.stop()
        assert not brainflow_board._open_sessions

    def test_without_brainflow_the_extra_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "brainflow", None)
        monkeypatch.delitem(sys.modules, "brainflow.board_shim", raising=False)
        with pytest.raises(StreamError, match=r'not installed: pip install "rtaffect\[brainflow\]"'):
            BrainFlowSource("synthetic")

    def test_a_library_that_does_not_load_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(level: int) -> None:
            raise OSError("libBoardController.so: wrong ELF class")

        monkeypatch.setattr(brainflow().BoardShim, "set_log_level", fail)
        with pytest.raises(StreamError, match=r"cannot be loaded on this computer .*wrong ELF class"):
            BrainFlowSource("synthetic")


class FakeClocks:
    """Two clocks that the test moves: Unix time may step, slew and tick."""

    def __init__(self, tick: float = 0.0) -> None:
        self.lsl, self.ahead, self._tick = 100.0, 1.7e9, tick
        self.clock = HostClock(lambda: self.lsl, self.unix)

    def unix(self) -> float:
        now = self.lsl + self.ahead
        return now - now % self._tick if self._tick else now


class TestHostClock:
    def test_who_is_held_up_between_two_readings_sees_no_step(self) -> None:
        """A starved computer: 150 ms pass before Unix time is read, each time that the clocks are."""
        time_now, held_s = [100.0], [0.0]

        def lsl() -> float:
            now = time_now[0]
            time_now[0] += held_s[0]
            return now

        clock = HostClock(lsl, lambda: time_now[0] + 1.7e9)
        clock.update()
        for held in (0.15, 0.0, 0.15, 0.15, 0.0):
            held_s[0] = held
            clock.update()
            time_now[0] += 0.02
            assert clock.steps == 0
            assert abs(clock.to_lsl(np.array([time_now[0] + 1.7e9]))[0] - time_now[0]) < 1e-3

    def poll(self, clocks: FakeClocks, seconds: float, slew: float = 0.0) -> float:
        """Poll every 20 ms with a sample just before each, and return the largest error of their times, s."""
        worst = 0.0
        for _ in range(round(seconds / 0.02)):
            clocks.lsl += 0.019
            clocks.ahead += slew * 0.02
            taken, stamp = clocks.lsl, clocks.lsl + clocks.ahead
            clocks.lsl += 0.001
            clocks.clock.update()
            worst = max(worst, abs(float(clocks.clock.to_lsl(np.array([stamp]))[0]) - taken))
        return worst

    def test_slewing_is_followed(self) -> None:
        assert self.poll(FakeClocks(), 60.0, slew=500e-6) < 1.1e-3

    def test_a_clock_that_ticks_is_read_at_the_start_of_its_ticks(self) -> None:
        clocks = FakeClocks(tick=1 / 64)
        self.poll(clocks, 2.0)
        assert self.poll(clocks, 10.0) < 2e-3
        assert clocks.clock.steps == 0

    @pytest.mark.parametrize("step", [-3600.0, -0.2, 0.2, 3600.0])
    def test_what_was_stamped_before_a_step_keeps_its_time(self, step: float) -> None:
        clocks = FakeClocks()
        self.poll(clocks, 5.0)
        taken = clocks.lsl + np.arange(1, 6) * 0.004
        stamps = taken + clocks.ahead + np.where(taken > taken[2], step, 0.0)
        clocks.ahead += step
        clocks.lsl += 0.02
        clocks.clock.update()
        np.testing.assert_allclose(clocks.clock.to_lsl(stamps), taken, atol=1e-6)
        assert clocks.clock.steps == 1
        assert self.poll(clocks, 5.0) < 1e-6

    def test_a_reading_that_took_long_is_not_used(self) -> None:
        clocks = FakeClocks()
        self.poll(clocks, 1.0)
        before = clocks.clock.offset
        slow = iter([0.0, 0.02] * 3)

        def late() -> float:
            clocks.lsl += next(slow)
            return clocks.lsl

        clocks.clock._lsl = late
        clocks.clock.update()
        assert clocks.clock.offset == before


class TestPackageCounter:
    def losses(self, how: Numbering | None, numbers: np.ndarray, chunk: int) -> list[tuple[int, int]]:
        counter, found = PackageCounter(how), []
        for start in range(0, len(numbers), chunk):
            found += [(start + each.sample, each.lost) for each in counter.losses(numbers[start : start + chunk])]
        return found

    @pytest.mark.parametrize("chunk", [1, 7, 1000])
    def test_numbers_that_wrap_repeat_or_step_by_two(self, chunk: int) -> None:
        bytes_ = np.delete(np.arange(600), [255, 256, 400]) % 256.0
        assert self.losses(numbering("cyton"), bytes_, chunk) == [(255, 2), (398, 1)]
        muse = np.repeat(np.delete(np.arange(65530, 65545), 8) % 65536, 12).astype(float)
        assert self.losses(numbering("muse_2"), muse, chunk) == [(96, 12)]
        daisy = np.delete(np.arange(1, 600, 2), 200) % 256.0
        assert self.losses(numbering("cyton_daisy"), daisy, chunk) == [(200, 1)]

    def test_a_count_without_end_that_begins_anew_is_a_loss_of_unknown_length(self) -> None:
        numbers = np.array([1e6, 1e6 + 1, 0, 1, 2])
        assert self.losses(numbering("ant_neuro_ee_211"), numbers, 5) == [(2, 0)]

    def test_a_board_whose_count_is_not_known_is_not_judged(self) -> None:
        assert numbering("ganglion") is None
        assert self.losses(None, np.array([0.0, 101, 102, 200, 0]), 5) == []

    def test_after_a_restart_the_first_number_is_taken_as_it_is(self) -> None:
        counter = PackageCounter(Numbering(256))
        counter.losses(np.array([1.0, 2.0]))
        counter.restart()
        assert counter.losses(np.array([77.0, 78.0])) == []
