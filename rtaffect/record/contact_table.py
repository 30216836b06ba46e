"""The table ``contact.tsv``: how well each electrode touched, before the session, at its beginning and at its end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from rtaffect.common.text import clean
from rtaffect.observed.contact import HeadsetContact
from rtaffect.record.table import ABSENT, cell

CONTACT_COLUMNS: Final = ("when", "time", "lsl_time", "person", "channel", "verdict", "by", "index", "kohm", "reason")
#: When contact is written: by the check before the session, once it has begun, and when it ends.
When = Literal["check", "begin", "end"]


def contact_lines(when: When, contacts: Iterable[HeadsetContact], origin: float) -> list[tuple[str, ...]]:
    """Return one line of cells per electrode; ``origin`` is the session's zero, s on the LSL clock."""
    return [
        (when, f"{found.time - origin:g}", f"{found.time:.6f}", clean(found.headset), clean(each.name), each.verdict,
         each.by, cell(each.index), cell(each.kohm), clean(each.why) or ABSENT)
        for found in contacts
        for each in found.electrodes
    ]  # fmt: skip
