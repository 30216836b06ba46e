"""The page of what comes in: signal quality on heads, raw traces when they are asked for, and the sound."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QStackedLayout, QWidget

from rtaffect.engine.feedback import Feedback
from rtaffect.present.sections import chosen_channel
from rtaffect.present.session_state import ViewState, short_names
from rtaffect.stream.source import Source
from rtaffect.view.operator.quality import describe_poor
from rtaffect.view.operator.quality_heads import QualityHeads, mark_key
from rtaffect.view.operator.sound import SoundPanel
from rtaffect.view.operator.traces import TraceView
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column, row
from rtaffect.view.parts.plot_key import Key

#: Traces and sound are drawn so often, s: ten times a second looks even, and more is not needed to see a contact.
EVERY_S = 0.1
#: Width of the sound's part, and in a wide page, px.
SOUND_WIDTH, WIDE_SOUND, WIDE_PAGE = 340, 460, 1200


class SignalsPage(QWidget):
    """Quality or raw traces on the left, the sound on the right."""

    def __init__(self, sources: Sequence[Source]) -> None:
        super().__init__()
        self._sources = {source.info.name: source for source in sources if source.info.kind == "eeg"}
        self._latest: Feedback | None = None
        self._drawn_at = float("-inf")
        self.person = 0
        self.raw = False
        self.heads, self.traces = QualityHeads(), TraceView()
        self.sound = SoundPanel(next((source for source in sources if source.info.kind == "audio"), None))
        self.sound.setFixedWidth(SOUND_WIDTH)
        self.heading = theme.label("Signal quality", 13, bold=True)
        self.words = theme.ElidedLabel("no quality known yet", 12, theme.MUTED)
        self.key = Key(mark_key())
        self.raw_button = theme.button("Raw traces  R", "show raw traces")
        self.raw_button.setCheckable(True)
        self.raw_button.clicked.connect(self.switch_raw)
        self.next_button = theme.button("Next headset  H", "go to the next headset")
        self.next_button.clicked.connect(self.next_person)
        self.heads.chosen.connect(self.choose)
        self._build()

    def _build(self) -> None:
        left = QFrame()
        left.setObjectName("card")
        holder = QWidget()
        self.stack = QStackedLayout(holder)
        self.stack.setContentsMargins(0, 0, 0, 0)
        self.stack.addWidget(self.heads)
        self.stack.addWidget(self.traces)
        top = row(self.heading, self.raw_button, self.next_button, None, spacing=8)
        column(top, (holder, 1), self.words, self.key, of=left, margins=(10, 8, 10, 6), spacing=4)
        row((left, 1), self.sound, of=self, spacing=8)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Give the sound its part of the width."""
        super().resizeEvent(event)
        self.sound.setFixedWidth(WIDE_SOUND if self.width() >= WIDE_PAGE else SOUND_WIDTH)

    @property
    def people(self) -> tuple[str, ...]:
        """Return the headsets: those of the newest step, and before it those of the sources."""
        return self._latest.people if self._latest is not None else tuple(self._sources)

    def choose(self, person: int) -> None:
        """Choose a headset by its number."""
        if self.people:
            self.person = person % len(self.people)
            self._refresh()

    def next_person(self) -> None:
        """Choose the next headset."""
        self.choose(self.person + 1)

    def switch_raw(self) -> None:
        """Show raw traces in place of quality, or the other way round."""
        self.raw = not self.raw
        self._refresh()

    def scale(self, steps: int) -> None:
        """Make the traces smaller or larger; 0 lets the scale be found again."""
        self.traces.scale(steps)
        self._say()

    def show_state(self, state: ViewState) -> None:
        """Draw the newest step."""
        if state.latest is not None:
            self._latest = state.latest
            self.sound.show_elements(state.latest.elements)
            self.person = min(self.person, len(state.latest.people) - 1) if state.latest.people else 0
            self.heads.show_step(state.latest, self.person, chosen_channel(state.latest, state.selected))
        self._refresh()

    def show_time(self, now: float) -> None:
        """Read what has come in until ``now``, s on the LSL clock, every so often."""
        if 0 <= now - self._drawn_at < EVERY_S:
            return
        self._drawn_at = now
        self.sound.take(now)
        if self.raw:
            self.traces.take(now)
            self._say()

    def _refresh(self) -> None:
        people = self.people
        self.raw_button.setChecked(self.raw)
        self.next_button.setEnabled(len(people) > 1)
        self.key.setVisible(not self.raw)
        self.stack.setCurrentWidget(self.traces if self.raw else self.heads)
        name = people[self.person] if people else None
        self.traces.show_source(self._sources.get(name) if name is not None else None)
        if self._latest is not None:
            self.heads.show_step(self._latest, self.person, self.heads.channel)
            quality = self._latest.quality[self.person] if self._latest.people else ()
            self.traces.show_quality(dict(zip(self._latest.channels, map(float, quality), strict=False)))
        self._drawn_at = float("-inf")
        self._say()

    def _say(self) -> None:
        people = self.people
        if not self.raw:
            shown, count = self.heads.shown(), len(people)
            which = f", {shown.start + 1} to {shown.stop} of {count}" if len(shown) < count else ""
            theme.set_text(self.heading, f"Signal quality{which}")
            self.words.set_words(describe_poor(self._latest) if self._latest is not None else "no quality known yet")
            return
        name = short_names(people).get(people[self.person], "") if people else "no headset"
        theme.set_text(self.heading, name)
        self.words.set_words(self.traces.words)
