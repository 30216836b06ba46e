"""Whether enough electrodes are good for long enough: what the contact check waits for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rtaffect.common.contact_settings import ContactSettings
from rtaffect.observed.contact import HeadsetContact


@dataclass(frozen=True, slots=True)
class TargetState:
    """Of one headset: ``good`` of its electrodes are good, ``needed`` must be, and have been for ``held_s`` s."""

    good: int = 0
    needed: int = 1
    held_s: int = 0
    met: bool = False


class ContactTarget:
    """Follows one headset towards the target; a second without contact, or with too few good, begins anew."""

    def __init__(self, settings: ContactSettings, electrodes: int) -> None:
        self._settings, self._held, self._last = settings, 0, -math.inf
        self._needed = math.ceil(settings.share * electrodes - 1e-9)
        self.state = TargetState(needed=self._needed)

    def __call__(self, contact: HeadsetContact) -> TargetState:
        """Take the contact of the next second, and return how far the target is."""
        if contact.time <= self._last:
            return self.state
        # A second that was passed over was not good.
        goes_on = contact.time - self._last < 1.5
        self._last, good = contact.time, contact.good
        self._held = (self._held if goes_on else 0) + 1 if good >= self._needed else 0
        self.state = TargetState(good, self._needed, self._held, self._held >= self._settings.hold_s)
        return self.state
