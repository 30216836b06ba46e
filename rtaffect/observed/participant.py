"""One person with a headset: from its source's buffer through the signal path onto the session's grid."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.common.contact_settings import ContactSettings
from rtaffect.common.montage import columns_for, is_eog
from rtaffect.common.settings import STEP_S, Settings
from rtaffect.observed.asr import SubspaceReconstruction
from rtaffect.observed.channel_quality import COMPARED_S, ChannelJudge, MainsMeter
from rtaffect.observed.contact import ContactMeter, HeadsetContact, with_reported
from rtaffect.observed.foreign_signal import NOTHING, WORDS, ForeignSignals
from rtaffect.observed.ocular import OcularRegression
from rtaffect.observed.sample_gate import SampleGate
from rtaffect.observed.signal_path import SignalPath
from rtaffect.stream.reported import reported_of
from rtaffect.stream.ring import RingBuffer
from rtaffect.stream.source import Source

#: Beyond these a headset's median amplitude is no EEG: its unit must be wrong, V.
WEAKEST_V, STRONGEST_V = 2e-8, 2e-3

#: Seconds that may be taken in at once, beside the window.
_AHEAD_S = 20


def typical_amplitude(second: FloatArray) -> float:
    """Return the median over rows of the root mean square of ``second`` (n, rows), over rows that are wholly there."""
    there = second[:, np.isfinite(second).all(axis=0)]
    return float(np.median(np.sqrt((there**2).mean(axis=0)))) if there.size else math.nan


class Participant:
    """Brings one headset's samples onto the grid, once a step, and judges each second.

    Parameters
    ----------
    source
        The headset.
    channels
        Which of its channels, in this order; those that it lacks stay missing if ``partial``, else are an error.
    settings
        FloatArray path, thresholds, and the window, which is kept.
    origin
        LSL time of the session's zero, s.
    contact
        Limits by which the electrodes' contact is measured beside; None where it is not.

    Attributes
    ----------
    contact : HeadsetContact or None
        Contact at the newest second, by signal or as the device sends it; None before the first.
    """

    def __init__(
        self,
        source: Source,
        channels: Sequence[str],
        settings: Settings,
        origin: float,
        *,
        partial: bool = False,
        contact: ContactSettings | None = None,
    ) -> None:
        signal = settings.signal
        self.name = source.info.name
        self._source, self._signal, self._origin = source, signal, origin
        wanted = columns_for(channels, source.info.channels, f"headset {self.name!r}", partial)
        eyes = [i for i, name in enumerate(source.info.channels) if signal.ocular and is_eog(name)]
        self._columns, self._eeg = np.array([*wanted, *eyes], np.intp), len(channels)
        self._ocular = OcularRegression(len(channels), len(eyes)) if eyes else None
        self._asr = SubspaceReconstruction(signal, len(channels)) if signal.asr_cutoff else None
        # Rows after a second that are needed for it.
        self._ahead = self._asr.ahead if self._asr else 0
        self._gate = SampleGate(source.info.rate, len(self._columns))
        self._path = SignalPath(signal, source.info.rate, len(self._columns))
        self._names = tuple(channels)
        self._foreign = ForeignSignals(source.info.rate, len(channels))
        self._found = np.full(len(channels), NOTHING, np.int64)
        self._mains = MainsMeter(signal.mains_hz, source.info.rate, len(channels))
        self._judge_channels = ChannelJudge(signal, settings.quality, len(channels), self._path.memory_s)
        self._meter: ContactMeter | None = None
        self.contact: HeadsetContact | None = None
        if contact is not None:
            self._meter = ContactMeter(self.name, self._names, source.info.rate, signal, contact)
        kept = max(settings.synchrony.window_s, self._meter.recent_s if self._meter else 0) + _AHEAD_S
        self._grid = RingBuffer(kept * signal.rate_hz, len(self._columns), np.float64)
        self._clean = RingBuffer(kept * signal.rate_hz, len(channels), np.float64)
        self._good = RingBuffer(kept, len(channels), np.float64)
        self._cursor = 0
        #: Time of the newest sample that was taken in, s on the LSL clock; -inf before the first.
        self.reached = -math.inf
        self._typical = math.nan

    @property
    def lookahead_s(self) -> float:
        """How much later than a step the samples must reach, s."""
        return self._path.lookahead_s + self._ahead / self._signal.rate_hz

    @property
    def begun(self) -> bool:
        """Whether any sample has come so far."""
        return self._cursor > 0

    def lacks(self, step: int) -> bool:
        """Return whether samples that ``step`` needs have not been taken in."""
        return self.reached < self._needed(step) - 1.5 / self._source.info.rate

    def _needed(self, step: int) -> float:
        return self._origin + step * STEP_S + self.lookahead_s

    def advance(self, step: int, until: float = math.inf) -> None:
        """Take in all samples of seconds 1 to ``step``, up to ``until`` (s, LSL clock), and judge what is new."""
        self._take(step, until, early=False)
        while self._good.head < step:
            self._judge(self._good.head + 1)

    def prepare(self, step: int) -> None:
        """Take in what has come so far of seconds 1 to ``step``: less is left for :meth:`advance`, and as it would be.

        Filters and interpolation give the same however the samples are cut. Once there is a sample beyond what the step
        needs, nothing that comes can change it any more, and it is judged, too.
        """
        if self._source.buffer.newest > self._needed(step):
            self.advance(step)
        else:
            self._take(step, math.inf, early=True)

    def _take(self, step: int, until: float, *, early: bool) -> None:
        block = self._source.buffer.read(self._cursor, min(self._needed(step), until), early=early)
        self._cursor = block.stop
        self.reached = max([self.reached, *block.times.max(initial=-math.inf, keepdims=True).tolist()])
        if len(block.times):
            raw, times = block.samples[:, self._columns], block.times - self._origin
            raw[:, self._columns < 0] = np.nan
            self._foreign(raw[:, : self._eeg], times)
            gated = self._gate(raw, block.breaks)
            self._mains.add(gated[:, : self._eeg], times)
            if self._meter is not None:
                self._meter.raw.add(raw[:, : self._eeg], gated[:, : self._eeg], times)
            for first, values in self._path(gated, times, block.breaks):
                self._write(first, values)

    def window(self, step: int, seconds: int) -> FloatArray:
        """Return the ``seconds`` s that end at ``step`` (n, channels), V; NaN where missing or bad."""
        rate = self._signal.rate_hz
        values = self._clean.read((step - seconds) * rate, step * rate)
        bad = self._good.read(step - seconds, step) != 1.0
        return np.where(np.repeat(bad, rate, axis=0), np.nan, values)

    def quality(self, step: int, seconds: int) -> FloatArray:
        """Return the fraction of the last ``seconds`` s in which each channel was good (channels,), in [0, 1]."""
        return np.asarray(np.isfinite(self.window(step, seconds)).mean(axis=0))

    @property
    def unit_warning(self) -> str:
        """What is wrong with the unit of the EEG, '' if nothing seems to be."""
        if not self._typical > 0 or WEAKEST_V < self._typical < STRONGEST_V:
            return ""
        return (
            f"{self.name}: the EEG's amplitude is {self._typical:.1g} V, where some 1e-5 V are usual: check its unit, "
            "and name the right one with --unit"
        )

    @property
    def foreign(self) -> dict[str, str]:
        """Names of the channels that are no EEG by what they send, and why, in words."""
        return {self._names[i]: WORDS[int(kind)] for i, kind in enumerate(self._found) if kind != NOTHING}

    @property
    def foreign_warning(self) -> str:
        """Which channels are no EEG by what they send, and why; '' for none."""
        found = self.foreign
        by_words = {words: [name for name, each in found.items() if each == words] for words in found.values()}
        said = "; ".join(f"{', '.join(names)} {words}" for words, names in by_words.items())
        names = ",".join(found)
        return f"{self.name}: no EEG, and without a value: {said} (leave out with --without {names})" if said else ""

    def _write(self, first: int, values: FloatArray) -> None:
        """Put grid rows ``first`` and on in their place; rows not covered stay missing, rows already there stay."""
        if first > self._grid.head:
            self._grid.skip(first - self._grid.head)
        self._grid.append(values[max(0, self._grid.head - first) :])

    def _judge(self, step: int) -> None:
        """Take eye activity and bursts out of second ``step`` and note which channels were good."""
        rate = self._signal.rate_hz
        rows = self._grid.read((step - 1) * rate, step * rate + self._ahead).astype(np.float64, copy=False)
        self._clean.append(self._without_artifacts(rows[:rate], rows[rate:]))
        recent = self._clean.read((step - COMPARED_S) * rate, step * rate).astype(np.float64, copy=False)
        mains = self._mains.take((step - 1) * STEP_S)
        good = self._judge_channels(recent, mains)
        if self._meter is not None:
            longer = self._clean.read((step - self._meter.recent_s) * rate, step * rate).astype(np.float64, copy=False)
            end = self._origin + step * STEP_S
            found = self._meter(step, end, longer, mains)
            self.contact = with_reported(found, reported_of(self._source), end, self._meter.settings)
        # Judged by what was known at the second's end, however much is taken in at once.
        self._found = self._foreign.at(step * STEP_S)
        good &= self._found == NOTHING
        self._good.append(good[None].astype(np.float64))
        self._typical = typical_amplitude(recent[-rate:])

    def _without_artifacts(self, second: FloatArray, ahead: FloatArray) -> FloatArray:
        """Return the EEG of ``second`` (n, EEG and eyes) without eye activity, and without bursts if that is set."""
        eeg, eyes = second[:, : self._eeg], second[:, self._eeg :]
        if self._ocular:
            eeg = self._ocular(eeg, eyes)
        if self._asr is None:
            return eeg
        later, eyes = ahead[:, : self._eeg], ahead[:, self._eeg :]
        return self._asr(eeg, self._ocular.without_eyes(later, eyes) if self._ocular else later)
