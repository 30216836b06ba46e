"""What a session keeps and shows of its electrodes' contact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from rtaffect.engine.engine import Engine
from rtaffect.observed.contact import HeadsetContact
from rtaffect.observed.contact_target import TargetState
from rtaffect.plan.session_folder import CONTACT_FILE
from rtaffect.present.contact_state import HeadView
from rtaffect.record.contact_table import CONTACT_COLUMNS, contact_lines
from rtaffect.record.session_writer import SessionWriter

#: A headset's contact at the beginning is that of the first second from this step on in which it is known.
BEGINS: Final = 12


class ContactRecord:
    """Writes ``contact.tsv`` of a session in which contact is measured, or was checked before.

    Parameters
    ----------
    engine
        Measures it.
    writer
        Has the folder; None where nothing is kept.
    checked
        What the check before the session found.
    """

    def __init__(self, engine: Engine, writer: SessionWriter | None, checked: Sequence[HeadsetContact]) -> None:
        self._measures, self._origin, self._begun = engine.measures, engine.origin, set[str]()
        self._writer = writer if checked or engine.measures.contact is not None else None
        if self._writer is not None:
            self._writer.add_table(CONTACT_FILE, CONTACT_COLUMNS)
            self._writer.lines(CONTACT_FILE, contact_lines("check", checked, self._origin))

    def step(self, number: int) -> None:
        """Write the contact of headsets whose beginning this is."""
        if self._writer is None or number < BEGINS:
            return
        new = [each for each in self._measures.contacts if each.headset not in self._begun and _known(each)]
        if new:
            self._begun |= {each.headset for each in new}
            self._writer.lines(CONTACT_FILE, contact_lines("begin", new, self._origin))

    def close(self) -> None:
        """Write the contact at the end, once."""
        if self._writer is not None:
            last = [each for each in self._measures.contacts if each.headset in self._begun]
            self._writer.lines(CONTACT_FILE, contact_lines("end", last, self._origin))
            self._writer = None


def _known(contact: HeadsetContact) -> bool:
    return any(each.verdict != "unknown" for each in contact.electrodes)


def heads_of(engine: Engine) -> Callable[[], Sequence[HeadView]] | None:
    """Return what gives the headsets' contact as it is shown, from any thread; None where it is not measured."""
    if engine.measures.contact is None or not engine.people:
        return None
    return lambda: [
        HeadView(each.headset, each.electrodes, TargetState(each.good)) for each in engine.measures.contacts
    ]
