"""The streams' table with the signal of the selected one, and what replaces the streams' own description."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QTableWidgetItem,
    QWidget,
)

from rtaffect.sources.boards import EXAMPLES
from rtaffect.start.device_memory import devices_file
from rtaffect.start.fields import caption_of
from rtaffect.start.preview import Signal
from rtaffect.start.start_presenter import StartPresenter, StartState
from rtaffect.start.table import COLUMNS, StreamRow, recording_lines
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import row
from rtaffect.view.parts.picker import Picker
from rtaffect.view.start.channels import ChannelPanel
from rtaffect.view.start.line_table import LineTable
from rtaffect.view.start.signal import SignalPanel
from rtaffect.view.start.widgets import (
    Card,
    PathText,
    Pick,
    Text,
    TickBox,
    Words,
    button,
    caption_for,
    enable,
    for_file,
    for_folder,
)

UNITS = (("V", "V"), ("mV", "mV"), ("uV", "\N{MICRO SIGN}V"), ("nV", "nV"))
SPEEDS = (("1", "as recorded"), ("2", "2 times"), ("4", "4 times"), ("8", "8 times"), ("max", "no waiting"))
DEMO_SPEEDS = (("1", "real time, over LSL"), ("max", "no waiting, without LSL"))

#: Widths of the columns at least, px: check box, name, type, rate, channels, unit, host, source id, profile.
_WIDTHS = (28, 132, 48, 66, 64, 84, 84, 96, 96)


class StreamTable(LineTable):
    """One line per stream: ticked ones take part, the selected one is shown."""

    def __init__(
        self, toggle: Callable[[tuple[str, ...], bool], None], select: Callable[[tuple[str, ...]], None]
    ) -> None:
        super().__init__(("", *COLUMNS), _WIDTHS, stretched=1, line_px=22)
        self._toggle, self._select = toggle, select
        self.rows: tuple[StreamRow, ...] = ()
        self.horizontalHeader().setStretchLastSection(True)
        self.setAccessibleName("EEG streams")
        self.itemChanged.connect(self._checked)
        self.currentCellChanged.connect(lambda row, *_: self._chosen(row))

    def show_rows(self, rows: tuple[StreamRow, ...], selected: int) -> None:
        """Show ``rows`` with the line ``selected`` (-1 for none) selected."""
        with QSignalBlocker(self):
            if rows != self.rows:
                self.rows = rows
                self.setRowCount(len(rows))
                for number, row in enumerate(rows):
                    self._fill(number, row)
            if selected != self.currentRow() and selected >= 0:
                self.setCurrentCell(selected, 1)

    def _fill(self, number: int, row: StreamRow) -> None:
        box = self._cell(number, 0)
        box.setFlags(Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
        box.setCheckState(Qt.CheckState.Checked if row.ticked else Qt.CheckState.Unchecked)
        box.setToolTip("takes part" if row.ticked else "does not take part")
        sign = f"{theme.LEVELS['bad'][0]} " if row.mark == "bad" else ""
        for column, text in enumerate(row.cells, 1):
            cell = self._cell(number, column)
            cell.setText(f"{sign}{text}" if column == 1 else text)
            cell.setToolTip("\n".join(filter(None, [text, row.hint])))
            cell.setForeground(theme.colour(_shade(row, column)))

    def _cell(self, row: int, column: int) -> QTableWidgetItem:
        cell = self.item(row, column)
        if cell is None:
            cell = QTableWidgetItem()
            self.setItem(row, column, cell)
        return cell

    def _checked(self, item: QTableWidgetItem) -> None:
        if item.column() == 0 and item.row() < len(self.rows):
            self._toggle(self.rows[item.row()].key, item.checkState() == Qt.CheckState.Checked)

    def _chosen(self, row: int) -> None:
        if 0 <= row < len(self.rows):
            self._select(self.rows[row].key)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Tick or untick the selected line by the space bar, wherever in it the cursor is."""
        row = self.currentRow()
        if event.key() == Qt.Key.Key_Space and 0 <= row < len(self.rows):
            self._toggle(self.rows[row].key, not self.rows[row].ticked)
            return
        super().keyPressEvent(event)


def _shade(row: StreamRow, column: int) -> str:
    if row.mark == "bad":
        return theme.POOR if column == 1 else theme.MUTED
    if column == 5 and row.cells[4] == "not declared":
        return theme.NOTICE
    return theme.TEXT if row.ticked else theme.MUTED


class UnitPick(Pick):
    """A list of units; others can be given in a plan."""

    def missing(self, value: Any) -> str:
        """Return what is said of another unit."""
        return str(value)


