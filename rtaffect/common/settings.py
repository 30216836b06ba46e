"""Every choice of the analysis, named, with its default: frozen, checked, and stored in the bundle.

The paper that rtaffect reconstructs leaves these open (arXiv 2509.21381), so none of them is hidden in code.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema

from rtaffect.common.errors import SettingsError
from rtaffect.common.mistakes import first_problem
from rtaffect.common.reading import path_problem, read_toml, why


def _strict(schema: Any) -> Any:
    """Return a schema in which a number is no text and true no number; a whole one may stand for any."""
    if isinstance(schema, dict):
        made = {key: _strict(value) for key, value in schema.items()}
        return made | {"strict": True} if made.get("type") in ("int", "float", "bool", "str") else made
    return [_strict(each) for each in schema] if isinstance(schema, list) else schema


class Frozen(BaseModel):
    """A settings object: immutable, unknown keys are errors, and so are texts and yes or no in place of numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return pydantic's schema with all numbers, texts and yes or no strict; paths may be texts, tuples lists."""
        return cast(CoreSchema, _strict(handler(source)))

    @field_validator("*", mode="before")
    @classmethod
    def _is_python_s_own(cls, value: Any) -> Any:
        """Return a single number of numpy's as Python's own, which is what a strict schema takes."""
        return value.item() if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0 else value

    @field_validator("*")
    @classmethod
    def _can_be_a_file(cls, value: Any) -> Any:
        for path in value if isinstance(value, tuple) else (value,):
            if isinstance(path, Path) and (wrong := path_problem(path)):
                raise ValueError(wrong)
        return value


#: Lowest rate at which the filter of artifact subspace reconstruction can be made, Hz.
ASR_LEAST_HZ = 84


#: A notch below this, Hz, never forgets what it has seen.
LEAST_MAINS_HZ = 1.0


class SignalSettings(Frozen):
    """How EEG becomes the signal whose synchrony is computed; the same live, in replay and in calibration."""

    highpass_hz: float = Field(1.0, ge=1e-3, le=5000, description="Corner of the high-pass, Hz")
    lowpass_hz: float = Field(30.0, ge=1e-3, le=5000, description="Corner of the low-pass, Hz")
    order: int = Field(4, ge=1, le=8, description="Order of each Butterworth filter")
    mains_hz: float = Field(50.0, ge=0, le=1000, description="Mains frequency to notch out, Hz; 0 for no notch")
    mains_harmonics: int = Field(2, ge=1, le=10, description="Multiples of it to notch out, the first included")
    notch_q: float = Field(30.0, gt=0, le=10_000, description="Quality factor of the notches")
    rate_hz: int = Field(100, ge=10, le=10_000, description="Common rate of all people after resampling, Hz")
    ocular: bool = Field(True, description="Regress eye activity out of the EEG where a headset has EOG channels")
    asr_cutoff: float = Field(
        0.0,
        ge=0,
        le=1000,
        description="Artifact subspace reconstruction: standard deviations of the baseline beyond which a component is "
        "artifact, 20 is usual; 0 for none",
    )
    asr_baseline_s: int = Field(60, ge=10, le=3600, description="Whole seconds of EEG that it learns from first, s")
    average_reference: bool = Field(False, description="Take channels against the mean of the good ones")
    settle_s: float = Field(
        1.0, ge=0, le=3600, description="Output withheld after a start or gap, while the filters settle, s"
    )
    flat_v: float = Field(0.2e-6, ge=0, le=1, description="A second whose standard deviation is below this is flat, V")
    loud_v: float = Field(
        75e-6, gt=0, le=1, description="A second whose standard deviation is above this is artifact, V"
    )

    @model_validator(mode="after")
    def _fits_the_rate(self) -> SignalSettings:
        if not self.highpass_hz < self.lowpass_hz < self.rate_hz / 2:
            raise ValueError(
                f"the band {self.highpass_hz:g} to {self.lowpass_hz:g} Hz must rise and end below half of "
                f"rate_hz = {self.rate_hz} Hz"
            )
        if 0 < self.mains_hz < LEAST_MAINS_HZ:
            raise ValueError(f"mains_hz = {self.mains_hz:g} is no mains; expected 50, 60, or 0 for no notch")
        if self.asr_cutoff and self.rate_hz < ASR_LEAST_HZ:
            raise ValueError(
                f"asr_cutoff = {self.asr_cutoff:g} needs rate_hz of at least {ASR_LEAST_HZ} Hz, not {self.rate_hz}: "
                "its spectral filter reaches beyond 40 Hz"
            )
        return self


