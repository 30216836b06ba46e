"""The EEG path: from a second of raw samples to the rows' columns, against filtering the whole window anew."""

from __future__ import annotations

import numpy as np
from scipy.signal import resample_poly, sosfilt

from bench import Rows, interleaved, run
from bench.calibration import space_of
from rtaffect.common.montage import STANDARD
from rtaffect.common.settings import Settings
from rtaffect.observed.participant import Participant
from rtaffect.observed.response import Response
from rtaffect.observed.signal_path import design_filter
from rtaffect.observed.spaces import ChannelSpace, Space
from rtaffect.sources.recorded import ArraySource
from rtaffect.stream.source import StreamInfo

#: The size of a head's lead field; its numbers do not matter for the time.
SOURCES = 5124


def measure(quick: bool) -> Rows:
    """Return a row for channels and for regions."""
    montage, rate, seconds = ("1020-19", 250, 4) if quick else ("1010-64", 1000, 25)
    names = STANDARD[montage]
    return [_row(space, rate, seconds) for space in (ChannelSpace(names), space_of(names, SOURCES))]


def _row(space: Space, rate: int, seconds: int) -> dict[str, object]:
    settings, channels = Settings(), len(space.channels)
    window = settings.synchrony.window_s
    eeg = 1e-5 * np.random.default_rng(1).standard_normal((rate * (seconds + 2), channels))
    source = ArraySource(StreamInfo("A", "eeg", rate, space.channels, "simulated"), eeg, 0.0)
    participant, response = Participant(source, space.channels, settings, 0.0), Response(space, settings)
    sos, matrix = design_filter(settings.signal, rate), space.time_courses(np.eye(channels)).T
    step = 0

    def ours() -> None:
        nonlocal step
        step += 1
        source.advance(step + participant.lookahead_s)
        participant.advance(step)
        response(participant.window(step, 1))

    def whole() -> None:
        newest = eeg[max(0, (step - window) * rate) : step * rate]
        grid = resample_poly(sosfilt(sos, newest, axis=0), settings.signal.rate_hz, rate, axis=0)
        _ = grid @ matrix.T

    mine, theirs = interleaved(seconds, ours, whole)
    return {
        "case": f"{channels} channels at {rate} Hz to {space.kind}",
        "step_ms": 1e3 * mine,
        "whole_ms": 1e3 * theirs,
        "ratio": theirs / mine,
    }


COLUMNS = (
    ("case", "case", ""), ("step_ms", "newest second, ms", ".1f"), ("whole_ms", "whole window, ms", ".0f"),
    ("ratio", "ratio", ".1f"),
)  # fmt: skip

if __name__ == "__main__":
    run(
        "eeg", measure, COLUMNS,
        "medians for each second; newest second: filters, common clock, quality, mains, rows; whole window: the last "
        "10 s filtered by scipy, resampled by resample_poly, and multiplied, without clock and quality",
    )  # fmt: skip
