"""Every choice of the analysis of affect, named, with its default: frozen, checked, and stored in the bundle."""

from __future__ import annotations

from itertools import pairwise
from typing import Final, Literal

from pydantic import Field, model_validator

from rtaffect.common.settings import Frozen, QualitySettings, Settings, SignalSettings, SynchronySettings

#: What is told of a moment, in the order in which every array has it.
DIMENSIONS: Final = ("valence", "arousal")
Dimension = Literal["valence", "arousal"]
#: The most bands, and the longest sequence and sound, so that no file can ask for all of the memory.
MOST_BANDS, MOST_S = 20, 60


class AffectBand(Frozen):
    """A band of the EEG whose differential entropy is a feature."""

    name: str = Field(min_length=1, max_length=40, description="What it is called")
    low_hz: float = Field(gt=0, le=5000, description="Lower corner, Hz")
    high_hz: float = Field(gt=0, le=5000, description="Upper corner, Hz")

    @model_validator(mode="after")
    def _rises(self) -> AffectBand:
        if not self.low_hz < self.high_hz:
            raise ValueError(f"band {self.name}: {self.low_hz:g} to {self.high_hz:g} Hz must rise")
        return self


#: The bands of the paper, by the frequencies that it names.
BANDS: Final = (
    AffectBand(name="theta", low_hz=4, high_hz=8),
    AffectBand(name="alpha", low_hz=8, high_hz=13),
    AffectBand(name="beta", low_hz=13, high_hz=30),
    AffectBand(name="gamma", low_hz=30, high_hz=45),
)


class AffectSettings(Frozen):
    """How EEG and sound become features of affect; the same live, in replay and in training."""

    signal: SignalSettings = Field(
        SignalSettings(lowpass_hz=47.0, rate_hz=128), description="How EEG becomes the signal; its band holds all bands"
    )
    quality: QualitySettings = Field(QualitySettings(), description="When a channel is held to be bad")
    bands: tuple[AffectBand, ...] = Field(BANDS, description="Bands whose differential entropy is a feature")
    sequence_s: int = Field(3, ge=1, le=MOST_S, description="Seconds of features that the EEG encoder reads, s")
    min_good: float = Field(0.6, gt=0, le=1, description="Least share of seconds and channels that count for a value")
    baseline: Literal["rest", "none"] = Field(
        "rest", description="What is subtracted from a person's features: their mean at rest, or nothing"
    )
    baseline_s: int = Field(60, ge=5, le=3600, description="How much rest is wanted, s")
    baseline_least: float = Field(
        0.5, gt=0, le=1, description="Least share of that rest in which a channel must be good for it to count"
    )
    embedding: str = Field("musicnn-msd", min_length=1, max_length=200, description="What the sound encoder reads")
    sound_s: float = Field(3.0, ge=1, le=MOST_S, description="Newest sound that an embedding is of, s")

    @model_validator(mode="after")
    def _can_be_measured(self) -> AffectSettings:
        if not 0 < len(self.bands) <= MOST_BANDS:
            raise ValueError(f"{len(self.bands)} bands; expected 1 to {MOST_BANDS}")
        names = [band.name for band in self.bands]
        if len(set(names)) < len(names):
            raise ValueError(f"bands: two of {', '.join(names)} have one name")
        signal = self.signal
        for band in self.bands:
            if not signal.highpass_hz <= band.low_hz < band.high_hz <= signal.lowpass_hz:
                raise ValueError(
                    f"band {band.name}, {band.low_hz:g} to {band.high_hz:g} Hz, must lie between signal.highpass_hz = "
                    f"{signal.highpass_hz:g} and signal.lowpass_hz = {signal.lowpass_hz:g}"
                )
        if any(b.low_hz < a.low_hz for a, b in pairwise(self.bands)):
            raise ValueError(f"bands: {', '.join(names)} must rise")
        if self.sound_s != int(self.sound_s):
            raise ValueError(
                f"sound_s = {self.sound_s:g} must be whole seconds: a session takes sound in by the second"
            )
        return self

    @property
    def analysis(self) -> Settings:
        """The settings by which :class:`rtaffect.observed.participant.Participant` makes the EEG of affect."""
        window = SynchronySettings(window_s=max(2, self.sequence_s), null_separation_s=max(10, self.sequence_s))
        return Settings(signal=self.signal, quality=self.quality, synchrony=window)
