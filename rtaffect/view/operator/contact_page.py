"""The page of the electrodes' contact while a session runs: the same heads as in the check before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtWidgets import QWidget

from rtaffect.present.contact_state import HeadView
from rtaffect.present.session_state import ViewState
from rtaffect.view.parts import theme
from rtaffect.view.parts.contact_heads import ContactHeads, contact_key
from rtaffect.view.parts.layouts import column, row
from rtaffect.view.parts.plot_key import Key

#: Contact changes once a second.
ASK_S: Final = 0.5
_EXPLAINED: Final = "Index from 0 to 100 over 5 s, or impedance in kOhm (k). H: one headset, the next, all"


class ContactPage(QWidget):
    """Asks for the contact of all headsets while it is seen; ``contact`` is None where it is not measured."""

    def __init__(self, contact: Callable[[], Sequence[HeadView]] | None) -> None:
        super().__init__()
        self.contact = contact
        self.heads = ContactHeads()
        self._asked_at = float("-inf")
        words = theme.ElidedLabel(_EXPLAINED, 12, theme.MUTED)
        key = Key(contact_key()).in_one_line()
        column(row((words, 1), key), (self.heads, 1), of=self, margins=(0, 0, 0, 0), spacing=4)

    def show_state(self, state: ViewState) -> None:
        """Draw the newest contact."""
        if self.contact is not None:
            self.heads.show_heads(self.contact())

    def show_time(self, now: float) -> None:
        """Draw it again, where it may have changed; ``now`` is the present time, s."""
        if self.contact is not None and not 0 <= now - self._asked_at < ASK_S:
            self._asked_at = now
            self.heads.show_heads(self.contact())
