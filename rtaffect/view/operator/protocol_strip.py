"""The protocol over the pages: block, time left, what is next, what is to be done, and the bar of blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QRectF, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QWidget

from rtaffect.present.protocol_state import KINDS, PlannedBlock, ProtocolState, ProtocolText, describe_protocol
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column, row

#: Colours of the bar: done, present, and to come. They differ in lightness, too.
DONE, PRESENT, COMING = "#3c4a5a", "#9fb6cf", theme.BACKGROUND
#: A second press skips within this time, s.
CONFIRM_S = 4.0


class BlockBar(QWidget):
    """All blocks side by side, with the progress of the present one."""

    def __init__(self) -> None:
        super().__init__()
        self._blocks: tuple[PlannedBlock, ...] = ()
        self._present, self._progress = 0, 0.0
        self.setFixedHeight(24)
        self.setAccessibleName("blocks of the protocol")

    def show_blocks(self, blocks: tuple[PlannedBlock, ...], present: int, progress: float | None) -> None:
        """Draw ``blocks``; the one with number ``present`` (from 1) is so far (None: unknown)."""
        # A pixel is the smallest progress that can be seen.
        shown = round((progress or 0.0) * max(self.width(), 1)) / max(self.width(), 1)
        if (blocks, present, shown) != (self._blocks, self._present, self._progress):
            self._blocks, self._present, self._progress = blocks, present, shown
            names = [f"{number}: {block.name or 'not known yet'}" for number, block in enumerate(blocks, start=1)]
            self.setToolTip("\n".join(names))
            self.setAccessibleDescription(f"block {present} of {len(blocks)}")
            self.update()

    def cells(self) -> list[QRectF]:
        """Return the place of each block, px: as wide as it is long where all lengths are known, else all alike."""
        seconds = [block.seconds for block in self._blocks]
        even = not seconds or not all(math.isfinite(each) and each > 0 for each in seconds)
        # Short blocks stay wide enough for a letter.
        shares = [1.0] * len(seconds) if even else [each + 0.15 * sum(seconds) / len(seconds) for each in seconds]
        found, x, unit = [], 0.0, self.width() / max(sum(shares), 1e-9)
        for share in shares:
            found.append(QRectF(x, 0, share * unit, self.height()).adjusted(1, 1, -1, -1))
            x += share * unit
        return found

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the blocks."""
        painter = QPainter(self)
        for number, (block, cell) in enumerate(zip(self._blocks, self.cells(), strict=True), start=1):
            present = number == self._present
            part = 1.0 if number < self._present else self._progress if present else 0.0
            painter.fillRect(cell, theme.colour(COMING))
            filled = QRectF(cell.left(), cell.top(), part * cell.width(), cell.height())
            painter.fillRect(filled, theme.colour(PRESENT if present else DONE))
            painter.setPen(theme.pen(theme.TEXT if present else theme.GRID, 1.5 if present else 1))
            painter.drawRect(cell)
            self._paint_name(painter, cell, filled, block, number)

    def _paint_name(self, painter: QPainter, cell: QRectF, filled: QRectF, block: PlannedBlock, number: int) -> None:
        present = number == self._present
        painter.setFont(theme.font(11, bold=present))
        room, name = cell.adjusted(6, 0, -4, 0), block.name or KINDS.get(block.kind, ("?",))[0]
        if room.width() <= 44 and painter.fontMetrics().horizontalAdvance(name) > room.width():
            name = KINDS.get(block.kind, ("",))[0]
        cut = theme.AT_END if room.width() > 44 else None
        colour = theme.TEXT if number <= self._present else theme.MUTED
        theme.write(painter, room, name, name=colour, align=theme.LEFT, cut=cut)
        if present:
            # What lies over the bright part is written dark.
            painter.save()
            painter.setClipRect(filled)
            theme.write(painter, room, name, name=theme.BACKGROUND, align=theme.LEFT, cut=cut)
            painter.restore()


