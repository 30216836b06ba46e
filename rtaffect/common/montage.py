"""Electrode names: what a headset calls its channels, brought to the names of the 10-05 system.

The names are those that MNE-Python's template positions have (``fsaverage_1005``; Oostenveld and Praamstra, *Clinical
Neurophysiology* 112, 2001). Positions come with the space operator (:mod:`rtaffect.observed.operator`), not from here.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import resources
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.errors import MontageError, under

_DATA: Final = tomllib.loads((resources.files("rtaffect.common") / "electrodes.toml").read_text("utf-8"))
#: All names that have a template position, in MNE's order: from the forehead to the inion, left to right.
KNOWN: Final[tuple[str, ...]] = tuple(_DATA["known"].split())
#: Names of the older 10-20 system for the same places.
ALIASES: Final[dict[str, str]] = _DATA["aliases"]
#: Montages that are asked for by name.
STANDARD: Final[dict[str, tuple[str, ...]]] = {name: tuple(text.split()) for name, text in _DATA["standard"].items()}

_BY_FOLDED: Final = {name.casefold(): name for name in KNOWN} | {k.casefold(): v for k, v in ALIASES.items()}
#: What recorders write around a name: EEG before it, the reference behind it, dots or blanks that fill it up.
_PREFIX: Final = re.compile(r"^EEG[\s:_-]*", re.IGNORECASE)
_REFERENCE: Final = re.compile(r"[\s:_-]+(REF|LE|AVG?|CAR|A1|A2|A1A2|A1\+A2|M1|M2|M1M2|CPZ\s*REF)$", re.IGNORECASE)
_EYES: Final = re.compile(r"^\s*(EEG[\s:_-]+)?[HVLR]?EOG", re.IGNORECASE)
#: Of an unknown name so many near ones are listed.
_NEAREST: Final = 3


def known_name(name: str) -> str | None:
    """Return the 10-05 name of a channel as a headset calls it, or None if it has none.

    Case does not matter; ``EEG Fp1-REF`` is Fp1, ``T3`` is T7. ``Fp1-F7`` (bipolar) and ``EEG 001`` are no places.
    """
    bare = name.strip().rstrip(".").strip()
    bare = _REFERENCE.sub("", _PREFIX.sub("", bare))
    return _BY_FOLDED.get(bare.casefold())


def given_names(names: Sequence[str] | None) -> Sequence[str] | None:
    """Return channel names that somebody gave; a standard montage's name alone (``1010-64``) stands for all of its."""
    return STANDARD.get(names[0], names) if names is not None and len(names) == 1 else names


def is_eog(name: str) -> bool:
    """Return whether a channel, as a headset calls it, records the eyes: EOG, HEOG, VEOG 2, EOG EXG1, ..."""
    return _EYES.match(name) is not None


def place_of(name: str) -> str:
    """Return what tells whether two channel names mean the same place: ``EEG T3-REF``, ``t7`` and ``T7`` do."""
    return (known_name(name) or name.strip()).casefold()


def known_names(names: Sequence[str], where: str = "the montage") -> tuple[str, ...]:
    """Return the 10-05 name of every channel, in the given order.

    Raises
    ------
    MontageError
        If some are unknown (with the nearest known ones), or two are the same place.
    """
    found = {name: known_name(name) for name in names}
    unknown = [name for name, place in found.items() if place is None]
    if unknown:
        raise MontageError(
            f"{where}: {len(unknown)} of {len(names)} channels have names outside the 10-05 system: "
            f"{', '.join(_with_nearest(name) for name in unknown[:8])}{', ...' if len(unknown) > 8 else ''}; rename "
            "them, leave them out, or give their positions in a file"
        )
    places = [place for name in names if (place := found[name]) is not None]
    twice = [place for place, n in Counter(places).items() if n > 1]
    if twice:
        same = [name for name, place in zip(names, places, strict=True) if place in twice]
        raise MontageError(
            f"{where}: {', '.join(same)} are the same place{'s' if len(twice) > 1 else ''} ({', '.join(twice)}); "
            "leave one of each out"
        )
    return tuple(places)


def nearest(name: str) -> tuple[str, ...]:
    """Return the known names that are written most like ``name``, the nearest first."""
    bare = _REFERENCE.sub("", _PREFIX.sub("", name.strip())).casefold()
    near = get_close_matches(bare, _BY_FOLDED, n=_NEAREST, cutoff=0.5)
    return tuple(dict.fromkeys(_BY_FOLDED[match] for match in near))


def _with_nearest(name: str) -> str:
    near = nearest(name)
    return f"{name!r} (near: {', '.join(near)})" if near else repr(name)


def columns_for(wanted: Sequence[str], channels: Sequence[str], who: str, partial: bool = False) -> NDArray[np.intp]:
    """Return the column of ``channels`` for each ``wanted`` one, by name: the very same, else one of the same place.

    Raises
    ------
    MontageError
        If one is not there; with ``partial`` its column is -1.
    """
    places = {place_of(name): i for i, name in enumerate(channels)}
    names = {name.casefold(): i for i, name in enumerate(channels)}
    found = [names.get(name.casefold(), places.get(place_of(name), -1)) for name in wanted]
    missing = [name for name, column in zip(wanted, found, strict=True) if column < 0]
    if missing and not partial:
        raise MontageError(
            f"{who} has no channel {', '.join(missing)}; it has {', '.join(channels)}: "
            f"choose another headset or bundle, or name the channels {under('channels')}"
        )
    return np.array(found, np.intp)


def common_rows(montages: Mapping[str, Sequence[str]], wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Return the rows that every montage has, in the order and spelling of ``wanted`` (else of the first montage).

    Raises
    ------
    MontageError
        If there is none.
    """
    names = list(wanted) if wanted is not None else [n for n in next(iter(montages.values())) if not is_eog(n)]
    held = [{place_of(c) for c in channels} for channels in montages.values()]
    places = {place_of(n): n for n in reversed(names)}
    rows = tuple(n for n in names if places[place_of(n)] == n and all(place_of(n) in h for h in held))
    if not rows:
        raise MontageError(_nothing_shared(montages, wanted, all(any(p in h for p in places) for h in held)))
    return rows


def _nothing_shared(montages: Mapping[str, Sequence[str]], wanted: Sequence[str] | None, each_has_some: bool) -> str:
    """Return why there is no row; ``each_has_some`` says whether each montage has some of them by itself."""
    each = "; ".join(f"{who}: {', '.join(channels)}" for who, channels in montages.items())
    if each_has_some and wanted is not None:
        return (
            f"no channel of the bundle's rows is one that all {len(montages)} headsets have ({each}); take those "
            f"together that have channels in common, or name the channels {under('channels')}"
        )
    whom = f"the bundle's rows ({', '.join(wanted)})" if wanted is not None else "each other"
    return (
        f"no channel name is shared with {whom} ({each}); name the channels {under('channels')}, or use a bundle "
        "calibrated on this montage"
    )