class ScopePick(Picker):
    """Of which stream the fields under the table are: the selected one, another, or all."""

    def __init__(self, show_of: Callable[[tuple[str, ...] | None], None]) -> None:
        super().__init__()
        self._show_of, self._keys = show_of, list[tuple[str, ...] | None]()
        self.setAccessibleName("stream that the fields are of")
        self.setFixedWidth(170)
        self.currentIndexChanged.connect(self._chosen)

    def show_scope(self, rows: tuple[StreamRow, ...], key: tuple[str, ...] | None) -> None:
        """Offer all streams and each one of ``rows`` that is there, and show that of ``key`` (None: all)."""
        there = [row for row in rows if row.query is None]
        keys: list[tuple[str, ...] | None] = [None, *(row.key for row in there)]
        texts = ["all streams", *(row.cells[0] for row in there)]
        with QSignalBlocker(self):
            if keys != self._keys or texts != [self.itemText(n) for n in range(self.count())]:
                self._keys = keys
                self.clear()
                self.addItems(texts)
            self.setCurrentIndex(keys.index(key) if key in keys else 0)

    def _chosen(self, at: int) -> None:
        if 0 <= at < len(self._keys):
            self._show_of(self._keys[at])


class EegCard(Card):
    """Recording (for a replay), streams, signal, and fields for what the streams do not say."""

    def __init__(self, presenter: StartPresenter) -> None:
        super().__init__(caption_of("streams"), fills=True)
        choose = presenter.choose
        self.count = theme.label("", 12, theme.MUTED)
        self.board = QLineEdit()
        self.board.setFont(theme.font(12))
        self.board.setPlaceholderText(f"without LSL: {EXAMPLES.partition(',')[0]}")
        self.board.setToolTip(f"Headsets without LSL: {EXAMPLES}; `rtaffect devices --boards` lists their names")
        self.board.setAccessibleName("board without LSL")
        self.board.setFixedWidth(230)
        self.add_board = button("Add board", "Let this board take part")
        self.add_board.clicked.connect(self._add_board)
        self._adds = presenter.add_board
        self.scope = ScopePick(presenter.show_of)
        self.scope_label = caption_for("headsets", self.scope)
        self.known = theme.ElidedLabel("", 12, theme.MUTED)
        self.top.takeAt(1)  # What holds the others to the right is the words on the stream.
        self.top.addWidget(self.scope_label)
        self.top.addWidget(self.scope)
        self.top.addWidget(self.known, 1)
        for part in (self.count, self.board, self.add_board):
            self.top.addWidget(part)
        self.table, self.signal = StreamTable(presenter.toggle, presenter.select), SignalPanel()
        self.title.setBuddy(self.table)
        self.ticks = ChannelPanel(presenter.tick_channels, presenter.forget_channels)
        self.pick = button("Tic&k channels", "The channels of the stream, with what each is taken for", checkable=True)
        self.pick.toggled.connect(self._turn)
        self._kept = presenter.kept_channels
        file = for_file("Recording", "Recordings (*.xdf *.xdfz *.xdf.gz)")
        self.recording = PathText(
            choose,
            "recording",
            "XDF file, or the folder of a session",
            [
                ("File\N{HORIZONTAL ELLIPSIS}", "Choose a recording", file),
                ("Folder\N{HORIZONTAL ELLIPSIS}", "Choose a session's folder", for_folder("Session's folder")),
            ],
        )
        self.speed = Pick(choose, "speed", SPEEDS)
        self.speed.setFixedWidth(130)
        self.about = Words()
        self._fields(presenter)
        self._build()

    def _fields(self, presenter: StartPresenter) -> None:
        choose, describe = presenter.choose, presenter.describe
        self.channels = Text(describe, "channels")
        self.unit, self.rate = UnitPick(describe, "unit", UNITS), Text(describe, "rate")
        self.unit.setFixedWidth(170)
        self.rate.setFixedWidth(120)
        self.without, self.only = Text(describe, "without"), Text(describe, "only")
        self.profile = Text(describe, "profile")
        self.peripheral = Text(choose, "peripheral", "none: a stream's name, type=EDA")
        self.part, self.resync = Text(choose, "part", "longest"), TickBox(choose, "resync")
        self.part.setFixedWidth(64)

    def _build(self) -> None:
        self.grid.setColumnStretch(0, 56)
        self.grid.setColumnStretch(1, 44)
        self.recorded, self.instead, self.chosen = QWidget(), QWidget(), QWidget()
        above = _row(self.recorded, [("recording", self.recording, 1), ("speed", self.speed, 0)])
        self.pieces = QWidget()
        _row(self.pieces, [("part", self.part, 0)]).addWidget(self.resync)
        above.addWidget(self.pieces)
        above.addWidget(self.about, 1)
        self.grid.addWidget(self.recorded, 0, 0, 1, 2)
        self.grid.addWidget(self.table, 1, 0)
        self.grid.addWidget(self.signal, 1, 1)
        self.grid.addWidget(self.ticks, 1, 1)
        self._turn(False)
        names = [("channels", self.channels, 4), ("unit", self.unit, 0), ("rate", self.rate, 0)]
        _row(self.instead, [*names, ("profile", self.profile, 3)])
        chosen = [("without", self.without, 1), ("only", self.only, 1), ("peripheral", self.peripheral, 1)]
        _row(self.chosen, chosen).insertWidget(6, self.pick)
        for number, part in enumerate((self.instead, self.chosen), 2):
            self.grid.addWidget(part, number, 0, 1, 2)
        self.grid.setRowStretch(1, 1)
        self.table.setMinimumHeight(82)

    def _turn(self, ticks: bool) -> None:
        """Show the channels in place of the signal, or the signal."""
        self.ticks.setVisible(ticks)
        self.signal.setVisible(not ticks)

    def _show_channels(self, state: StartState) -> None:
        scope, row = state.scope, state.row
        if row is None or state.real.as_it_ran:
            self.pick.setChecked(False)
        name = row.cells[0] if row is not None and scope.key is not None else ""
        own = scope.own is not None and bool(scope.own.without.strip() or scope.own.only.strip())
        if row is not None and row.key[0] == "board":
            place = "The channels of a board are named under the signal"
        elif scope.why_not:
            place = scope.why_not
        elif state.choices.mode == "live":
            place = f"{'Kept' if self._kept() else 'What is ticked is kept'} for this device in {devices_file()}"
        else:
            place = "For this replay alone: what is ticked of a recording is not kept"
        self.ticks.table.setEnabled(not scope.why_not)
        self.ticks.show_channels(name, scope.channels, place, own=own)

    def _add_board(self) -> None:
        if self._adds(self.board.text()):
            self.board.clear()

    def show_state(self, state: StartState) -> None:
        """Show the streams and what replaces their description."""
        choices, scope = state.choices, state.scope
        self.scope.show_scope(state.rows, scope.key)
        self.known.set_words(scope.words)
        self.unit.set_options([("", scope.hints["unit"]), *UNITS])
        self.show_choices(scope.shown(choices))
        for each in (self.channels, self.rate, self.without, self.only, self.profile):
            each.hint = scope.hints[each.choice]
            enable(each, scope.why_not)
        enable(self.unit, scope.why_not)
        self.recorded.setVisible(choices.mode == "replay")
        chosen_here = choices.mode != "demo" and not state.real.as_it_ran
        for of_stream in (self.scope_label, self.scope, self.known):
            of_stream.setVisible(chosen_here)
        self._show_channels(state)
        self.board.setVisible(choices.mode == "live")
        self.add_board.setVisible(choices.mode == "live")
        self.pieces.setVisible(not state.real.as_it_ran)
        for each_row in (self.instead, self.chosen):
            each_row.setVisible(not state.real.as_it_ran)
        self.about.show_lines(recording_lines(choices, state.found))
        self.table.show_rows(state.rows, state.selected)
        there = sum(row.query is None for row in state.rows)
        on = sum(row.ticked for row in state.rows)
        every = ", every stream of EEG" if state.real.streams is None and on else ""
        theme.set_text(self.count, f"{there} found, {on} ticked{every}" if state.rows else "none found yet")

    def show_signal(self, state: StartState, signal: Signal | None, trouble: str) -> None:
        """Show the signal of the selected stream, or why there is none."""
        row = state.row
        if row is None or (row.stream is None and row.key[0] != "board"):
            self.signal.show_signal("", None, "", "Select a stream to see its signal" if state.rows else "No signal")
            return
        waiting = "The recording has no signal here" if state.choices.mode == "replay" else "Waiting for the signal"
        self.signal.show_signal(row.cells[0], signal, trouble, waiting)


def _row(parent: QWidget, fields: Sequence[tuple[str, QWidget, int]]) -> QHBoxLayout:
    layout = row(of=parent, spacing=6)
    for choice, field, stretch in fields:
        layout.addWidget(caption_for(choice, field, "Recordin&g" if choice == "recording" else ""))
        layout.addWidget(field, stretch)
        layout.addSpacing(8)
    return layout
