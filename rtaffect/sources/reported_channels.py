"""Which channels of a stream tell of the contact of which electrode."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Sequence
from typing import Final

from rtaffect.common.channel_kinds import Kind, plain
from rtaffect.common.montage import place_of
from rtaffect.sources.device_profile import DeviceProfile, Reports
from rtaffect.stream.reported import ReportedChannel

#: kOhm in one unit of impedance, by its name in lower case.
KOHM_PER: Final = {
    "ohm": 1e-3, "ohms": 1e-3, "\N{GREEK SMALL LETTER OMEGA}": 1e-3, "kohm": 1.0, "kohms": 1.0, "kiloohm": 1.0,
    "kiloohms": 1.0, "k\N{GREEK SMALL LETTER OMEGA}": 1.0, "mohm": 1e3, "mohms": 1e3, "megaohm": 1e3, "megaohms": 1e3,
}  # fmt: skip
#: Words beside the electrode's name in that of a channel of impedance.
_WORDS: Final = re.compile(r"(?i)^(impedance|imp|z)[\s_:-]+|[\s_:-]+(impedance|imp|z)$")


def kohm_per(unit: str) -> float | None:
    """Return the kOhm in one ``unit`` ('Ohm', 'kOhm', 'kilo-ohms', ...); None for what is no unit of impedance."""
    return KOHM_PER.get(re.sub(r"[\s_-]", "", plain(unit).casefold()))


def reported_among(
    labels: Sequence[str],
    units: Sequence[str],
    kinds: Sequence[Kind],
    electrodes: Sequence[str],
    known: DeviceProfile | None,
) -> tuple[ReportedChannel, ...]:
    """Return those among the channels of a stream that tell of one of its own ``electrodes``.

    By the device's profile, where it says which do; else channels of kind 'quality' that are called by an electrode and
    have a unit of impedance: a number without a unit is never taken for kOhm.
    """
    reports = known.contact if known is not None else None
    found = (
        _by_profile(labels, reports) if reports is not None and not reports.stream else _by_unit(labels, units, kinds)
    )
    places = {place_of(name): name for name in electrodes}
    return tuple(
        ReportedChannel(places[place_of(each.electrode)], each.column, each.means, each.scale, each.good, each.bad)
        for each in found
        if place_of(each.electrode) in places
    )


def of_own_stream(labels: Sequence[str], reports: Reports) -> tuple[ReportedChannel, ...]:
    """Return the channels of a stream of its own that tell of electrodes, by the profile."""
    return tuple(_by_profile(labels, reports))


def _by_profile(labels: Sequence[str], reports: Reports) -> Iterator[ReportedChannel]:
    before, _, after = reports.channels.partition("*")
    for column, label in enumerate(labels):
        if fnmatch.fnmatchcase(label, reports.channels):
            electrode = label[len(before) : len(label) - len(after)]
            if reports.means == "impedance":
                yield ReportedChannel(electrode, column, "impedance", kohm_per(reports.unit) or 1.0)
            else:
                yield ReportedChannel(
                    electrode,
                    column,
                    "quality",
                    1 / reports.best,
                    reports.good / reports.best,
                    reports.bad / reports.best,
                )


def _by_unit(labels: Sequence[str], units: Sequence[str], kinds: Sequence[Kind]) -> Iterator[ReportedChannel]:
    for column, (label, unit, kind) in enumerate(zip(labels, units, kinds, strict=True)):
        scale = kohm_per(unit)
        if kind == "quality" and scale is not None:
            yield ReportedChannel(_WORDS.sub("", plain(label)), column, "impedance", scale)
