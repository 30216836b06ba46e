"""How well electrodes touched: what the contact check before a session and its beginning and end say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from calibration.finished.report.tables import has_columns
from rtaffect.common.errors import RecordingError
from rtaffect.plan.session_folder import CONTACT_FILE, RecordedSession, SessionTable, cell_number

_COLUMNS: Final = ("when", "time", "person", "channel", "verdict", "index", "kohm", "reason")
#: When contact is written, as the report calls it.
WHENS: Final = {"check": "check before", "begin": "beginning", "end": "end"}
#: So many electrodes are named at most.
_NAMED: Final = 12


@dataclass(frozen=True, slots=True)
class HeadsetContact:
    """One headset at one time: how many electrodes were ``good``, ``fair``, ``bad`` and ``unknown``.

    ``time`` is in s of the session; ``to_mend`` names those that were not good, each with its figure and the reason.
    """

    person: str
    when: str
    time: float | None
    good: int
    fair: int
    bad: int
    unknown: int
    to_mend: tuple[str, ...]
    more: int


def contact_of(session: RecordedSession, missing: list[str]) -> tuple[HeadsetContact, ...]:
    """Return what ``contact.tsv`` says, by person and time; () where there is none. What is wrong with it is added."""
    path = session.path / CONTACT_FILE
    if not path.exists():
        return ()
    try:
        content = path.read_bytes()
        session.checked(CONTACT_FILE, content)
    except (OSError, RecordingError) as error:
        missing.append(f"{CONTACT_FILE}: {error}")
        return ()
    table = SessionTable.parse(content.decode("utf-8", "replace"))
    if not table.lines:
        return ()
    if not has_columns(table.columns, _COLUMNS, CONTACT_FILE, missing):
        return ()
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for line in table.lines:
        groups.setdefault((line["person"], line["when"]), []).append(line)
    order = list(WHENS)
    people = list(dict.fromkeys(person for person, _ in groups))
    known = [key for key in groups if key[1] in WHENS]
    known.sort(key=lambda key: (people.index(key[0]), order.index(key[1])))
    return tuple(_headset(*key, groups[key]) for key in known)


def _headset(person: str, when: str, lines: Sequence[dict[str, str]]) -> HeadsetContact:
    counts = {verdict: sum(line["verdict"] == verdict for line in lines) for verdict in ("good", "fair", "bad")}
    poor = [_named(line) for line in lines if line["verdict"] != "good"]
    time = cell_number(lines[0]["time"])
    unknown = len(lines) - sum(counts.values())
    named, more = tuple(poor[:_NAMED]), len(poor[_NAMED:])
    at = time if math.isfinite(time) else None
    return HeadsetContact(person, WHENS[when], at, **counts, unknown=unknown, to_mend=named, more=more)


def _named(line: dict[str, str]) -> str:
    """Return an electrode with its figure and the reason: ``F3 0.13 (mains)``."""
    kohm, index = cell_number(line["kohm"]), cell_number(line["index"])
    figure = f" {kohm:.0f} kOhm" if math.isfinite(kohm) else f" {index:.2f}" if math.isfinite(index) else ""
    reason = line["reason"]
    return f"{line['channel']}{figure}" + (f" ({reason})" if reason not in ("", "n/a") else "")
