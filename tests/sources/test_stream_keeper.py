"""A stream that is kept open: with a device on paper that comes and goes."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from rtaffect.common.errors import SoundError
from rtaffect.sources import sound_devices, sound_system, stream_keeper
from rtaffect.sources.sound_devices import SoundDevice
from rtaffect.sources.sound_system import look_anew, same_device, without_noise
from rtaffect.sources.stream_keeper import Kept, StreamKeeper

USB = SoundDevice(3, "USB Audio (hw:1,0)", "ALSA", 2, 2, 48000.0, 0.01, 0.01, False, False)
MOVED = SoundDevice(5, "USB Audio (hw:2,0)", "ALSA", 2, 2, 48000.0, 0.01, 0.01, False, False)
DEFAULT = SoundDevice(0, "Speaker", "ALSA", 0, 2, 48000.0, 0.01, 0.01, True, True)


class FakeStream:
    def __init__(self, there: bool, finished: Callable[[], None]) -> None:
        self.there, self.finished, self.calls = there, finished, []

    def start(self) -> None:
        self.calls.append("start")
        if not self.there:
            raise OSError("gone")

    def abort(self) -> None:
        self.calls.append("abort")
        self.finished()

    def close(self) -> None:
        self.calls.append("close")


class Room:
    """A keeper whose thread is this one, and the device that it keeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, any_default: bool = False) -> None:
        self.there = True
        self.listed: list[SoundDevice] = [USB]
        self.told: list[str] = []
        self.streams: list[FakeStream] = []
        self.anew = 0
        fake = SimpleNamespace(PortAudioError=OSError)
        monkeypatch.setattr(sound_devices, "portaudio", lambda: fake)
        monkeypatch.setattr(sound_system, "list_sound_devices", lambda: tuple(self.listed))
        monkeypatch.setattr(stream_keeper, "look_anew", self.look)
        kept = Kept(self.make, "loud", "device", self.told.append, lambda: self.told.append("back"))
        self.keeper = StreamKeeper(USB, "output", kept, any_default=any_default)
        self.keeper._open(USB)

    def look(self, *_: object) -> None:
        self.anew += 1

    def make(self, sd: object, device: SoundDevice, finished: Callable[[], None]) -> FakeStream:
        self.streams.append(FakeStream(self.there, finished))
        return self.streams[-1]

    def looks(self, count: int, beats: bool = True) -> None:
        for _ in range(count):
            if beats:
                self.keeper.beat()
            self.keeper._turn()


def test_a_device_that_says_it_is_gone_is_told_at_once_and_opened_when_it_is_back(monkeypatch):
    room = Room(monkeypatch)
    room.looks(50)
    assert not room.told
    room.there = False
    room.streams[0].finished()
    room.looks(1)
    assert "3: USB Audio (hw:1,0) (ALSA) is gone" in room.told[0]
    assert room.keeper.lost
    room.looks(16, beats=False)
    assert room.told[1:] == []
    assert len(room.streams) == 5, "sought every .4 s"
    assert room.anew == 1, "and PortAudio looks anew every 1.6 s"
    room.there = True
    room.listed = [DEFAULT, MOVED]
    room.looks(4, beats=False)
    assert room.told[1:] == ["back"]
    assert room.keeper.device == MOVED, "its card may have another number"
    assert not room.keeper.lost
    assert all(stream.calls[-1] == "close" for stream in room.streams[:-1]), "what failed to open is let go of"
    room.looks(50)
    assert len(room.told) == 2


def test_a_device_that_falls_silent_is_gone_within_a_second_unless_it_only_begins(monkeypatch):
    room = Room(monkeypatch)
    room.looks(40, beats=False)
    assert not room.told, "sound servers may take seconds to begin"
    room.looks(3)
    room.looks(40, beats=False)
    assert not room.told, "and hesitate after their first blocks"
    room.looks(stream_keeper.LIVELY_LOOKS)
    room.looks(stream_keeper.SILENT_LOOKS - 1, beats=False)
    assert not room.told
    room.looks(1, beats=False)
    assert len(room.told) == 1
    assert stream_keeper.SILENT_LOOKS * stream_keeper.TICK_S < 1.0


def test_only_where_the_default_was_meant_another_device_takes_over(monkeypatch):
    for any_default, expected in ((False, USB), (True, DEFAULT)):
        room = Room(monkeypatch, any_default=any_default)
        room.looks(1)
        room.listed = [DEFAULT]
        room.streams[0].finished()
        room.looks(9, beats=False)
        assert room.keeper.device == expected
        assert room.keeper.lost is not any_default


def test_what_is_let_go_of_is_not_lost(monkeypatch):
    room = Room(monkeypatch)
    room.keeper.stop()
    room.keeper.stop()
    assert room.streams[0].calls == ["start", "abort", "close"], "once"
    assert not room.told


def test_a_device_is_found_again_by_its_name(monkeypatch):
    monkeypatch.setattr(sound_system, "list_sound_devices", lambda: (DEFAULT, MOVED))
    assert same_device(USB, "output", any_default=False) == MOVED
    assert same_device(USB, "output", any_default=True) == DEFAULT
    with pytest.raises(SoundError, match="is not there; connect it again"):
        same_device(DEFAULT, "input", any_default=False)


@pytest.mark.parametrize(("open_now", "is_back", "restarts"), [(False, False, 1), (True, False, 0), (True, True, 1)])
def test_other_sounds_are_interrupted_only_for_a_device_that_is_back(monkeypatch, open_now, is_back, restarts):
    done: list[int] = []
    monkeypatch.setattr(sound_system, "any_open", lambda: open_now)
    monkeypatch.setattr(sound_system, "restart_portaudio", lambda: done.append(1))
    line = f"0\t2\tALSA\t{MOVED.name}\n" if is_back else "0\t2\tALSA\tOther\n"
    monkeypatch.setattr(sound_system.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout="noise\n" + line))
    look_anew(USB, "output")
    assert len(done) == restarts


def test_a_restart_releases_what_is_open_once(monkeypatch):
    calls: list[str] = []
    fake = SimpleNamespace(
        PortAudioError=OSError, _terminate=lambda: calls.append("off"), _initialize=lambda: calls.append("on")
    )
    monkeypatch.setattr(sound_devices, "portaudio", lambda: fake)
    stream = sound_devices.opened(FakeStream(True, lambda: None))
    assert sound_devices.any_open()
    sound_devices.restart_portaudio()
    assert (calls, stream.calls) == (["off", "on"], ["abort", "close"])
    assert not sound_devices.any_open()
    sound_devices.release(stream)
    assert stream.calls == ["abort", "close"]


def test_noise_of_the_library_stays_off_the_terminal(capfd):
    with without_noise():
        os.write(2, b"ALSA lib: nonsense")
    os.write(2, b"wanted")
    assert capfd.readouterr().err == "wanted"
