"""Which sound device a field means, and how a plan names one so that it is found again tomorrow."""

from __future__ import annotations

from rtaffect.common.errors import SoundError
from rtaffect.sources.sound_devices import Direction, SoundDevice, matching


def choose(devices: tuple[SoundDevice, ...], wanted: str, direction: Direction) -> SoundDevice:
    """Return the one device that is meant, by the rules of :func:`choose_sound_device`, without asking PortAudio.

    Raises
    ------
    SoundError
        If no device or more than one is meant.
    """
    there = [device for device in devices if device.channels(direction)]
    if not there:
        raise SoundError(
            f"No sound {direction} device was found: connect one, start the sound server, then press 'Look again'"
        )
    found = matching(there, wanted.strip() or None, direction)
    if len(found) == 1:
        return found[0]
    if not wanted.strip():
        raise SoundError(f"The system has no default sound {direction} device: choose one of the list")
    if not found:
        raise SoundError(
            f"No sound {direction} device matches {wanted.strip()!r}: connect it and press 'Look again', or choose "
            "another of the list"
        )
    raise SoundError(f"{wanted.strip()!r} means {len(found)} sound {direction} devices: choose one of the list")


def text_for(devices: tuple[SoundDevice, ...], device: SoundDevice, direction: Direction) -> str:
    """Return the shortest text that means ``device`` alone: its name, else with its host API, else its index.

    Names stay the same when a device is plugged in again, indices do not.
    """
    for text in (device.name, f"{device.name} {device.host_api}"):
        try:
            if not text.isdecimal() and choose(devices, text, direction) == device:
                return text
        except SoundError:
            continue
    return str(device.index)