class ProtocolStrip(QFrame):
    """The protocol in two lines. Its signals are emitted when the operator says so."""

    went = Signal()
    skipped = Signal()
    paused = Signal()
    repeated = Signal()

    def __init__(
        self, *, can_go: bool, can_skip: bool, blinded: bool, can_pause: bool = False, can_repeat: bool = False
    ) -> None:
        super().__init__()
        self.setObjectName("card")
        self.setVisible(False)
        self._can_go, self._can_skip, self._can_repeat = can_go, can_skip, can_repeat
        # What was asked for once, and when: a second time does it.
        self._asked: tuple[str, float] | None = None
        self._running, self._now = False, 0.0
        self.block, self.instruction = theme.label("", 14, bold=True), theme.ElidedLabel("", 13, theme.NOTICE)
        self.left = theme.label("", 18, bold=True)
        self.next, self.rule = theme.label("", 12, theme.MUTED), theme.label("", 12, theme.MUTED)
        self.sealed = theme.label("arm sealed" if blinded else "", 12, theme.MUTED)
        self.sealed.setToolTip(
            "Which arm this session is of is in the sealed allocation; this window does not know it."
        )
        self.sealed.setVisible(blinded)
        self.go_button, self.skip_button = theme.button("Go  Space", "go on"), theme.button("Skip  N", "skip the block")
        self.go_button.setObjectName("go")
        self.go_button.clicked.connect(self.go)
        self.skip_button.clicked.connect(lambda: self.skip(self._now))
        self.pause_button = theme.button("Pause  B", "let the block stand still")
        self.repeat_button = theme.button("Again  Shift+B", "begin the block again")
        self.pause_button.clicked.connect(self.pause)
        self.repeat_button.clicked.connect(lambda: self.repeat(self._now))
        self.pause_button.setVisible(can_pause)
        self.repeat_button.setVisible(can_repeat)
        self.go_button.setVisible(can_go)
        self.skip_button.setVisible(can_skip)
        self.bar = BlockBar()
        right = (
            self.rule, self.sealed, self.go_button, self.pause_button, self.repeat_button, self.skip_button
        )  # fmt: skip
        first = row(self.block, (self.instruction, 1), *right, spacing=12)
        second = row((self.bar, 1), self.left, self.next, spacing=12)
        column(first, second, of=self, margins=(10, 5, 10, 5), spacing=4)

    def show_protocol(
        self, state: ProtocolState | None, blocks: Sequence[PlannedBlock], since_s: float, now: float
    ) -> None:
        """Say where the protocol is ``since_s`` seconds after the step that ``state`` is of; ``now`` is for 'twice'."""
        self._now = now
        if state is None:
            return
        if self.isHidden():
            self.setVisible(True)
        text = describe_protocol(state, since_s)
        self._running = state.phase != "done"
        if self._asked is not None and (now - self._asked[1] > CONFIRM_S or not self._running):
            self._asked = None
        theme.set_text(self.block, text.block)
        asked = self._asked[0] if self._asked is not None else ""
        again = {"skip": f"press N again to skip {state.name!r}", "repeat": "press Shift+B again to begin it again"}
        self.instruction.set_words(f"{again[asked]}, Esc to stay" if asked else text.instruction)
        theme.set_text(self.left, f"{text.left} left" if text.left and text.left != "no end set" else text.left)
        theme.set_text(self.next, f"next: {text.next}" if text.next else "")
        theme.set_text(self.rule, f"value {text.rule}" if text.rule else "")
        self.bar.show_blocks(tuple(blocks), state.block, text.progress)
        self._enable(state, text, asked)

    def _enable(self, state: ProtocolState, text: ProtocolText, asked: str) -> None:
        """Let the buttons do what can be done now; what was ``asked`` for once looks so."""
        self.go_button.setEnabled(text.waiting)
        self.skip_button.setEnabled(self._running)
        self.pause_button.setEnabled(state.can_pause or text.paused)
        self.pause_button.setText("Resume  B" if text.paused else "Pause  B")
        self.repeat_button.setEnabled(self._running and (state.phase != "waiting" or state.block > 1))
        for button, what in ((self.skip_button, "skip"), (self.repeat_button, "repeat")):
            if button.isChecked() != (asked == what):
                button.setCheckable(asked == what)
                button.setChecked(asked == what)

    def go(self) -> None:
        """Go on, where something waits for it."""
        if self._can_go and self.go_button.isEnabled() and not self.isHidden():
            self.went.emit()

    def pause(self) -> None:
        """Let the block stand still, or go on where it does."""
        if self.pause_button.isEnabled() and not (self.pause_button.isHidden() or self.isHidden()):
            self.paused.emit()

    def skip(self, now: float) -> None:
        """Ask whether to skip the block; a second time within some seconds, skip it."""
        if self._can_skip and self._twice("skip", now):
            self.skipped.emit()

    def repeat(self, now: float) -> None:
        """Ask whether to begin the block again; a second time within some seconds, do so."""
        if self._can_repeat and self.repeat_button.isEnabled() and self._twice("repeat", now):
            self.repeated.emit()

    def _twice(self, what: str, now: float) -> bool:
        """Return whether this was asked for before, some seconds ago at most; if not, it is now."""
        if not self._running or self.isHidden():
            return False
        if self._asked is not None and self._asked[0] == what and now - self._asked[1] <= CONFIRM_S:
            self._asked = None
            return True
        self._asked = what, now
        return False

    def cancel(self) -> bool:
        """Stay in the block; return whether to leave it, or to begin it again, had been asked for."""
        asked, self._asked = self._asked is not None, None
        return asked
