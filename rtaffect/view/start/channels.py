"""The channels of one stream, each with what it is taken for and why, to be ticked."""

from __future__ import annotations

from collections.abc import Callable, Collection

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QTableWidgetItem, QWidget

from rtaffect.sources.channel_choice import TakenChannel
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column, row
from rtaffect.view.start.line_table import LineTable
from rtaffect.view.start.widgets import button

COLUMNS = ("", "Channel", "Taken for", "By")
_WIDTHS = (28, 96, 92)


def can_be_chosen(channel: TakenChannel) -> bool:
    """Return whether a channel has a name by which it can be chosen."""
    return bool(channel.label.strip()) and not set(",;") & set(channel.label)


class ChannelTable(LineTable):
    """One line per channel: those that are ticked are used."""

    def __init__(self, tick: Callable[[Collection[int]], None]) -> None:
        super().__init__(COLUMNS, _WIDTHS, stretched=len(COLUMNS) - 1, line_px=20)
        self._tick = tick
        self.channels: tuple[TakenChannel, ...] = ()
        self.setAccessibleName("channels of the stream")
        self.itemChanged.connect(self._checked)

    def show_channels(self, channels: tuple[TakenChannel, ...]) -> None:
        """Show ``channels``, unless they are shown already; the selected line stays the same."""
        if channels == self.channels:
            return
        at = self.currentRow()
        with QSignalBlocker(self):
            self.channels = channels
            self.setRowCount(len(channels))
            for number, channel in enumerate(channels):
                self._fill(number, channel)
            if channels:
                self.setCurrentCell(min(max(at, 0), len(channels) - 1), 1)

    def _fill(self, number: int, channel: TakenChannel) -> None:
        can = can_be_chosen(channel)
        name = channel.label.strip() or f"channel {number + 1}"
        kind = channel.kind.upper() if len(channel.kind) == len("eeg") and channel.kind != "aux" else channel.kind
        texts = ("", name, kind, channel.why if can else "it has no name to be chosen by: name the channels")
        for place, text in enumerate(texts):
            cell = QTableWidgetItem(text)
            cell.setToolTip(text)
            cell.setForeground(theme.colour(theme.TEXT if channel.used else theme.MUTED))
            self.setItem(number, place, cell)
        box = self.item(number, 0) or QTableWidgetItem()
        ticks = Qt.ItemFlag.ItemIsUserCheckable if can else Qt.ItemFlag.NoItemFlags
        box.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | ticks)
        box.setCheckState(Qt.CheckState.Checked if channel.used else Qt.CheckState.Unchecked)
        box.setToolTip("used" if channel.used else "left out")

    def _checked(self, item: QTableWidgetItem) -> None:
        if item.column() == 0 and item.row() < len(self.channels):
            self._set(item.row(), item.checkState() == Qt.CheckState.Checked)

    def _set(self, number: int, on: bool) -> None:
        if can_be_chosen(self.channels[number]):
            used = {i for i, each in enumerate(self.channels) if each.used}
            self._tick(used | {number} if on else used - {number})

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Tick or untick the selected channel by the space bar."""
        at = self.currentRow()
        if event.key() == Qt.Key.Key_Space and 0 <= at < len(self.channels):
            self._set(at, not self.channels[at].used)
            return
        super().keyPressEvent(event)


class ChannelPanel(QWidget):
    """The channels, where what is ticked is kept, and how it is forgotten."""

    def __init__(self, tick: Callable[[Collection[int]], None], forget: Callable[[], None]) -> None:
        super().__init__()
        self.heading = theme.ElidedLabel("", 12, theme.TEXT)
        self.table = ChannelTable(tick)
        self.place = theme.ElidedLabel("", 12, theme.MUTED)
        self.forget = button(
            "Forget", "Use the channels that are taken for EEG, and forget what was ticked of this device"
        )
        self.forget.clicked.connect(forget)
        foot = row((self.place, 1), self.forget, spacing=6)
        column(self.heading, (self.table, 1), foot, of=self, spacing=3)

    def show_channels(self, name: str, channels: tuple[TakenChannel, ...], place: str, *, own: bool) -> None:
        """Show the channels of the stream ``name``, and where what is ticked is kept; ``own``: some of it is chosen."""
        self.table.show_channels(channels)
        used = sum(each.used for each in channels)
        said = f"{used} of {len(channels)} channels are used" if channels else "its channels are not known yet"
        self.heading.set_words(f"{name}: {said}" if name else "Select a stream to see its channels")
        self.place.set_words(place)
        self.forget.setEnabled(own)
