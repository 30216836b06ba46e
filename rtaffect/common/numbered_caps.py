"""Electrodes that BioSemi's ActiveTwo names by bank and number (A1 to A32, B1 to B32, ...), not by place.

``C3`` of such a list is the third electrode of the third bank, whose place only the cap tells: on the caps of 128, 160
and 256 electrodes (the ABC layout, equiradial) it is not the C3 of the 10-20 system.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rtaffect.common.montage import known_name
from rtaffect.common.words import listed

#: Before a name that would else be taken for a place of the 10-20 system.
OWN: Final = "BioSemi"
#: Caps whose numbers are places of the 10-10 system, in this order, by their electrodes (biosemi.com/headcap.htm).
_PLACED: Final = {32: "1010-32", 64: "1010-64"}
_NUMBERED: Final = re.compile(r"(?:EEG[\s:_-]+)?([A-H])([1-9]|[12]\d|3[0-2])", re.IGNORECASE)
#: A3 and above, and B1 and above, are in no other system of names; one alone may be a slip.
_LEAST: Final = 3


def by_number(names: Sequence[str], given: Sequence[str] | None = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of a headset's channels, none of which is taken for a place that it is not, and what is told.

    Parameters
    ----------
    names
        As the headset has them.
    given
        What somebody gave who knows: then they stay.

    Returns
    -------
    the same names and nothing where they are not by bank and number; else those that would be taken for places with
    ``OWN`` before them.
    """
    found = [_NUMBERED.fullmatch(name.strip()) for name in names]
    numbered = [match[0] for match in found if match]
    if given or sum(_is_unmistakable(match) for match in found if match) < _LEAST:
        return tuple(names), ()
    renamed = tuple(
        f"{OWN} {name.strip()}" if match and known_name(name) else name
        for name, match in zip(names, found, strict=True)
    )
    return renamed, (_told(numbered, [name for name in renamed if name.startswith(f"{OWN} ")]),)


def _is_unmistakable(match: re.Match[str]) -> bool:
    return known_name(match[0]) is None and (match[1].upper() != "A" or int(match[2]) > 2)


def _told(numbered: Sequence[str], renamed: Sequence[str]) -> str:
    first, last = numbered[0], numbered[-1]
    said = f"{len(numbered)} electrodes by BioSemi's numbers, {first} to {last}: their places are not known"
    if renamed:
        said += f", and {listed(renamed, 3)} are not those of the 10-20 system"
    if (cap := _PLACED.get(len(numbered))) is not None:
        said += f"; if it is the cap of {len(numbered)} in the 10-10 system, give {cap} as the names of its channels"
    return said
