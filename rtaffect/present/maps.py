"""What the brain or the scalp shows of the newest step: values, looks and marks of each row. No Qt.

R rows of the space. Values are correlations or differences of them, dimensionless.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray
from rtaffect.common.regions import GROUPS, REGIONS
from rtaffect.engine.feedback import Feedback
from rtaffect.present.number_text import signed
from rtaffect.present.sections import lacking, percent, resolved, row_title

Quantity = Literal["observed", "predicted", "difference", "elements"]
QUANTITIES: tuple[Quantity, ...] = ("observed", "predicted", "difference", "elements")
#: How a row is drawn: in full colour, hatched because the montage does not tell it apart, grey because it is not
#: trusted now, or empty because it has no value.
Look = Literal["plain", "unresolved", "untrusted", "absent"]
#: What the head shows: areas of the cortex, electrodes, or nothing because the rows have no place.
Place = Literal["brain", "scalp", "nowhere"]
Level = Literal["zones", "regions"]
LEVELS: tuple[Level, ...] = ("zones", "regions")

#: Under each quantity's colour bar, and what its mark says.
LABELS: dict[Quantity, str] = {
    "observed": "observed synchrony (r)",
    "predicted": "predicted synchrony (r)",
    "difference": "observed \N{MINUS SIGN} predicted (difference of r)",
    "elements": "background (\N{MINUS SIGN}) or voice (+) predicts more (r)",
}
MARKS: dict[Quantity, str] = {
    "observed": "outside its null band",
    "predicted": "",
    "difference": "observed outside the predicted interval",
    "elements": "one outside the other's interval",
}

#: The colour scale reaches at least so far, and grows in these steps.
LEAST_LIMIT, LIMIT_STEP = 0.2, 0.1


@dataclass(frozen=True, slots=True, eq=False)
class MapState:
    """One quantity of all rows: ``values`` (R,), NaN where absent, ``looks`` of each row, and ``marked`` (R,) rows."""

    quantity: Quantity
    values: FloatArray
    looks: tuple[Look, ...]
    marked: NDArray[np.bool_]


def resolve_map(latest: Feedback, quantity: Quantity) -> MapState:
    """Return what the head shows of ``latest``."""
    values, marked = _values(latest, quantity)
    # Where nothing is observed, no row is trusted, but what is predicted can still be shown.
    may_distrust = quantity not in ("predicted", "elements") or latest.observed_against != "nothing"
    distrusted, resolved_rows = lacking(latest) & may_distrust, resolved(latest)
    looks = tuple(
        _look(bool(np.isfinite(value)), bool(distrust), bool(apart))
        for value, distrust, apart in zip(values, distrusted, resolved_rows, strict=True)
    )
    return MapState(quantity, values, looks, marked & np.isfinite(values))


def _values(latest: Feedback, quantity: Quantity) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the values (R,) and which of them are marked."""
    if quantity == "predicted":
        return latest.predicted, np.zeros(len(latest.rows), np.bool_)
    if quantity == "elements":
        return _of_elements(latest)
    if quantity == "observed":
        return latest.observed, (latest.observed < latest.null_low) | (latest.observed > latest.null_high)
    outside = (latest.observed < latest.predicted_low) | (latest.observed > latest.predicted_high)
    return latest.observed - latest.predicted, outside


def has_both_elements(latest: Feedback) -> bool:
    """Return whether both voice and background are predicted from, so that they can be held against each other."""
    return {each.element for each in latest.elements} >= {"voice", "background"}


def _of_elements(latest: Feedback) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return what the voice predicts less what the background does (R,), and where one is outside the other's ends."""
    found = {each.element: each for each in latest.elements}
    if not has_both_elements(latest):
        return np.full(len(latest.rows), np.nan), np.zeros(len(latest.rows), np.bool_)
    voice, other = found["voice"], found["background"]
    outside = [(a.predicted < b.low) | (a.predicted > b.high) for a, b in ((voice, other), (other, voice))]
    return voice.predicted - other.predicted, outside[0] | outside[1]


def _look(there: bool, distrusted: bool, resolved: bool) -> Look:
    if not there:
        return "absent"
    if distrusted:
        return "untrusted"
    return "plain" if resolved else "unresolved"


def grown_limit(state: MapState, limit: float) -> float:
    """Return the end of the colour scale: ``limit``, or more where a value in full colour is larger."""
    plain = np.array([look == "plain" for look in state.looks], np.bool_)
    largest = float(np.abs(state.values[plain]).max(initial=0.0))
    return min(1.0, max(limit, LEAST_LIMIT, float(np.ceil(largest / LIMIT_STEP - 1e-9)) * LIMIT_STEP))


def place_of_rows(row_kinds: Sequence[str]) -> Place:
    """Return where rows of these kinds are drawn."""
    if "region" in row_kinds:
        return "brain"
    return "scalp" if "channel" in row_kinds else "nowhere"


def areas(latest: Feedback, level: Level, zones: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return the row that each region of the atlas shows: its own, or that of its zone.

    ``zones`` holds the regions of each zone; where none of the rows is such a zone, regions show themselves.
    """
    numbers = {row: number for number, row in enumerate(zip(latest.row_kinds, latest.rows, strict=True))}
    shown = {name: members for name, members in zones.items() if ("zone", name) in numbers}
    if level == "zones" and shown:
        return {region: numbers["zone", name] for name, members in shown.items() for region in members}
    return {region: numbers["region", region] for region in REGIONS if ("region", region) in numbers}


def has_zones(latest: Feedback, zones: Mapping[str, Sequence[str]]) -> bool:
    """Return whether a zone can be drawn."""
    return any(kind == "zone" and row in zones for kind, row in zip(latest.row_kinds, latest.rows, strict=True))


def regions_of(latest: Feedback, row: int, zones: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """Return the regions that a row is of: itself, or the members of a zone or group."""
    kind, name = latest.row_kinds[row], latest.rows[row]
    if kind == "zone":
        return frozenset(zones.get(name, ()))
    if kind == "group":
        label, side = (name[:-3], name[-3:]) if name[-3:] in ("-lh", "-rh") else (name, "")
        return frozenset(r for r in REGIONS if r[:-3] in GROUPS.get(label, ()) and r.endswith(side))
    return frozenset({name} if kind == "region" else ())


def row_words(latest: Feedback, row: int, state: MapState) -> str:
    """Return what the pointer over a row's place says."""
    look, value = state.looks[row], state.values[row]
    words = [row_title(latest, row)]
    words.append(f"{LABELS[state.quantity]}: {signed(value)}" if look != "absent" else "no value")
    if look == "unresolved":
        words.append(
            f"not told apart from its neighbours: {percent(float(latest.specificity[row]))} of its power is its own"
        )
    if look == "untrusted":
        words.append("not trusted now")
    if state.marked[row]:
        words.append(MARKS[state.quantity])
    return "\n".join(words)
