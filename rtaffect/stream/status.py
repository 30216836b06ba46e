"""Health of a source, as seen at a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StreamState = Literal["waiting", "ok", "stalled", "lost", "duplicate", "wrong-rate", "changed", "expected", "ended"]
#: What a source carries: EEG, sound, peripheral signals, a participant's own rating.
SourceKind = Literal["eeg", "audio", "body", "rating"]


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """Health of one source as seen at a step.

    ``age_s`` is how far the newest sample lies behind the session clock (s, NaN before the first sample); the
    counters run from the start of the source. ``drift_ppm`` is the device clock against the nominal rate.
    """

    name: str
    kind: SourceKind
    state: StreamState
    age_s: float
    received: int
    gaps: int
    clock_jumps: int
    overruns: int
    drift_ppm: float
    message: str = ""
