"""What a timing certificate is asked for, checked before anything is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rtaffect.common.errors import SettingsError

#: The first clicks that count come so long after the session's zero, s: sound servers take some seconds to settle.
LEAD_S: Final = 6
#: A session of fewer seconds says too little.
LEAST_S: Final = LEAD_S + 4
#: Headsets send for so much longer than the session, s: for so long it may take to get ready.
SPARE_S: Final = 60
#: So many values of simulated EEG are made at most: they are in memory.
MOST_VALUES: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class CertifyPlan:
    """What is certified.

    Attributes
    ----------
    out
        New folder of the certificate, which is its session's, too.
    seconds
        Length of the session.
    capture, capture_stream, captured
        Sound device (None: the default one) or LSL stream that hears the clicks, and whether they are captured at all.
    speaker
        Sound device that plays them; None for the default one.
    headsets, channels, rate
        Of the simulated EEG; Hz.
    headless
        Whether there is no window.
    bundle
        Bundle whose featurizer reads the captured sound, so that its cost is included; None for none.
    """

    out: Path
    seconds: int = 120
    capture: str | None = None
    capture_stream: str | None = None
    captured: bool = True
    speaker: str | None = None
    headsets: int = 1
    channels: int = 8
    rate: float = 250.0
    headless: bool = False
    bundle: Path | None = None

    def check(self) -> None:
        """Refuse what does not go together or into memory; raises SettingsError."""
        if self.capture is not None and self.capture_stream is not None:
            raise SettingsError("--capture and --capture-stream exclude each other; give the one that hears the clicks")
        if not self.captured and (self.capture is not None or self.capture_stream is not None):
            raise SettingsError("--no-capture says that nothing is captured; leave it out, or the device or stream")
        if not self.captured and self.bundle is not None:
            raise SettingsError("--bundle reads the sound that is captured; leave it out, or --no-capture")
        values = self.headsets * self.channels * self.rate * (self.seconds + SPARE_S)
        if values > MOST_VALUES:
            fit = int(MOST_VALUES / (self.headsets * self.channels * self.rate)) - SPARE_S
            raise SettingsError(
                f"{self.headsets} x {self.channels} channels at {self.rate:g} Hz for {self.seconds} s are too many "
                "simulated samples",
                f"at most {MOST_VALUES:,}, which are kept in memory",
                f"use --seconds {fit} or less" if fit >= LEAST_S else "use fewer headsets or channels",
            )
        if self.out.exists() and any(self.out.iterdir() if self.out.is_dir() else [self.out]):
            raise SettingsError(f"--out {self.out} is there already; name a new folder, nothing is overwritten")
