"""The tone by which the level of a sound device is set by ear: played as a session's sounds are."""

from __future__ import annotations

from typing import Final

import numpy as np
from pylsl import local_clock

from rtaffect.common.arrays import Float32Array
from rtaffect.outputs.programme_player import ProgrammePlayer

#: Its pitch, Hz, and its root mean square against full scale, dB: about that of speech and music in films.
TONE_HZ, TONE_DB = 500.0, -20.0
#: It ends by itself, s; it comes and goes so softly, s; it begins so long after it was asked for, s.
LASTS_S, FADE_S, BEGINS_S = 60, 0.05, 0.7
#: It is heard for so long in each second, s: a steady tone gets used to.
_ON_S: Final = 0.8


def tone_of(rate: float) -> Float32Array:
    """Return the tone (n, 1) at ``rate``, Hz: the same each second, with a pause in it."""
    at = np.arange(round(LASTS_S * rate)) / rate
    inside = at % 1.0
    gain = np.clip(np.minimum(inside, _ON_S - inside) / FADE_S, 0.0, 1.0)
    height = np.sqrt(2.0) * 10 ** (TONE_DB / 20)
    return np.asarray(height * gain * np.sin(2 * np.pi * TONE_HZ * at), np.float32)[:, None]


class LevelTone:
    """Plays the tone until it is stopped; ``level_db`` may be set while it does. Raises SoundError as the player does.

    Parameters
    ----------
    device
        Index or part of the name of the device; None takes the system's default output.
    level_db
        How loud, dB.
    """

    def __init__(self, device: int | str | None, level_db: float) -> None:
        self._player = ProgrammePlayer(device)
        self._player.gain_db = level_db
        self._player.place("tone", tone_of(self._player.rate), self._player.rate, local_clock() + BEGINS_S)
        self._ends = local_clock() + BEGINS_S + LASTS_S
        self._player.start()

    @property
    def level_db(self) -> float:
        """How loud it is, dB."""
        return self._player.gain_db

    @level_db.setter
    def level_db(self, level: float) -> None:
        self._player.gain_db = level

    @property
    def over(self) -> bool:
        """Whether it has ended by itself."""
        return bool(local_clock() > self._ends)

    def stop(self) -> None:
        """Be silent; may be called twice."""
        self._player.stop()
