"""Goes through one recording and tells what its samples are like, without computing anything of the analysis."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.studies.recording import Recording
from rtaffect.observed.foreign_signal import NOTHING, WORDS, ForeignSignals
from rtaffect.observed.participant import STRONGEST_V, WEAKEST_V


@dataclass(frozen=True, slots=True)
class Samples:
    """What a recording's samples are like.

    ``sha256`` identifies them; ``missing`` and ``flat`` are the channels without a value, and those that never move,
    in any second of the sounds; ``typical_v`` is the median over seconds and channels of the standard deviation within
    a second, V (NaN if there is none). ``foreign`` are channels that are no EEG by what they send, and why.
    """

    sha256: str
    missing: tuple[str, ...]
    flat: tuple[str, ...]
    typical_v: float
    foreign: tuple[tuple[str, str], ...] = ()

    @property
    def doubt(self) -> str:
        """What is wrong with the unit, '' if nothing seems to be."""
        if not self.typical_v > 0 or WEAKEST_V < self.typical_v < STRONGEST_V:
            return ""
        return f"the EEG varies by {self.typical_v:.1g} V within a second, where some 1e-5 V are usual"


def inspect(recording: Recording, spans: Sequence[tuple[float, float]], flat_v: float) -> Samples:
    """Read a whole recording, piece by piece.

    Parameters
    ----------
    recording
        What is read.
    spans
        Begin and end of the sounds in it, s on its clock; channels are judged in these.
    flat_v
        A second whose standard deviation is not above this is flat, V.
    """
    digest = hashlib.sha256()
    present, moving = np.zeros(len(recording.channels), np.bool_), np.zeros(len(recording.channels), np.bool_)
    spreads = []
    rate = max(1, round(recording.rate))
    signals = ForeignSignals(recording.rate, len(recording.channels))
    end = -np.inf
    for times, samples in recording.pieces():
        signals(samples, times)
        end = max(end, float(times[-1])) if len(times) else end
        digest.update(samples.tobytes())
        heard = np.zeros(len(times), np.bool_)
        for begin, end in spans:
            heard |= (times >= begin) & (times < end)
        for start in range(0, len(times) - rate + 1, rate):
            second = samples[start : start + rate][heard[start : start + rate]].astype(np.float64)
            if len(second) < rate:
                continue
            there = np.isfinite(second).all(axis=0)
            spread = np.std(second[:, there], axis=0)
            present |= np.isfinite(second).any(axis=0)
            moving[there] |= spread > flat_v
            spreads.append(np.median(spread) if len(spread) else np.nan)
    found = np.array(spreads)[np.isfinite(spreads)] if spreads else np.empty(0)
    names = np.array(recording.channels)
    return Samples(
        digest.hexdigest(),
        tuple(names[~present].tolist()) if spreads else (),
        tuple(names[present & ~moving].tolist()) if spreads else (),
        float(np.median(found)) if len(found) else float("nan"),
        tuple((recording.channels[i], WORDS[int(kind)]) for i, kind in enumerate(signals.at(end)) if kind != NOTHING),
    )
