"""The commands that tell what is there and whether it works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pylsl
import pytest
from click.testing import CliRunner, Result

from rtaffect.cli import devices, doctor
from rtaffect.cli.doctor import Diagnosis
from rtaffect.common.errors import ArtifactError, SoundError
from rtaffect.predicted.manifest import SAMPLE_RATE
from rtaffect.sources import boards, serial_ports, sound_devices
from rtaffect.sources.boards import FoundBuffer
from rtaffect.sources.fieldtrip_client import BufferHeader
from rtaffect.sources.serial_ports import SerialPort
from rtaffect.sources.sound_devices import SoundDevice


def run(command: object, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, env={"COLUMNS": "250"})


@pytest.fixture(autouse=True)
def no_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_devices, "list_sound_devices", lambda: ())
    monkeypatch.setattr(serial_ports, "serial_ports", lambda: [])
    monkeypatch.setattr(boards, "find_buffer", lambda: None)


class TestDevices:
    def test_streams_and_their_units_are_listed(self) -> None:
        info = pylsl.StreamInfo("Muse [left]", "EEG", 2, 256.0, "float32", "muse-1")
        channels = info.desc().append_child("channels")
        for label in ("TP9", "AF7"):
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", "microvolts")
        outlet = pylsl.StreamOutlet(info)
        result = run(devices.command, "--wait", "1")
        del outlet
        assert result.exit_code == 0, result.output
        for text in ("Muse [left]", "EEG", "256 Hz", "float32", "microvolts", "TP9 AF7", "muse-1"):
            assert text in result.output

    def test_nothing_found_says_what_to_do(self) -> None:
        output = run(devices.command, "--wait", "0.1").output.replace("\n", " ")
        assert "No LSL stream answered" in output
        assert "firewall" in output
        assert "No sound device was found" in output

    def test_sound_devices_are_listed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        there = (SoundDevice(3, "USB Mic [hw:1,0]", "ALSA", 1, 0, 44100.0, 0.0087, -1.0, True, False),)
        monkeypatch.setattr(sound_devices, "list_sound_devices", lambda: there)
        output = run(devices.command, "--wait", "0.1").output
        for text in ("3", "USB Mic [hw:1,0]", "ALSA", "44100 Hz", "9 ms", "input"):
            assert text in output
        assert "-1000 ms" not in output

    def test_without_portaudio_the_rest_is_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def absent() -> None:
            raise SoundError("the PortAudio library cannot be loaded: apt-get install libportaudio2")

        monkeypatch.setattr(sound_devices, "list_sound_devices", absent)
        result = run(devices.command, "--wait", "0.1")
        assert result.exit_code == 0
        assert "apt-get install libportaudio2" in result.output

    def test_a_fieldtrip_buffer_stands_among_the_streams(self, monkeypatch: pytest.MonkeyPatch) -> None:
        header = BufferHeader(512.0, 0, ("Fp1", "Oz"), np.dtype(np.int32), None)
        found = FoundBuffer("fieldtrip:localhost:1972", "localhost", header)
        monkeypatch.setattr(boards, "find_buffer", lambda: found)
        output = run(devices.command, "--wait", "0.1").output
        for text in ("FieldTrip", "512 Hz", "int32", "Fp1 Oz", "not declared", "--board fieldtrip:localhost:1972"):
            assert text in output
        assert "No LSL stream answered" not in output
        empty = FoundBuffer("fieldtrip:localhost:1972", "localhost", None, "empty: the acquisition has not started")
        monkeypatch.setattr(boards, "find_buffer", lambda: empty)
        assert "the acquisition has not started" in run(devices.command, "--wait", "0.1").output

    def test_serial_ports_and_how_a_board_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(serial_ports, "serial_ports", lambda: [SerialPort("/dev/ttyUSB0", "usb-FTDI [x]")])
        output = run(devices.command, "--wait", "0.1").output
        for text in ("usb-FTDI [x]", "brainflow:BOARD?serial_port=/dev/ttyUSB0", "rtaffect devices --boards"):
            assert text in output

    def test_without_brainflow_the_extra_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "brainflow", None)
        monkeypatch.delitem(sys.modules, "brainflow.board_shim", raising=False)
        result = run(devices.command, "--wait", "0.1")
        assert result.exit_code == 0
        assert 'pip install "rtaffect[brainflow]"' in result.output

    def test_boards_are_listed_by_the_text_that_names_them(self) -> None:
        output = run(devices.command, "--boards").output
        for text in ("brainflow:cyton?serial_port=PORT", "brainflow:muse_2 ", "TP9 AF7 AF8 TP10", "256 Hz", "volts"):
            assert text in output
        assert "No sound device" not in output

    def test_wait_has_limits(self) -> None:
        assert run(devices.command, "--wait", "0").exit_code == 2


class FakeFeaturizer:
    """Gives ``feature`` for any second, at a cost of 12 ms."""

    identity, provider = "fake/layer-2", "CPUExecutionProvider"

    def __init__(self, feature: float = 1.0) -> None:
        self._feature = feature

    def stream(self) -> FakeFeaturizer:
        return self

    def step(self, second: np.ndarray) -> np.ndarray:
        assert second.shape == (SAMPLE_RATE,)
        assert second.dtype == np.float32
        return np.array([self._feature], np.float32)

    def cost_s(self) -> float:
        return 0.012


class TestDoctor:
    @pytest.fixture(autouse=True)
    def cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr("rtaffect.predicted.featurizer.default_featurizer", lambda progress: FakeFeaturizer())
        return tmp_path / "cache"

    def test_the_real_parts_of_this_computer_work(self) -> None:
        found = {check.name: check for check in doctor.checks()}
        assert [check for check in found.values() if check.needed and not check.ok] == []
        assert "a sample went out and came back" in found["LSL loopback"].detail
        assert "CPUExecutionProvider" in found["ONNX Runtime"].detail
        assert "PySide6 6." in found["Window (Qt)"].detail
        assert "PortAudio V19" in found["PortAudio"].detail
        assert "fake/layer-2" in found["Featurizer"].detail
        assert "one step takes 12 ms on CPUExecutionProvider" in found["Featurizer"].detail

    def test_every_problem_has_a_remedy_and_a_mark(self, monkeypatch: pytest.MonkeyPatch) -> None:
        good, bad = Diagnosis("Good", True, "fine [1]"), Diagnosis("Bad", False, "broken", "mend it")
        monkeypatch.setattr(doctor, "checks", lambda: [good, bad])
        result = run(doctor.command)
        assert result.exit_code == 1
        assert "fine [1]" in result.output
        assert "mend it" in result.output
        assert "cannot run" in result.output

    def test_what_the_demo_does_not_need_does_not_fail(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor, "checks", lambda: [Diagnosis("Card", False, "none", "buy one", needed=False)])
        result = run(doctor.command)
        assert result.exit_code == 0
        assert "buy one" in result.output

    def test_an_extra_that_is_absent_is_no_problem(self, monkeypatch: pytest.MonkeyPatch) -> None:
        there = {check.name: check for check in (doctor._brainflow(), doctor._fieldtrip(), doctor._osc())}
        assert all(check.ok for check in there.values())
        assert "its library loads" in there["BrainFlow (boards)"].detail
        monkeypatch.setattr(doctor, "_version", lambda package: "")
        absent = [doctor._brainflow(), doctor._fieldtrip(), doctor._osc()]
        monkeypatch.setattr(doctor, "checks", lambda: absent)
        result = run(doctor.command)
        assert result.exit_code == 0
        for text in ("absent", *(f'pip install "rtaffect[{name}]"' for name in ("brainflow", "fieldtrip", "osc"))):
            assert text in result.output
        assert "problem" not in result.output

    def test_a_brainflow_that_does_not_load_is_a_problem(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "brainflow", None)
        monkeypatch.delitem(sys.modules, "brainflow.board_shim", raising=False)
        check = doctor._brainflow()
        assert (check.ok, check.mark.plain) == (False, "problem")

    def test_both_onnxruntime_packages_are_a_conflict(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor, "_version", lambda package: "1.23")
        check = doctor._onnxruntime_packages()
        assert not check.ok
        assert "pip uninstall onnxruntime onnxruntime-gpu" in check.remedy

    def test_a_cache_that_is_a_file(self, cache: Path) -> None:
        cache.write_text("")
        check = doctor._cache_folder()
        assert not check.ok
        assert "RTAFFECT_CACHE" in check.remedy

    def test_the_window_is_tried_on_the_platform_that_will_be_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("QT_QPA_PLATFORM", "nosuch")
        check = doctor._qt()
        assert (check.ok, check.needed) == (False, True)
        assert "nosuch" in check.detail
        assert "libxcb-shape0" in check.remedy
        assert "--headless" in check.remedy

    def test_where_there_is_no_screen_the_demo_needs_no_window(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
            monkeypatch.delenv(name, raising=False)
        check = doctor._qt()
        # Whether the libraries are there is this computer's affair.
        assert check.ok == ("libraries load" in check.detail)
        assert check.ok or not check.needed

    def test_a_featurizer_that_cannot_be_built(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def build(progress: object) -> None:
            raise ArtifactError("the default model needs the package moonshine-voice")

        monkeypatch.setattr("rtaffect.predicted.featurizer.default_featurizer", build)
        check = doctor._featurizer()
        assert not check.ok
        assert "moonshine-voice" in check.detail

    def test_a_featurizer_whose_features_are_not_numbers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("rtaffect.predicted.featurizer.default_featurizer", lambda progress: FakeFeaturizer(np.nan))
        assert not doctor._featurizer().ok

    def test_an_outlet_that_is_not_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor, "LSL_TIMEOUT_S", 0.0)
        monkeypatch.setattr(pylsl.ContinuousResolver, "results", lambda self: [])
        check = doctor._lsl()[1]
        assert not check.ok
        assert "firewall" in check.remedy


def test_neither_command_imports_qt_or_sound() -> None:
    code = (
        "import sys, rtaffect.cli.devices, rtaffect.cli.doctor\n"
        "assert not {'PySide6', 'sounddevice', 'onnxruntime', 'pylsl', 'brainflow', 'mne'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30, cwd=Path(__file__).parents[2])