class QualitySettings(Frozen):
    """When a channel is held to be bad, beside flat and loud seconds; the first two need at least 8 channels."""

    odd_power: float = Field(
        5.0, gt=0, le=1e6, description="Log power further from the others' median than this many spreads"
    )
    least_correlation: float = Field(0.2, ge=0, lt=0.5, description="No correlation with any other above this")
    most_mains: float = Field(
        10.0, gt=0, le=1e6, description="Mains above this many times the signal, both root mean square"
    )
    bad_after_s: int = Field(
        3, ge=1, le=3600, description="Seconds in a row after which a channel is held to be bad, s"
    )
    good_after_s: int = Field(
        5, ge=1, le=3600, description="Seconds in a row after which it is held to be good again, s"
    )


#: The bands whose power can be a signal, Hz.
BANDS_HZ = {"delta": (1.0, 4.0), "theta": (4.0, 8.0), "alpha": (8.0, 13.0), "beta": (13.0, 30.0), "gamma": (30.0, 45.0)}


class SynchronySettings(Frozen):
    """How synchrony and its null band are computed."""

    signal: Literal["broadband", "difference", "envelope", "entropy"] = Field(
        "broadband",
        description="What is correlated: the EEG itself, its change from sample to sample, or a band's amplitude or "
        "differential entropy",
    )
    band: Literal["delta", "theta", "alpha", "beta", "gamma"] = Field(
        "alpha", description="Band of envelope and entropy: 1 to 4, 4 to 8, 8 to 13, 13 to 30, 30 to 45 Hz"
    )
    envelope_hz: float = Field(
        2.0, ge=0.05, le=1000, description="Corner of the low-pass that smooths the band's power, Hz"
    )
    components: int = Field(3, ge=1, le=1000, description="Correlated components, where those are the rows")
    corrca_gamma: float = Field(0.1, ge=0, lt=1, description="Shrinkage of correlated components")
    method: Literal["leave-one-out", "pairwise"] = Field(
        "leave-one-out",
        description="Each person with the mean of the others, or with each of them; the reference is such a mean",
    )
    window_s: int = Field(10, ge=2, le=3600, description="Length of the window, s")
    min_good: float = Field(0.6, gt=0, le=1, description="Fraction of the window that must be good for a value")
    null_separation_s: int = Field(
        10, le=86_400, description="Least distance of the null's windows from the true one, s"
    )
    null_stride_s: int = Field(1, ge=1, le=3600, description="Distance between the null's windows, s")
    null_history_s: int = Field(
        120, ge=30, le=86_400, description="Data that the null's windows come from, to either side, s"
    )
    null_level: float = Field(0.95, gt=0.5, lt=1, description="Share of null values inside the null band")
    null_least: int = Field(10, ge=8, le=100_000, description="Fewest null windows for a band")

    @model_validator(mode="after")
    def _null_is_apart(self) -> SynchronySettings:
        if self.null_separation_s < self.window_s:
            raise ValueError(
                f"null_separation_s = {self.null_separation_s} must be at least one window ({self.window_s} s): "
                "nearer windows share data with the true one"
            )
        return self


#: No feature acts later, s.
MOST_LAG_S = 600


class PredictionSettings(Frozen):
    """How features become a prediction."""

    n_components: int = Field(12, ge=1, le=10_000, description="Principal components of the features")
    standardise: bool = Field(
        False, description="Bring features to one scale before their components are taken: for features of mixed units"
    )
    lags_s: tuple[int, ...] = Field(tuple(range(10)), description="Ages of the features that enter, s")
    longest_lags_s: tuple[int, ...] = Field(
        (), description="Inner folds choose among the lags up to each of these; empty: all lags enter, s"
    )
    interval_level: float = Field(0.9, gt=0, lt=1, description="Share of held-out values inside the interval")

    @model_validator(mode="after")
    def _lags_rise(self) -> PredictionSettings:
        lags = self.lags_s
        if not lags or lags[0] < 0 or lags[-1] > MOST_LAG_S or any(b <= a for a, b in pairwise(lags)):
            raise ValueError(f"lags_s = {lags} must rise from 0 s or later, to {MOST_LAG_S} s at most")
        if any(longest < self.lags_s[0] for longest in self.longest_lags_s):
            raise ValueError(f"longest_lags_s = {self.longest_lags_s} must reach the first lag, {self.lags_s[0]} s")
        return self


