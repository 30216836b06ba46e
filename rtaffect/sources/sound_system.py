"""How a sound device that went away is found again, though PortAudio sees only those that were there at its start."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rtaffect.common.errors import SoundError
from rtaffect.sources.sound_devices import (
    Direction,
    SoundDevice,
    any_open,
    list_sound_devices,
    matching,
    restart_portaudio,
)

#: A look at the devices from a process of its own may take this long, s.
_LOOK_S: Final = 10.0
_LOOK: Final = (
    "import sounddevice as s; a = s.query_hostapis(); print('\\n'.join(f\"{d['max_input_channels']}\\t"
    "{d['max_output_channels']}\\t{a[d['hostapi']]['name']}\\t{d['name']}\" for d in s.query_devices()))"
)

# Two threads that put the terminal aside at once would not find it again.
_noise = threading.Lock()


def look_anew(device: SoundDevice, direction: Direction) -> None:
    """Let PortAudio, which knows only devices that were there when it was loaded, see those that are there now.

    That ends all open streams, whose owners open them again; so where there are any, a process of its own looks first
    whether ``device`` is there at all.
    """
    if any_open() and not _is_back(device, direction):
        return
    with without_noise():
        restart_portaudio()


def _is_back(device: SoundDevice, direction: Direction) -> bool:
    try:
        command = [sys.executable, "-c", _LOOK]
        seen = subprocess.run(command, capture_output=True, text=True, timeout=_LOOK_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    column = 0 if direction == "input" else 1
    lines = [line.split("\t", 3) for line in seen.splitlines() if line.count("\t") == 3]
    return any(int(x[column]) and x[2] == device.host_api and _plain(x[3]) == _plain(device.name) for x in lines)


def same_device(device: SoundDevice, direction: Direction, *, any_default: bool) -> SoundDevice:
    """Return ``device`` as PortAudio lists it now, or with ``any_default`` what is the system's default now.

    Raises
    ------
    SoundError
        If it is not there.
    """
    there = [each for each in list_sound_devices() if each.channels(direction)]
    if any_default and (default := matching(there, None, direction)):
        return default[0]
    same = [d for d in there if (d.host_api, _plain(d.name)) == (device.host_api, _plain(device.name))]
    if not same:
        raise SoundError(f"sound device {device.describe()} is not there; connect it again")
    return next((d for d in same if d.name == device.name), same[0])


def _plain(name: str) -> str:
    """Return a device's name without the number of its card, which may be another one when it comes back."""
    return re.sub(r"\s*\(hw:\d+,\d+\)", "", name)


def join_com() -> None:
    """Let this thread open sound devices on Windows, where each thread that does so must have joined COM."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.ole32.CoInitialize(None)


@contextmanager
def without_noise() -> Iterator[None]:
    """Keep off the terminal what PortAudio, in its own C code, writes to it about devices that cannot be opened."""
    with _noise:
        kept = os.dup(2)
        try:
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
