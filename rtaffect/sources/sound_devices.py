"""The sound devices of this computer, as PortAudio lists them, and the one that is meant."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

from rtaffect.common.errors import SoundError, either
from rtaffect.sources.alsa_log import quiet_alsa

Direction = Literal["input", "output"]

COMMON_RATES: Final = (8000, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 192000)


# The streams that are open. Opening, releasing and starting PortAudio anew exclude each other.
_lock = threading.RLock()
_open: dict[int, Any] = {}


@dataclass(frozen=True, slots=True)
class SoundDevice:
    """A sound device as PortAudio lists it: ``rate`` is its default, Hz, latencies are its low defaults, s."""

    index: int
    name: str
    host_api: str
    inputs: int
    outputs: int
    rate: float
    input_latency_s: float
    output_latency_s: float
    default_input: bool
    default_output: bool

    def channels(self, direction: Direction) -> int:
        """Return the number of channels that go in or out."""
        return self.inputs if direction == "input" else self.outputs

    def describe(self) -> str:
        """Return index, name and host API in words for a message."""
        return f"{self.index}: {self.name} ({self.host_api})"

    def is_default(self, direction: Direction) -> bool:
        """Return whether the system uses it unless told otherwise."""
        return self.default_input if direction == "input" else self.default_output


def portaudio() -> Any:
    """Return the module sounddevice; it loads PortAudio, so it is imported only when sound is wanted.

    Raises
    ------
    SoundError
        If the PortAudio library is not installed.
    """
    quiet_alsa()
    try:
        import sounddevice
    except OSError as error:
        raise SoundError(
            f"the PortAudio library cannot be loaded ({error}); sound devices need it: on Debian and Ubuntu "
            "apt-get install libportaudio2, elsewhere pip install --force-reinstall sounddevice, which brings it"
        ) from error
    return sounddevice


@contextmanager
def opening(device: SoundDevice, how: str, remedy: str, release: Callable[[], None]) -> Iterator[Any]:
    """Give the module sounddevice, with which ``device`` is to be opened; where PortAudio refuses, ``release``.

    Raises
    ------
    SoundError
        If PortAudio is missing, or it refuses: the message says ``how`` it was to be opened and ends in ``remedy``.
    """
    sd = portaudio()
    try:
        with _lock:
            yield sd
    except sd.PortAudioError as error:
        release()
        raise SoundError(
            f"sound device {device.describe()} cannot be opened {how} ({error}); close other programs that use it, or "
            f"choose another {remedy}"
        ) from error


def opened(stream: Any) -> Any:
    """Take note that a PortAudio ``stream`` is open, and return it."""
    with _lock:
        _open[id(stream)] = stream
    return stream


def any_open() -> bool:
    """Return whether this program has a stream open."""
    with _lock:
        return bool(_open)


def release(stream: Any) -> None:
    """Release the device of a PortAudio ``stream`` at once; does nothing for None, and for what was released."""
    with _lock:
        if _open.pop(id(stream), None) is not None:
            # abort() and not stop(): waiting for pending buffers of a dead device could take for ever.
            stream.abort()
            stream.close()


def restart_portaudio() -> None:
    """Let PortAudio list the devices that are there now; that releases all streams, which their owners open again."""
    with _lock:
        for stream in list(_open.values()):
            release(stream)
        sd = portaudio()
        sd._terminate()
        sd._initialize()


def list_sound_devices() -> tuple[SoundDevice, ...]:
    """Return all sound devices that PortAudio found when it was loaded; raises SoundError without PortAudio."""
    sd = portaudio()
    with _lock:
        apis, (default_input, default_output) = sd.query_hostapis(), sd.default.device
        devices = sd.query_devices()
    return tuple(
        SoundDevice(
            index=index,
            name=device["name"],
            host_api=apis[device["hostapi"]]["name"],
            inputs=device["max_input_channels"],
            outputs=device["max_output_channels"],
            rate=device["default_samplerate"],
            input_latency_s=device["default_low_input_latency"],
            output_latency_s=device["default_low_output_latency"],
            default_input=index == default_input,
            default_output=index == default_output,
        )
        for index, device in enumerate(devices)
    )


def choose_sound_device(wanted: int | str | None, direction: Direction) -> SoundDevice:
    """Return the one device that is meant.

    Parameters
    ----------
    wanted
        Its index, or words that all stand in 'name host API' (in any case; an exact name wins), or None for the
        system's default.
    direction
        Whether sound goes in or out.

    Raises
    ------
    SoundError
        If no device or more than one is meant; the message lists those there are.
    """
    devices = [device for device in list_sound_devices() if device.channels(direction)]
    there = "; ".join(device.describe() for device in devices)
    if not devices:
        raise SoundError(
            f"no sound {direction} device was found; expected at least one: connect one or start the sound server, "
            f"see that other programs can use it, then start again{either(' (rtaffect devices lists what is there)')}"
        )
    found = matching(devices, wanted, direction)
    if len(found) == 1:
        return found[0]
    if wanted is None:
        raise SoundError(f"the system has no default sound {direction} device; choose one of {there}")
    if not found:
        raise SoundError(f"no sound {direction} device matches {wanted!r}; expected one of {there}: give its index")
    matches = "; ".join(device.describe() for device in found)
    raise SoundError(f"{wanted!r} means {len(found)} sound {direction} devices: {matches}; give the index of one")


def matching(devices: list[SoundDevice], wanted: int | str | None, direction: Direction) -> list[SoundDevice]:
    """Return the devices that ``wanted`` means: an index, a name or words of it; None the system's default."""
    if wanted is None:
        return [d for d in devices if d.is_default(direction)]
    if isinstance(wanted, int) or wanted.isdecimal():
        return [d for d in devices if d.index == int(wanted)]
    words = wanted.lower().split()
    if exact := [d for d in devices if d.name == wanted]:
        return exact
    return [d for d in devices if words and all(word in f"{d.name} {d.host_api}".lower() for word in words)]


def supported_rates(
    device: SoundDevice, direction: Direction, channels: int, rates: tuple[float, ...] = COMMON_RATES
) -> tuple[float, ...]:
    """Return those of ``rates`` (Hz) at which ``device`` runs with so many ``channels``."""
    sd = portaudio()
    check = sd.check_input_settings if direction == "input" else sd.check_output_settings

    def supports(rate: float) -> bool:
        try:
            with _lock:
                check(device=device.index, channels=channels, dtype="float32", samplerate=rate)
        except sd.PortAudioError:
            return False
        return True

    return tuple(rate for rate in rates if rate > 0 and supports(rate))