class DriftSettings(Frozen):
    """What is a drift, and no answer: time in the stimulus and time on task are regressed out of every comparison."""

    linear: bool = Field(True, description="A straight line over each stimulus, block or shown time")
    cutoff_s: float = Field(
        128.0,
        ge=0,
        le=86_400,
        description="Cosines of this period or a longer one, as in SPM and nilearn; 0 for none, s",
    )
    on_task: bool = Field(
        True, description="A straight line over the session in what its report tells of regulation, which blocks share"
    )

    @field_validator("cutoff_s")
    @classmethod
    def _is_slower_than_windows(cls, value: float) -> float:
        if 0 < value < LEAST_CUTOFF_S:
            raise ValueError(f"{value:g} s takes out what windows measure; expected 0, or {LEAST_CUTOFF_S} or more")
        return value


#: A faster cosine is no drift, s: three windows of 10 s.
LEAST_CUTOFF_S = 30
#: Means alone are taken out.
NO_DRIFT = DriftSettings(linear=False, cutoff_s=0.0, on_task=False)


class Settings(Frozen):
    """All settings of an analysis."""

    signal: SignalSettings = SignalSettings()
    quality: QualitySettings = QualitySettings()
    synchrony: SynchronySettings = SynchronySettings()
    prediction: PredictionSettings = PredictionSettings()
    drift: DriftSettings = DriftSettings()

    @model_validator(mode="after")
    def _band_is_there(self) -> Settings:
        signal, chosen = self.signal, self.synchrony
        if chosen.signal not in ("envelope", "entropy"):
            return self
        low, high = BANDS_HZ[chosen.band]
        if not signal.highpass_hz <= low < high <= signal.lowpass_hz:
            raise ValueError(
                f"synchrony.signal = {chosen.signal} needs all of the {chosen.band} band, {low:g} to {high:g} Hz, but "
                f"signal.highpass_hz and signal.lowpass_hz let only {signal.highpass_hz:g} to {signal.lowpass_hz:g} Hz "
                "pass: choose another synchrony.band, or move those corners outside it"
            )
        if chosen.envelope_hz >= signal.rate_hz / 2:
            raise ValueError(
                f"synchrony.envelope_hz = {chosen.envelope_hz:g} must be below half of signal.rate_hz = "
                f"{signal.rate_hz} Hz: choose a lower one (2 Hz is the default)"
            )
        return self


SettingsT = TypeVar("SettingsT", bound=Frozen)


def read_settings(path: Path | None, mains_hz: float | None = None) -> Settings:
    """Return the settings in a TOML file (those that it does not name keep their default), and another mains frequency.

    Raises
    ------
    SettingsError
        If the file cannot be read, or a setting is unknown or impossible.
    """

    def asked(content: dict[str, Any]) -> dict[str, Any]:
        if mains_hz is not None:
            content["signal"] = {**content.get("signal", {}), "mains_hz": mains_hz}
        return content

    return settings_in(Settings, path, asked)


def settings_in(
    kind: type[SettingsT], path: Path | None, asked: Callable[[dict[str, Any]], dict[str, Any]], what: str = "settings"
) -> SettingsT:
    """Return settings of a ``kind`` from a TOML file, or without one, after ``asked`` has put in what options say.

    ``what`` they are called in the error.

    Raises
    ------
    SettingsError
        If the file cannot be read, or a setting is unknown or impossible.
    """
    try:
        return kind.model_validate(asked({} if path is None else read_toml(path)))
    except (ValidationError, TypeError) as error:
        detail = first_problem(error, kind) if isinstance(error, ValidationError) else "signal must be a table"
        raise SettingsError(f"{what} {path or ''}: {detail}; docs/settings.md lists them all") from None
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"settings {path} cannot be read ({why(error)}); expected TOML in UTF-8: correct it"
        ) from None


#: The engine's turn, s. Features are means over it and lags count in it.
STEP_S = 1
