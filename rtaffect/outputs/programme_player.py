"""Lets the participant hear several sounds, each from a wanted time on the LSL clock, through one open device."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from rtaffect.outputs.cue import Cue
from rtaffect.outputs.sound_player import CuePlayer
from rtaffect.sources.sound_devices import choose_sound_device


class ProgrammePlayer(CuePlayer):
    """Plays silence, and in it each sound from its own time on, to the very frame.

    Parameters
    ----------
    device
        Index or part of the name of the device; None takes the system's default output.
    rate
        Rate of the device, Hz, where it supports it: that of the sounds, so that they are played as they are. None
        takes the device's own.

    Raises
    ------
    SoundError
        If PortAudio or the device is missing or ambiguous.
    """

    def __init__(self, device: int | str | None = None, rate: float | None = None) -> None:
        chosen = choose_sound_device(device, "output")
        super().__init__(device, min(2, chosen.outputs), rate or chosen.rate)

    def start(self) -> None:
        """Open the device; it plays silence until the time of the first sound. Raises SoundError if it cannot."""
        self._start()

    def place(self, name: str, samples: NDArray[np.float32], rate: float, onset: float) -> Cue:
        """Let ``samples`` (n, channels) at ``rate`` (Hz) leave the device from ``onset``, s on the LSL clock.

        An onset that has passed is missed: the sound is joined where it should be by then, and :attr:`Cue.late_s` says
        so.
        """
        columns = samples.reshape(len(samples), -1)
        if columns.shape[1] != self._channels:
            columns = np.repeat(columns.mean(axis=1, keepdims=True), self._channels, axis=1)
        if rate != self.rate:
            columns = soxr.resample(columns, rate, self.rate)
        return self._add(name, columns, onset)

    def cut(self) -> None:
        """Fade out what is on now, and drop what was to come."""
        for cue in self._cues:
            cue.cut()
        self._cues = tuple(cue for cue in self._cues if not cue.done)
        self._in_place.expect(self._cues)
