"""Electrode names: what a headset calls its channels, brought to the names of the 10-05 system.

The names are those that MNE-Python's template positions have (``fsaverage_1005``; Oostenveld and Praamstra, *Clinical
Neurophysiology* 112, 2001). Positions come with the space operator (:mod:`rtaffect.observed.operator`), not from here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.errors import MontageError, under

_NAMES: Final = """
Fp1 Fpz Fp2 AF9 AF7 AF5 AF3 AF1 AFz AF2 AF4 AF6 AF8 AF10 F9 F7 F5 F3 F1 Fz F2 F4 F6 F8 F10 FT9 FT7 FC5 FC3
FC1 FCz FC2 FC4 FC6 FT8 FT10 T9 T7 C5 C3 C1 Cz C2 C4 C6 T8 T10 TP9 TP7 CP5 CP3 CP1 CPz CP2 CP4 CP6 TP8 TP10
P9 P7 P5 P3 P1 Pz P2 P4 P6 P8 P10 PO9 PO7 PO5 PO3 PO1 POz PO2 PO4 PO6 PO8 PO10 O1 Oz O2 I1 Iz I2 AFp9h AFp7h
AFp5h AFp3h AFp1h AFp2h AFp4h AFp6h AFp8h AFp10h AFF9h AFF7h AFF5h AFF3h AFF1h AFF2h AFF4h AFF6h AFF8h
AFF10h FFT9h FFT7h FFC5h FFC3h FFC1h FFC2h FFC4h FFC6h FFT8h FFT10h FTT9h FTT7h FCC5h FCC3h FCC1h FCC2h
FCC4h FCC6h FTT8h FTT10h TTP9h TTP7h CCP5h CCP3h CCP1h CCP2h CCP4h CCP6h TTP8h TTP10h TPP9h TPP7h CPP5h
CPP3h CPP1h CPP2h CPP4h CPP6h TPP8h TPP10h PPO9h PPO7h PPO5h PPO3h PPO1h PPO2h PPO4h PPO6h PPO8h PPO10h
POO9h POO7h POO5h POO3h POO1h POO2h POO4h POO6h POO8h POO10h OI1h OI2h Fp1h Fp2h AF9h AF7h AF5h AF3h AF1h
AF2h AF4h AF6h AF8h AF10h F9h F7h F5h F3h F1h F2h F4h F6h F8h F10h FT9h FT7h FC5h FC3h FC1h FC2h FC4h FC6h
FT8h FT10h T9h T7h C5h C3h C1h C2h C4h C6h T8h T10h TP9h TP7h CP5h CP3h CP1h CP2h CP4h CP6h TP8h TP10h P9h
P7h P5h P3h P1h P2h P4h P6h P8h P10h PO9h PO7h PO5h PO3h PO1h PO2h PO4h PO6h PO8h PO10h O1h O2h I1h I2h AFp9
AFp7 AFp5 AFp3 AFp1 AFpz AFp2 AFp4 AFp6 AFp8 AFp10 AFF9 AFF7 AFF5 AFF3 AFF1 AFFz AFF2 AFF4 AFF6 AFF8 AFF10
FFT9 FFT7 FFC5 FFC3 FFC1 FFCz FFC2 FFC4 FFC6 FFT8 FFT10 FTT9 FTT7 FCC5 FCC3 FCC1 FCCz FCC2 FCC4 FCC6 FTT8
FTT10 TTP9 TTP7 CCP5 CCP3 CCP1 CCPz CCP2 CCP4 CCP6 TTP8 TTP10 TPP9 TPP7 CPP5 CPP3 CPP1 CPPz CPP2 CPP4 CPP6
TPP8 TPP10 PPO9 PPO7 PPO5 PPO3 PPO1 PPOz PPO2 PPO4 PPO6 PPO8 PPO10 POO9 POO7 POO5 POO3 POO1 POOz POO2 POO4
POO6 POO8 POO10 OI1 OIz OI2
"""
#: All names that have a template position, in MNE's order: from the forehead to the inion, left to right.
KNOWN: Final[tuple[str, ...]] = tuple(_NAMES.split())

#: Names of the older 10-20 system (Klem et al. 1999) for the same places.
ALIASES: Final[dict[str, str]] = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}

_STANDARD: Final = {
    "1020-19": "Fp1 Fp2 F7 F3 Fz F4 F8 T7 C3 Cz C4 T8 P7 P3 Pz P4 P8 O1 O2",
    "1010-32": """Fp1 AF3 F7 F3 FC1 FC5 T7 C3 CP1 CP5 P7 P3 Pz PO3 O1 Oz O2 PO4 P4 P8 CP6 CP2 C4 T8 FC6 FC2 F4 F8 AF4
        Fp2 Fz Cz""",
    "1010-64": """Fp1 AF7 AF3 F1 F3 F5 F7 FT7 FC5 FC3 FC1 C1 C3 C5 T7 TP7 CP5 CP3 CP1 P1 P3 P5 P7 P9 PO7 PO3 O1 Iz Oz
        POz Pz CPz Fpz Fp2 AF8 AF4 AFz Fz F2 F4 F6 F8 FT8 FC6 FC4 FC2 FCz Cz C2 C4 C6 T8 TP8 CP6 CP4 CP2 P2 P4 P6 P8 P10
        PO8 PO4 O2""",
}
#: Montages that are asked for by name: 19 of the 10-20 system, and the 32 and 64 places that BioSemi's caps have.
STANDARD: Final[dict[str, tuple[str, ...]]] = {name: tuple(text.split()) for name, text in _STANDARD.items()}

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
        each = "; ".join(f"{who}: {', '.join(channels)}" for who, channels in montages.items())
        whom = f"the bundle's rows ({', '.join(wanted)})" if wanted is not None else "each other"
        raise MontageError(
            f"no channel name is shared with {whom} ({each}); name the channels {under('channels')}, "
            "or use a bundle calibrated on this montage"
        )
    return rows
