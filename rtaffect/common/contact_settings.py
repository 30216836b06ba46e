"""When an electrode's contact is held to be good, and when enough of them are for a session to start."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import Field, model_validator

from rtaffect.common.settings import Frozen, settings_in

#: Pairs of settings between which a score falls from 1 to 0.
_FALLING: Final = (
    ("mains_good", "mains_bad"),
    ("drift_good_v", "drift_bad_v"),
    ("odd_good", "odd_bad"),
    ("good_kohm", "bad_kohm"),
)


class ContactSettings(Frozen):
    """Limits of the contact check; ``*_good`` scores 1, ``*_bad`` scores 0, and what is between falls evenly."""

    share: float = Field(0.9, gt=0, le=1, description="Target: share of each headset's electrodes that are good")
    hold_s: int = Field(10, ge=1, le=3600, description="Target: for so long without a break, s")
    good_from: float = Field(0.7, gt=0, le=1, description="Contact index from which an electrode is good")
    bad_below: float = Field(0.4, ge=0, lt=1, description="Contact index below which it is bad")
    good_kohm: float = Field(
        20.0, gt=0, le=1e6, description="Where impedance is sent: good up to this, kOhm; dry electrodes need more"
    )
    bad_kohm: float = Field(50.0, gt=0, le=1e6, description="Where impedance is sent: bad from here on, kOhm")
    window_s: int = Field(5, ge=3, le=15, description="Seconds that are judged; correlation takes twice as many, s")
    mains_good: float = Field(
        2.0, gt=0, le=1e6, description="Mains over the headset's median signal, both root mean square"
    )
    mains_bad: float = Field(20.0, gt=0, le=1e6, description="The same, from where nothing is left of the index")
    drift_good_v: float = Field(
        30e-6, gt=0, le=1, description="Slow drift: standard deviation of the seconds' raw means, V"
    )
    drift_bad_v: float = Field(300e-6, gt=0, le=1, description="The same, from where nothing is left of the index, V")
    correlation_good: float = Field(
        0.4, gt=0, lt=1, description="Highest correlation with another electrode; needs at least 8 electrodes"
    )
    correlation_bad: float = Field(0.2, ge=0, lt=1, description="The same, below which nothing is left of the index")
    odd_good: float = Field(
        3.0, gt=0, le=1e6, description="Log power from the others' median, in spreads; needs at least 8 electrodes"
    )
    odd_bad: float = Field(7.0, gt=0, le=1e6, description="The same, from where nothing is left of the index")
    bridged: float = Field(
        0.03,
        ge=0,
        lt=1,
        description="Two electrodes are bridged whose difference has less than this part of the variance that the "
        "median pair's has; needs at least 8 electrodes; 0: none is",
    )

    @model_validator(mode="after")
    def _rise(self) -> ContactSettings:
        for low, high in (*_FALLING, ("bad_below", "good_from"), ("correlation_bad", "correlation_good")):
            if getattr(self, low) >= getattr(self, high):
                raise ValueError(
                    f"{low} = {getattr(self, low):g} must be below {high} = {getattr(self, high):g}: raise {high}, or "
                    f"lower {low}"
                )
        return self


def read_contact_settings(path: Path | None) -> ContactSettings:
    """Return the settings of the contact check in a TOML file; those that it does not name keep their default.

    Raises
    ------
    SettingsError
        If the file cannot be read, or a setting is unknown or impossible.
    """
    return settings_in(ContactSettings, path, lambda content: content, "contact settings")
