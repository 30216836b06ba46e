"""What a contact check and a session's page of it show of each headset, and say in lines. No Qt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rtaffect.observed.contact import ElectrodeContact, HeadsetContact, Verdict
from rtaffect.observed.contact_target import TargetState

#: A sign of each verdict, so that colour is not needed.
SIGNS: Final[dict[Verdict, str]] = {
    "good": "\N{CHECK MARK}",
    "fair": "!",
    "bad": "\N{MULTIPLICATION X}",
    "unknown": "?",
}
#: What the assistant can do about each reason.
REMEDIES: Final = {
    "mains": "high impedance: part the hair, more gel or water, press",
    "drift": "not settled: wait, or clean the skin",
    "flat": "no signal: cable or socket",
    "loud": "loose or moving: fasten",
    "noise": "touches no skin: press, more gel",
    "power": "unlike the others: press, more gel",
    "impedance": "high impedance: part the hair, more gel or water, press",
    "quality": "the device says so: press, more gel or water",
    "bridged": "gel between the two: wipe it off",
}
_WORST_FIRST: Final[dict[Verdict, int]] = {"bad": 0, "unknown": 1, "fair": 2, "good": 3}


@dataclass(frozen=True, slots=True)
class HeadView:
    """One headset as it is shown: ``electrodes`` in its own order, how far the target is, and what is wrong with it.

    ``hold_s`` is how long the target must be held, s; None where there is none.
    """

    name: str
    electrodes: tuple[ElectrodeContact, ...]
    target: TargetState
    hold_s: int | None = None
    trouble: str = ""

    @property
    def headline(self) -> str:
        """How many electrodes are good, and how far the target is."""
        if self.trouble and not self.electrodes:
            return self.trouble
        t = self.target
        if self.hold_s is None:
            return f"{t.good} of {len(self.electrodes)} good"
        state = "met" if t.met else f"{min(t.held_s, self.hold_s)} of {self.hold_s} s" if t.held_s else "not met"
        return f"{t.good} of {len(self.electrodes)} good \N{EN DASH} target {t.needed}: {state}"

    @property
    def to_mend(self) -> tuple[ElectrodeContact, ...]:
        """The electrodes that are not good, worst first."""
        return tuple(
            sorted(
                (each for each in self.electrodes if each.verdict != "good"),
                key=lambda each: (_WORST_FIRST[each.verdict], each.index if np.isfinite(each.index) else 1.0),
            )
        )

    @property
    def advice(self) -> str:
        """What is to be done first, in words; '' where nothing is."""
        if self.trouble:
            return self.trouble
        if said := HeadsetContact(self.name, 0.0, self.electrodes).all_by:
            return f"nearly all are {said}: reference or ground does not touch, or the cap's cable"
        worst = next((each for each in self.to_mend if each.why), None)
        return f"{worst.name}: {remedy(worst.why)}" if worst is not None else ""


def remedy(why: str) -> str:
    """Return what is to be done about a reason, in words."""
    return REMEDIES.get(why.partition(" ")[0], why)


def number_of(electrode: ElectrodeContact) -> str:
    """Return the figure that stands in an electrode's disc: kOhm, or the index in hundredths; '' where not known."""
    if np.isfinite(electrode.kohm):
        return f"{electrode.kohm:.0f}k"
    return f"{100 * electrode.index:.0f}" if np.isfinite(electrode.index) else ""


def contact_lines(heads: Sequence[HeadView]) -> Iterator[str]:
    """Yield one line for each electrode, and one for each headset, as a script or a person without a window reads."""
    for head in heads:
        if head.trouble:
            yield f"{head.name}: {head.trouble}"
        width = max((len(each.name) for each in head.electrodes), default=0)
        for each in head.electrodes:
            value = each.value.rjust(8) if each.value else "     n/a"
            why = f"  {each.why}: {remedy(each.why)}" if each.why else ""
            yield f"{head.name}  {each.name:<{width}}  {each.verdict:<7}  {value}{why}"
        yield f"{head.name}: {head.headline}"
