"""The tour over the operator's window: a frame around what a note is about, and the note beside it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QWidget

from rtaffect.present.tour import BACK_KEY, NEXT_KEY, NOTES, Note, Target
from rtaffect.view.operator.session_window import SessionWindow
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column, row

#: Width of a note, room around it and around what is framed, px.
WIDTH, APART, AROUND = 340, 12, 3


class Tour(QFrame):
    """Notes one after the other, by keys or buttons; hidden until it is begun. It is a part of the window's inside.

    The session goes on behind it, and all keys of the window keep their meaning; only Esc, while the note has the
    focus, is the tour's.
    """

    def __init__(self, window: SessionWindow) -> None:
        super().__init__(window)
        self._over, self._number, self._page = window, -1, 0
        self.setObjectName("tour")
        self.setAccessibleName("tour of the window")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.frame = QFrame(window)
        self.frame.setObjectName("tour-frame")
        self.frame.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.title, self.words = theme.label("", 15, bold=True), theme.label("", 13)
        self.words.setWordWrap(True)
        self.words.setFixedWidth(WIDTH - 32)
        self.count = theme.label("", 12, theme.MUTED)
        self.back, self.next = theme.button("Back", "the note before"), theme.button("Next  F2", "the next note")
        self.end = theme.button("End  Esc", "leave the tour")
        buttons = row((self.count, 1), self.end, self.back, self.next, spacing=6)
        column(self.title, self.words, buttons, of=self, margins=(16, 12, 16, 12), spacing=8)
        for button, call in ((self.back, self.show_before), (self.next, self.show_next), (self.end, self.leave)):
            button.clicked.connect(call)
        QShortcut(QKeySequence(NEXT_KEY), window, self.show_next)
        QShortcut(QKeySequence(BACK_KEY), window, self.show_before)
        self.hide()
        self.frame.hide()
        window.installEventFilter(self)

    @property
    def note(self) -> Note | None:
        """The note that is shown; None while there is none."""
        return self._notes[self._number] if 0 <= self._number < len(self._notes) else None

    @property
    def _notes(self) -> list[Note]:
        """The notes whose pages this session has."""
        return [note for note in NOTES if self._over.tabs.isTabVisible(note.page)]

    def show_next(self) -> None:
        """Begin, show the next note, or leave after the last."""
        if self.note is None:
            self._page = self._over.pages.currentIndex()
        self._show(self._number + 1)

    def show_before(self) -> None:
        """Show the note before; of the first one, that one."""
        if self.note is not None:
            self._show(max(0, self._number - 1))

    def leave(self) -> None:
        """Hide it, and show the page that was seen before it."""
        if self._number < 0:
            return
        self._number = -1
        self.hide()
        self.frame.hide()
        self._over.show_page(self._page)
        self._over.rows.list.setFocus()

    def _show(self, number: int) -> None:
        notes = self._notes
        if number >= len(notes):
            self.leave()
            return
        self._number, note = number, notes[number]
        self._over.show_page(note.page)
        theme.set_text(self.title, note.title)
        theme.set_text(self.words, note.words)
        theme.set_text(self.count, f"{number + 1} of {len(notes)}")
        self.next.setText("Done  F2" if number == len(notes) - 1 else "Next  F2")
        self.back.setEnabled(number > 0)
        self.show()
        self.place()
        self.setFocus()

    def place(self) -> None:
        """Stand beside what the note is about, or over the window's left edge where there is no room for it."""
        note = self.note
        if note is None:
            return
        target = _TARGETS[note.target](self._over)
        if layout := self.layout():
            # The words decide how high it is.
            self.words.setFixedHeight(self.words.heightForWidth(self.words.width()))
            layout.activate()
        self.resize(WIDTH, self.sizeHint().height())
        about = QRect(target.mapTo(self._over, QPoint(0, 0)), target.size())
        self.frame.setGeometry(about.adjusted(-AROUND, -AROUND, AROUND, AROUND).intersected(self._over.rect()))
        self.move(beside(about, self.size(), self._over.rect()))
        self.frame.show()
        self.frame.raise_()
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Keep its place when the window changes."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.LayoutRequest) and self.note is not None:
            self.place()
        return False

    def event(self, event: QEvent) -> bool:
        """Keep Esc for itself while it has the focus."""
        is_key = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if is_key and event.key() == Qt.Key.Key_Escape:  # type: ignore[attr-defined]
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Leave by Esc."""
        if event.key() == Qt.Key.Key_Escape:
            self.leave()
        else:
            super().keyPressEvent(event)


#: What each note points at.
_TARGETS: dict[Target, Callable[[SessionWindow], QWidget]] = {
    "mean": lambda window: window.curves.mean_plot,
    "row": lambda window: window.curves.row_plot,
    "rows": lambda window: window.rows,
    "map": lambda window: window.map,
    "quality": lambda window: window.curves.quality,
    "agreement": lambda window: window.agreement,
    "footer": lambda window: window.footer,
}


def beside(about: QRect, size: QSize, within: QRect) -> QPoint:
    """Return where a note of ``size`` stands that is about a part of a window: beside it, where there is room."""
    w, h = size.width() + 2 * APART, size.height() + 2 * APART
    left = min(max(about.center().x() - size.width() // 2, within.left() + APART), within.right() - w + APART)
    top = min(max(about.center().y() - size.height() // 2, within.top() + APART), within.bottom() - h + APART)
    places = (
        (about.bottom() + h <= within.bottom(), QPoint(left, about.bottom() + APART)),
        (about.top() - h >= within.top(), QPoint(left, about.top() - APART - size.height())),
        (about.right() + w <= within.right(), QPoint(about.right() + APART, top)),
        (about.left() - w >= within.left(), QPoint(about.left() - APART - size.width(), top)),
    )
    found = next((place for fits, place in places if fits), None)
    # A whole page is best left free: beside it are the rows.
    return found or QPoint(within.left() + APART, about.bottom() - APART - size.height())
