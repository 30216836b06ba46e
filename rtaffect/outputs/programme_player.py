"""Lets the participant hear several sounds, each from a wanted time on the LSL clock, through one open device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import soxr
from numpy.typing import NDArray

from rtaffect.outputs.sound_player import SoundPlayer
from rtaffect.sources.sound_devices import choose_sound_device

#: A sound that is cut fades out in this time, s.
_FADE_S: Final = 0.02


@dataclass(slots=True, eq=False)
class Cue:
    """A sound to be played: ``columns`` (n, channels) at the device's rate from ``onset`` (s, LSL clock) on.

    ``actual_onset`` says when it really began, NaN before.
    """

    name: str
    columns: NDArray[np.float32]
    onset: float
    actual_onset: float = math.nan
    played: int = 0

    @property
    def late_s(self) -> float:
        """How much later than wanted it began, s; NaN before."""
        return self.actual_onset - self.onset


class ProgrammePlayer(SoundPlayer):
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
        super().__init__(np.zeros((1, min(2, chosen.outputs)), np.float32), rate or chosen.rate, chosen.index)
        # Replaced as a whole, so that the callback needs no lock.
        self._cues: tuple[Cue, ...] = ()

    def place(self, name: str, samples: NDArray[np.float32], rate: float, onset: float) -> Cue:
        """Let ``samples`` (n, channels) at ``rate`` (Hz) leave the device from ``onset``, s on the LSL clock.

        An onset that has passed is missed: the sound starts at once, and :attr:`Cue.late_s` says so.
        """
        columns = samples.reshape(len(samples), -1)
        if columns.shape[1] != self._channels:
            columns = np.repeat(columns.mean(axis=1, keepdims=True), self._channels, axis=1)
        if rate != self.rate:
            columns = soxr.resample(columns, rate, self.rate)
        cue = Cue(name, np.ascontiguousarray(columns, np.float32), onset)
        self._cues = (*self._cues, cue)
        return cue

    def cut(self) -> None:
        """Fade out what is on now, and drop what was to come."""
        fade = round(_FADE_S * self.rate)
        ending = []
        for cue in self._cues:
            if math.isnan(cue.actual_onset):
                continue
            left = cue.columns[cue.played : cue.played + fade]
            tail = left * np.linspace(1.0, 0.0, len(left), dtype=np.float32)[:, None]
            ending.append(Cue(cue.name, tail, cue.onset, cue.actual_onset))
        self._cues = tuple(ending)

    def _on_block(self, out: NDArray[np.float32], frames: int, time_info: Any, status: Any) -> None:
        self._watch(time_info, status)
        out[:] = 0.0
        for cue in self._cues:
            at = 0
            if math.isnan(cue.actual_onset):
                at, cue.actual_onset = self._frame_of(cue.onset, frames)
            part = cue.columns[cue.played : cue.played + frames - at]
            out[at : at + len(part)] += part
            cue.played += len(part)
            if part.size and cue.played == len(cue.columns):
                # It stays in the list, which only the other thread changes, but no longer in memory.
                cue.columns, cue.played = cue.columns[:0].copy(), 0
        self._written += frames
