"""The start window with real widgets, without a screen, and real streams on the loopback."""

from __future__ import annotations

import datetime as dt
import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, Qt, QTimer
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QFileDialog, QLabel, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from rtaffect.common.errors import SettingsError, setting, under
from rtaffect.plan.session_plan import SETTINGS, SessionPlan, read_plan, write_plan
from rtaffect.plan.setting import settings_of
from rtaffect.present.sound_state import SoundLevel
from rtaffect.sources.sound_devices import SoundDevice
from rtaffect.start import fields, wording
from rtaffect.start.choices import Choices, plan_of
from rtaffect.start.memory import recall
from rtaffect.start.problem import Problem, refused
from rtaffect.start.start_presenter import StartPresenter
from rtaffect.view.start.run import run_start
from rtaffect.view.start.widgets import Card
from rtaffect.view.start.window import StartWindow
from tests.plan.test_setting import LampPlan
from tests.support.affect import write_tiny_bundle
from tests.support.counted_films import make_film
from tests.support.protocol_files import write_protocol
from tests.support.start_files import CHANNELS, PROTOCOL, bundle_in, headset, microphone, recording_in, story_in
from tests.support.waiting import no_other_threads

Make = Callable[..., StartWindow]
SIZES = [(1180, 660), (1280, 720), (1920, 1080)]


@pytest.fixture(autouse=True)
def nothing_left(qapp: QApplication) -> Iterator[None]:
    """Fail a test that leaves a window or a thread behind."""
    widgets, threads = set(map(id, qapp.topLevelWidgets())), set(threading.enumerate())
    yield
    qapp.processEvents()
    qapp.sendPostedEvents(None, 52)  # QEvent.DeferredDelete
    assert [w for w in qapp.topLevelWidgets() if id(w) not in widgets] == []
    # A closed window waits some seconds for a thread in the middle of a question.
    no_other_threads(threads)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files of a study."""
    folder = tmp_path_factory.mktemp("lab")
    story, sha256 = story_in(folder)
    (folder / "protocol.toml").write_text(PROTOCOL, encoding="utf-8")
    make_film(folder / "seen.mkv", 3.4)
    film = {"kind": "listen", "name": "Film", "film": "seen.mkv"}
    return {
        "film": str(write_protocol(folder / "film.toml", [film], rule=None)),
        "story": str(story),
        "bundle": str(bundle_in(folder / "podcast", sound=sha256)),
        "affect": str(write_tiny_bundle(folder / "affect", CHANNELS[:4])),
        "other": str(bundle_in(folder / "other", ("E1", "E2"), name="other")),
        "protocol": str(folder / "protocol.toml"),
        "recording": str(recording_in(folder)),
    }


@pytest.fixture
def make(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    monkeypatch.setenv("RTAFFECT_CONFIG", str(tmp_path / "config"))
    made: list[StartWindow] = []

    def build(choices: Choices, **options: object) -> StartWindow:
        window = StartWindow(StartPresenter(choices, today=lambda: dt.date(2025, 11, 21), **options))  # type: ignore[arg-type]
        made.append(window)
        window.show()
        qtbot.waitExposed(window)
        return window

    yield build
    for window in made:
        window.close()
        window.deleteLater()


def demo(tmp_path: Path) -> Choices:
    return Choices(mode="demo", participant="P07", folder=str(tmp_path / "results"))


def replay(lab: dict[str, str], tmp_path: Path) -> Choices:
    return Choices(
        mode="replay", recording=lab["recording"], sound="none", bundle=lab["bundle"], protocol=lab["protocol"],
        participant="P07", folder=str(tmp_path / "results"),
    )  # fmt: skip


def settled(window: StartWindow) -> bool:
    """Whether nothing is looked at any more."""
    timed = any("timed" in line.text for line in window.bundle.words.lines)
    return not timed and not any(line.startswith("\N{WHITE CIRCLE}") for line in window.verdict.lines)


def test_a_live_session_is_put_together_from_what_is_on_the_network(make, qtbot, lab, tmp_path):
    unique = uuid.uuid4().hex[:6]
    with ExitStack() as cleanup:
        cap, muse = headset(f"Cap {unique}", CHANNELS, 250.0), headset(f"Muse {unique}", ("TP9", "AF7"), 256.0)
        room = microphone(f"Room {unique}")
        for sender in (cap, muse, room):
            cleanup.enter_context(sender)
        window = make(Choices(streams=(), sound="stimulus", heard_by="stream", folder=str(tmp_path / "results")))
        table, view = window.eeg.table, window.eeg.signal.view

        def listed() -> list[list[str]]:
            return [[table.item(row, column).text() for column in range(1, 8)] for row in range(table.rowCount())]

        qtbot.waitUntil(lambda: len(listed()) == 2 and all(line[4] for line in listed()))
        assert listed()[0][:5] == [f"Cap {unique}", "EEG", "250 Hz", "18", "microvolts"]
        assert listed()[1][:5] == [f"Muse {unique}", "EEG", "256 Hz", "2", "microvolts"]
        assert all(line[5] and line[6].startswith(("cap", "muse")) for line in listed())
        assert not window.verdict.start.isEnabled()
        # By the keyboard: the second line is selected, looked at and ticked, then the first one instead.
        table.setFocus()
        qtbot.keyClick(table, Qt.Key.Key_Down)
        qtbot.waitUntil(lambda: view.signal is not None and view.signal.traces.known)
        assert view.signal.names == ("TP9", "AF7")
        assert window.eeg.signal.heading.words.startswith(f"Muse {unique}: 4 s, ")
        qtbot.keyClick(table, Qt.Key.Key_Space)
        assert table.item(1, 0).checkState() == Qt.CheckState.Unchecked
        qtbot.waitUntil(lambda: table.item(1, 0).checkState() == Qt.CheckState.Checked)
        qtbot.keyClick(table, Qt.Key.Key_Space)
        table.item(0, 0).setCheckState(Qt.CheckState.Checked)
        window.bundle.bundle.text.setText(lab["other"])
        qtbot.waitUntil(lambda: any("does not fit" in line.text for line in window.bundle.words.lines))
        assert any("No channel name is shared with the bundle's rows (E1, E2)" in line for line in window.verdict.lines)
        window.bundle.bundle.text.setText(lab["bundle"])
        window.sound.stimulus.text.setText(lab["story"])
        window.sound.stream.setCurrentIndex(
            window.sound.stream.findText(f"Room {unique}", Qt.MatchFlag.MatchStartsWith)
        )
        window.results.participant.setText("P07")
        qtbot.waitUntil(lambda: window.sound.meter.words.endswith("dB"))
        assert window.sound.meter.words in [f"\N{MINUS SIGN}{decibels} dB" for decibels in (22, 23, 24)]
        qtbot.waitUntil(window.verdict.start.isEnabled)
        assert any("fits: all 18 rows" in line.text for line in window.bundle.words.lines)
        assert "\N{BLACK CIRCLE}  Nothing prevents the start" in window.verdict.lines
        window.begin()
    plan = window.started.plan
    assert not window.isVisible()
    assert plan.eeg.streams == (f"source_id={listed()[0][6]}",)
    assert plan.sound.stream.startswith("source_id=mic-")
    assert plan.results.out == tmp_path / "results" / "P07-2025-11-21"
    assert (plan.participant, plan.analysis.bundle) == ("P07", Path(lab["bundle"]))
    remembered, note = recall()
    assert note == ""
    assert remembered == replace(window.started.choices, participant="", name="")


def test_modes_are_chosen_by_their_letters_and_show_what_they_need(make, qtbot, tmp_path):
    window = make(Choices(folder=str(tmp_path)))
    with qtbot.waitActive(window):
        window.activateWindow()
    shown = {"live": (True, False, True), "replay": (True, True, True), "demo": (False, False, False)}
    for key, mode in ((Qt.Key.Key_R, "replay"), (Qt.Key.Key_D, "demo"), (Qt.Key.Key_L, "live")):
        qtbot.keyClick(window, key, Qt.KeyboardModifier.AltModifier)
        qtbot.waitUntil(lambda mode=mode: window.presenter.choices.mode == mode)
        window.tick()
        visible = [part.isVisible() for part in (window.eeg.table, window.eeg.recording, window.bundle.bundle)]
        assert tuple(visible) == shown[mode]
        assert window.demo_speed.isVisible() is (mode == "demo")
        assert [b.isChecked() for b in window.modes.buttons()] == [mode == m for m in ("live", "replay", "demo")]
        assert window.sound.kind.isVisible() is (mode != "demo")


@pytest.mark.parametrize("mode", ["live", "replay"])
def test_the_letter_of_each_caption_leads_into_its_field(make, qtbot, tmp_path, mode):
    window = make(Choices(mode=mode, folder=str(tmp_path)))
    with qtbot.waitActive(window):
        window.activateWindow()
    window.tick()
    lettered = {}
    for label in window.findChildren(QLabel):
        key = QKeySequence.mnemonic(label.text())
        if label.buddy() is not None and not key.isEmpty() and label.isVisible() and label.buddy().isEnabled():
            assert key not in lettered, f"{label.text()} has the letter of {lettered[key].text()}"
            lettered[key] = label
    assert {"&Folder", "&Bundle"} <= {label.text() for label in lettered.values()}
    for key, label in lettered.items():
        window.modes.buttons()[0].setFocus()
        qtbot.keyClick(window, key[0].key(), Qt.KeyboardModifier.AltModifier)
        assert window.focusWidget() is label.buddy(), label.text()


def test_enter_starts_or_goes_to_what_is_to_be_mended(make, qtbot, tmp_path):
    window = make(replace(demo(tmp_path), participant="P 7"))
    with qtbot.waitActive(window):
        window.activateWindow()
    qtbot.waitUntil(lambda: "1 thing to mend" in window.verdict.hint.text())
    qtbot.keyClick(window, Qt.Key.Key_Return)
    assert window.isVisible()
    assert window.focusWidget() is window.results.participant
    window.results.participant.clear()
    qtbot.keyClicks(window.results.participant, "P07")
    qtbot.waitUntil(window.verdict.start.isEnabled)
    qtbot.keyClick(window.results.participant, Qt.Key.Key_Return)
    assert not window.isVisible()
    assert window.started.plan == plan_of(replace(demo(tmp_path), name="P07-2025-11-21"))
    assert window.started.plan_file is None


def test_a_line_leads_to_its_field(make, qtbot, tmp_path):
    window = make(Choices(mode="live", threads="x", bundle=str(tmp_path), sound="none", folder=""))
    with qtbot.waitActive(window):
        window.activateWindow()
    qtbot.waitUntil(lambda: any("Threads" in line for line in window.verdict.lines))
    assert not window.bundle.threads.isVisible()
    row = next(row for row, line in enumerate(window.verdict.lines) if "Threads" in line)
    window.verdict.list.itemClicked.emit(window.verdict.list.item(row))
    assert window.bundle.threads.isVisible()
    assert window.focusWidget() is window.bundle.threads
    assert not window.bundle.bundle.isVisible()
    window.verdict.list.setFocus()
    window.verdict.list.setCurrentRow(next(n for n, line in enumerate(window.verdict.lines) if "folder" in line))
    window.begin()
    assert window.focusWidget() is window.results.folder.text
    assert set(window.fields()) >= {line.where for line in window._shown.lines}


def test_every_field_is_reached_by_the_tab_key_and_shows_that_it_is(make, qtbot, lab, tmp_path):
    window = make(replace(replay(lab, tmp_path), sound="file"))
    qtbot.waitUntil(lambda: settled(window))
    window.modes.buttons()[1].setFocus()
    reached: list[QWidget] = []
    while len(reached) < 80 and window.focusWidget() not in reached:
        reached.append(window.focusWidget())
        window.focusNextChild()
    kinds = (QLineEdit, QComboBox, QPushButton)
    modes = window.modes.buttons()
    wanted = [w for kind in kinds for w in window.findChildren(kind) if w.isVisible() and w.isEnabled()]
    assert {w for w in wanted if w not in modes} <= set(reached)
    assert {window.eeg.table, window.eeg.signal.view, window.verdict.list} <= set(reached)
    assert window.modes.buttons()[1] in reached
    for kind in ("QLineEdit", "QComboBox", "QPushButton", "QTableWidget", "QCheckBox"):
        assert f"{kind}:focus" in window.styleSheet()
    mnemonics = [w.text() for w in window.findChildren(QLabel) + window.findChildren(QPushButton) if "&" in w.text()]
    letters = [text[text.index("&") + 1].lower() for text in mnemonics]
    assert sorted(letters) == sorted(set(letters)), sorted(mnemonics)


class TestPlans:
    def test_a_plan_is_written_and_opened_again(self, make, qtbot, lab, tmp_path):
        window = make(replace(replay(lab, tmp_path), protocol=""))
        qtbot.waitUntil(lambda: settled(window))
        window.write(tmp_path / "mine.toml")
        assert "mine.toml" in window.windowTitle()
        plan = read_plan(tmp_path / "mine.toml")
        assert plan.recording == Path(lab["recording"])
        other = make(Choices())
        other.read(tmp_path / "mine.toml")
        other.tick()
        assert other.presenter.choices == window.presenter.choices
        assert other.eeg.recording.text.text() == lab["recording"]
        qtbot.waitUntil(other.verdict.start.isEnabled)
        other.begin()
        assert other.started.plan == plan
        window.begin()
        assert window.started.plan_file == tmp_path / "mine.toml"

    def test_one_that_cannot_be_is_told_and_changes_nothing(self, make, tmp_path):
        window = make(Choices(mode="replay", folder=str(tmp_path)))
        before = window.presenter.choices
        (tmp_path / "odd.toml").write_text("mode = 'dream'")
        window.read(tmp_path / "odd.toml")
        window.tick()
        assert window.message.isVisible()
        assert "odd.toml: mode = " in window.message.text()
        assert window.presenter.choices.recording == before.recording
        window.write(tmp_path / "new.toml")
        window.tick()
        assert window.message.text().startswith("The plan is not saved: a replay needs a recording")
        window.presenter.choose(recording="x")
        window.tick()
        assert not window.message.isVisible()

    def test_dialogs_give_their_files(self, make, qtbot, lab, tmp_path):
        plan = tmp_path / "saved.toml"
        window = make(replay(lab, tmp_path))

        def accept(name: str) -> None:
            dialog = QApplication.activeModalWidget()
            assert isinstance(dialog, QFileDialog)
            dialog.findChild(QLineEdit).setText(name)
            dialog.done(QFileDialog.DialogCode.Accepted)

        QTimer.singleShot(300, lambda: accept(str(plan)))
        qtbot.mouseClick(window.save_plan, Qt.MouseButton.LeftButton)
        assert read_plan(plan).mode == "replay"
        window.eeg.recording.text.clear()
        QTimer.singleShot(300, lambda: accept(lab["recording"]))
        qtbot.mouseClick(window.eeg.recording.buttons[0], Qt.MouseButton.LeftButton)
        assert window.presenter.choices.recording == lab["recording"]


def cut_off(window: StartWindow) -> list[str]:
    """Return the texts that their own or their window's edge cuts off."""
    cut = []
    for label in [*window.findChildren(QLabel), *window.findChildren(QPushButton)]:
        if not label.isVisible() or not label.text():
            continue
        place = QRect(label.mapTo(window, QPoint(0, 0)), label.size())
        wanted = label.sizeHint().width() if isinstance(label, QPushButton) else 0
        if isinstance(label, QLabel) and label.wordWrap():
            narrow = label.heightForWidth(label.width()) > label.height() + 1
        else:
            text = label.text().replace("&", "")
            narrow = label.width() < max(wanted, label.fontMetrics().horizontalAdvance(text))
        if narrow or not window.rect().contains(place):
            cut.append(label.text())
    return cut


def overlapping(window: StartWindow) -> list[tuple[str, str]]:
    """Return pairs of fields that lie over each other."""
    kinds = (QLabel, QLineEdit, QComboBox, QPushButton)
    parts = [w for kind in kinds for w in window.findChildren(kind) if w.isVisible() and w.size().isValid()]
    parts = [w for w in parts if not any(w in other.findChildren(QWidget) for other in parts)]
    places = [QRect(w.mapTo(window, QPoint(0, 0)), w.size()) for w in parts]
    return [
        (type(parts[i]).__name__ + repr(places[i]), type(parts[k]).__name__ + repr(places[k]))
        for i, a in enumerate(places)
        for k, b in enumerate(places[:i])
        if a.intersects(b)
    ]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "case",
    [
        "live, most fields",
        "live, more",
        "live, affect",
        "live, film",
        "replay",
        "replay, ticks",
        "demo",
        "demo, affect",
    ],
)
def test_nothing_is_cut_off_and_nothing_overlaps(make, qtbot, qapp, lab, tmp_path, monkeypatch, case, size):
    monkeypatch.setattr("rtaffect.start.problems.NOBODY_S", 0.0)
    most = replace(
        replay(lab, tmp_path), mode="live", sound="stimulus", stimulus=lab["story"], heard_by="device",
        onset_marker="go", allocation=lab["protocol"], screen=3, bundle=lab["bundle"] if case != "live, more" else "",
    )  # fmt: skip
    choices = {"replay": replace(replay(lab, tmp_path), sound="file", sound_file=lab["story"]), "demo": demo(tmp_path)}
    choices["live, film"] = replace(most, protocol=lab["film"])
    choices["live, affect"] = replace(most, affect=lab["affect"], library=str(tmp_path), affect_rest_s="60")
    choices["demo, affect"], choices["replay, ticks"] = choices["demo"], choices["replay"]
    window = make(choices.get(case, most), said="stream 'ANT' was found but cannot be opened; restart it")
    window.bundle.more.setChecked(case == "live, more")
    window.bundle.affective.setChecked(case.endswith("affect"))
    window.eeg.pick.setChecked(case.endswith("ticks"))
    window.resize(*size)
    qtbot.waitUntil(lambda: settled(window))
    window.sound.show_level(SoundLevel(), "the driver gave no ADC time for 9 blocks: their times are less certain")
    for _ in range(3):
        qapp.processEvents()
    assert (window.width(), window.height()) == size
    assert cut_off(window) == []
    assert overlapping(window) == []


def test_the_fields_of_a_film_and_of_a_recording_stand_where_these_are(make, qtbot, lab, tmp_path):
    window = make(replace(replay(lab, tmp_path), mode="live", protocol=lab["protocol"]))
    qtbot.waitUntil(lambda: settled(window))
    eeg, film = window.eeg, (window.protocol.photodiode, window.protocol.delay)
    assert [part.isVisible() for part in (eeg.peripheral, eeg.part, eeg.resync, *film)] == [
        True,
        False,
        False,
        False,
        False,
    ]
    window.presenter.choose(protocol=lab["film"])
    qtbot.waitUntil(film[0].isVisible)
    film[0].setCurrentIndex(1)
    film[1].setText("0.03")
    eeg.peripheral.setText("Muse-A=EDA-1, type=ECG")
    plan = plan_of(window.presenter.choices)
    assert (plan.protocol.photodiode, plan.protocol.screen_delay_s) == ("second", 0.03)
    assert plan.eeg.peripheral == ("Muse-A=EDA-1", "type=ECG")
    window.presenter.choose(mode="replay", peripheral="")
    qtbot.waitUntil(lambda: eeg.part.isVisible() and eeg.resync.isVisible() and not film[0].isVisible())
    eeg.part.setText("2")
    eeg.resync.click()
    plan = plan_of(window.presenter.choices)
    assert (plan.eeg.part, plan.eeg.resync) == (2, True)
    assert (plan.protocol.photodiode, plan.protocol.screen_delay_s) == ("none", 0.0)
    eeg.part.setText("last")
    qtbot.waitUntil(lambda: any("Part 'last' is not possible" in line for line in window.verdict.lines))


def test_lists_show_their_last_and_their_longest_entry(make, qtbot, qapp, tmp_path):
    window = make(Choices(sound="device", folder=str(tmp_path)))
    room = window.presenter.previews.room
    qtbot.waitUntil(lambda: room.devices is not None)
    long = [f"USB headset number {n} of the second laboratory (left and right)" for n in range(14)]
    room.devices = tuple(
        SoundDevice(n, name, "ALSA", 1, 2, 48e3, 0.01, 0.01, False, False) for n, name in enumerate(long)
    )
    window.tick()
    picks = [pick for pick in window.findChildren(QComboBox) if pick.isVisible()]
    assert {window.sound.kind, window.sound.device, window.eeg.unit} <= set(picks)
    for pick in picks:
        pick.showPopup()
        qapp.processEvents()
        view, count = pick.view(), pick.count()
        seen = view.viewport().rect()
        view.scrollToBottom()
        for row in range(max(0, count - pick.maxVisibleItems()), count):
            place = view.visualRect(pick.model().index(row, 0))
            assert seen.contains(place), (pick.itemText(row), place, seen)
            assert place.width() >= view.fontMetrics().horizontalAdvance(pick.itemText(row)) + 8
        assert not view.horizontalScrollBar().isVisible()
        assert pick.screen().availableGeometry().contains(view.window().geometry())
        pick.hidePopup()


def test_no_sound_beside_a_protocol_that_plays_is_no_word_of_comparison(make, qtbot, lab, tmp_path):
    window = make(Choices(sound="none", protocol=lab["film"], folder=str(tmp_path)))
    qtbot.waitUntil(lambda: window.sound.kind.currentText() == "none but what the protocol plays")
    window.protocol.protocol.text.setText(lab["protocol"])
    qtbot.waitUntil(lambda: window.sound.kind.currentText() == "none: people are compared with each other")


def test_fields_without_a_use_say_why_and_can_be_emptied(make, qtbot, lab, tmp_path):
    choices = replace(replay(lab, tmp_path), mode="live", rating="slider", library=str(tmp_path))
    window = make(choices)
    qtbot.waitUntil(lambda: settled(window))
    card = window.bundle
    assert not card.affect.isVisible()
    card.affective.setFocus()
    qtbot.keyClick(card.affective, Qt.Key.Key_Space)
    assert card.affect.isVisible()
    assert not card.bundle.isVisible()
    window.tick()
    # What stands in a field can be taken out of it.
    assert [f.isEnabled() for f in (card.elements, card.library, card.rest, card.rating, card.lag)] == [
        False, True, False, True, False
    ]  # fmt: skip
    assert (card.rest.placeholderText(), card.rest.toolTip()) == (
        "needs a bundle of affect",
        "Needs a bundle of affect",
    )
    assert (card.elements.instead, card.elements.accessibleDescription()) == ("the bundle has none",) * 2
    card.affect.text.setText(lab["affect"])
    card.rating.clear()
    qtbot.waitUntil(lambda: card.rest.isEnabled() and not card.rating.isEnabled())
    assert card.rest.placeholderText() == "as the protocol says"
    card.rest.setText("soon")
    qtbot.waitUntil(lambda: any("Rest at first 'soon' is not possible" in line for line in window.verdict.lines))
    # The line of a problem leads to the page of its field, from whichever page.
    card.more.click()
    assert (card.affective.isChecked(), card.page) == (False, "more")
    window.go_to("affect_rest_s")
    assert (card.page, window.focusWidget()) == ("affect", card.rest)
    window.go_to("bundle")
    assert card.page == "bundle"
    assert card.bundle.text.hasFocus()


def test_the_demo_has_its_affect_and_elements(make, qtbot, tmp_path):
    window = make(demo(tmp_path))
    card = window.bundle
    qtbot.waitUntil(card.message.isVisible)
    assert not card.more.isVisible()
    card.affective.click()
    assert [part.isVisible() for part in (card.affect, card.elements, card.rating, card.message)] == [
        True, True, False, False
    ]  # fmt: skip
    card.affect.text.setText("demo")
    window.tick()
    plan = plan_of(window.presenter.choices)
    assert str(plan.analysis.affect) == "demo"
    card.elements.setCurrentIndex(1)
    qtbot.waitUntil(lambda: any("is another demo, of synchrony" in line for line in window.verdict.lines))


def test_each_stream_has_its_own_names_and_units(make, qtbot, lab, tmp_path):
    unique = uuid.uuid4().hex[:6]
    cap, muse = (
        headset(f"Cap {unique}", CHANNELS, 250.0),
        headset(f"Muse {unique}", ("A", "B"), 256.0, with_description=False),
    )
    with cap, muse:
        window = make(Choices(sound="none", folder=str(tmp_path / "results"), participant="P07"))
        eeg, table = window.eeg, window.eeg.table
        qtbot.waitUntil(lambda: table.rowCount() == 2 and not any("asked for" in line for line in window.verdict.lines))
        # It says of each what it was recognised as, and what holds where nothing is given.
        assert eeg.scope.currentText() == f"Cap {unique}"
        assert eeg.known.words == "no profile is recognised: read as it describes itself"
        assert eeg.channels.placeholderText().startswith("Fp1, Fp2, F7")
        assert (eeg.unit.itemText(0), eeg.rate.placeholderText()) == ("microvolts, as declared", "250, as declared")
        # The line of what is missing leads to the fields of its stream, by keys alone.
        wanting = next(
            n for n, line in enumerate(window.verdict.lines) if f"'Muse {unique}' does not name its 2" in line
        )
        with qtbot.waitActive(window):
            window.activateWindow()
        window.verdict.list.setFocus()
        window.verdict.list.setCurrentRow(wanting)
        qtbot.keyClick(window.verdict.list, Qt.Key.Key_Space)
        assert eeg.scope.currentText() == f"Muse {unique}"
        assert window.focusWidget() is eeg.channels
        qtbot.keyClicks(eeg.channels, "Fz, Cz")
        eeg.unit.setCurrentIndex(eeg.unit.findText("mV"))
        qtbot.waitUntil(lambda: table.item(1, 5).text() == "mV")
        assert table.item(0, 5).text() == "microvolts"
        qtbot.keyClick(eeg.scope, Qt.Key.Key_Up)
        qtbot.waitUntil(lambda: (eeg.scope.currentText(), table.currentRow()) == (f"Cap {unique}", 0))
        assert (eeg.channels.text(), eeg.unit.currentIndex()) == ("", 0)
        qtbot.waitUntil(window.verdict.start.isEnabled)
        # What is given for all streams is another thing, and is said where a stream has nothing of its own.
        qtbot.keyClick(eeg.scope, Qt.Key.Key_Up)
        qtbot.waitUntil(lambda: eeg.unit.itemText(0) == "as declared")
        assert eeg.scope.currentText() == "all streams"
        eeg.unit.setCurrentIndex(eeg.unit.findText("V"))
        qtbot.keyClick(eeg.scope, Qt.Key.Key_Down)
        qtbot.waitUntil(lambda: eeg.unit.currentText() == "as for all: V")
        plan = plan_of(window.presenter.tick().chosen)
        window.eeg.table.item(1, 0).setCheckState(Qt.CheckState.Unchecked)
        alone = plan_of(window.presenter.tick().chosen)
    said = plan.eeg.headsets
    assert [(each.channels, each.unit) for each in said] == [(("Fz", "Cz"), "mV")]
    assert said[0].stream.startswith("source_id=muse")
    assert plan.eeg.unit == "V"
    # What is said of a stream that takes no part is in no plan, but is kept for when it does.
    assert alone.eeg.headsets == ()
    assert len(window.presenter.choices.headsets) == 1


def test_channels_are_ticked_by_keys_and_kept_for_the_device(make, qtbot, tmp_path):
    unique = uuid.uuid4().hex[:6]
    with headset(f"Cap {unique}", ("Fz", "Cz", "HEOG", "Counter", "Battery"), 250.0):
        window = make(Choices(sound="none", folder=str(tmp_path / "results"), participant="P07"))
        eeg = window.eeg
        table = eeg.ticks.table
        qtbot.waitUntil(lambda: bool(window.presenter.tick().scope.channels))
        with qtbot.waitActive(window):
            window.activateWindow()
        qtbot.keyClick(window, Qt.Key.Key_K, Qt.KeyboardModifier.AltModifier)
        qtbot.waitUntil(lambda: eeg.ticks.isVisible() and not eeg.signal.isVisible())
        qtbot.waitUntil(lambda: table.rowCount() == 5)
        lines = [[table.item(row, column).text() for column in (1, 2, 3)] for row in range(5)]
        assert lines[0] == ["Fz", "EEG", "its name, an electrode's place"]
        assert [line[1] for line in lines] == ["EEG", "EEG", "EOG", "counter", "battery"]
        assert eeg.ticks.heading.words == f"Cap {unique}: 3 of 5 channels are used"
        table.setFocus()
        qtbot.keyClick(table, Qt.Key.Key_Down)
        qtbot.keyClick(table, Qt.Key.Key_Space)
        qtbot.waitUntil(lambda: eeg.without.text() == "Cz")
        assert (table.currentRow(), table.item(1, 0).checkState()) == (1, Qt.CheckState.Unchecked)
        assert eeg.ticks.place.words.startswith("Kept for this device in ")
        assert eeg.ticks.place.words.endswith(str(tmp_path / "config" / "devices.toml"))
        (said,) = plan_of(window.presenter.tick().chosen).eeg.headsets
        assert (said.without, said.only) == (("Cz",), ())
        window.close()
        again = make(Choices(sound="none", folder=str(tmp_path / "results"), participant="P07"))
        qtbot.waitUntil(lambda: again.eeg.without.text() == "Cz")
        again.eeg.pick.click()
        qtbot.waitUntil(again.eeg.ticks.forget.isEnabled)
        again.eeg.ticks.forget.setFocus()
        qtbot.keyClick(again.eeg.ticks.forget, Qt.Key.Key_Space)
        qtbot.waitUntil(lambda: not again.eeg.without.text())
        assert not again.eeg.ticks.forget.isEnabled()
        assert again.eeg.ticks.place.words.startswith("What is ticked is kept for this device in ")
        assert "Cap" not in (tmp_path / "config" / "devices.toml").read_text(encoding="utf-8")


def test_devices_and_screens_are_offered_and_what_is_gone_is_said(make, qtbot, tmp_path):
    window = make(Choices(sound="device", device="USB", screen=7, folder=str(tmp_path)))
    room = window.presenter.previews.room
    qtbot.waitUntil(lambda: room.devices is not None)
    window.tick()
    assert window.sound.device.currentText() == "USB (not there now)"
    assert window.protocol.view_on.currentText() == "screen 7 (not connected)"
    room.devices = (SoundDevice(3, "USB Mic", "ALSA", 1, 0, 48000.0, 0.01, 0.0, True, False),)
    window.tick()
    offered = [window.sound.device.itemText(n) for n in range(window.sound.device.count())]
    assert offered == ["the system's: USB Mic", "USB Mic (ALSA)", "USB (not there now)"]
    window.sound.device.setCurrentIndex(1)
    assert window.presenter.choices.device == "USB Mic"
    qtbot.mouseClick(window.sound.again[1], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: room.devices == ())


def test_the_signal_is_turned_over_by_keys(make, qtbot, lab, tmp_path):
    window = make(replay(lab, tmp_path))
    window.resize(1180, 660)
    view = window.eeg.signal.view
    qtbot.waitUntil(lambda: view.signal is not None)
    assert view.shown.start == 0
    assert view.shown.stop < len(CHANNELS)
    qtbot.keyClick(view, Qt.Key.Key_PageDown)
    window.tick()
    assert view.shown.stop == len(CHANNELS)
    assert f"of {len(CHANNELS)}" in window.eeg.signal.heading.words
    qtbot.keyClick(view, Qt.Key.Key_Up)
    assert view.shown.stop == len(CHANNELS) - 1


@pytest.mark.parametrize(
    ("level", "words"),
    [
        (SoundLevel(), "no sound now"),
        (SoundLevel(-60.0, -60.0), "silence"),
        (SoundLevel(-23.4, -9.0), "\N{MINUS SIGN}23 dB"),
        (SoundLevel(-3.0, 0.0, True), "\N{BLACK SQUARE} clipped"),
    ],
)
def test_the_level_is_said_in_words(make, level, words, tmp_path):
    window = make(Choices(folder=str(tmp_path)))
    window.sound.show_level(level, "")
    assert window.sound.meter.words == words
    window.sound.meter.grab()


class TestRun:
    """From showing the window to what was started."""

    @pytest.fixture(autouse=True)
    def config(self, tmp_path, monkeypatch):
        monkeypatch.setenv("RTAFFECT_CONFIG", str(tmp_path / "config"))

    def window(self) -> StartWindow:
        (found,) = [w for w in QApplication.topLevelWidgets() if isinstance(w, StartWindow)]
        return found

    def when_it_can(self, act: Callable[[StartWindow], None]) -> QTimer:
        """Do ``act`` as soon as the session can be started."""
        timer = QTimer()
        timer.timeout.connect(lambda: self.window().verdict.start.isEnabled() and (timer.stop(), act(self.window())))
        timer.start(20)
        return timer

    def test_a_started_session_comes_back_as_its_plan(self, qapp, tmp_path):
        (tmp_path / "mine.toml").touch()
        timer = self.when_it_can(lambda window: window.verdict.start.click())
        started = run_start(demo(tmp_path), plan_file=tmp_path / "mine.toml")
        assert started.plan.mode == "demo"
        assert started.plan.participant == "P07"
        assert not timer.isActive()
        # No request to quit is left that would close the session's own window at once.
        window = QWidget()
        window.show()
        qapp.processEvents()
        assert window.isVisible()
        window.close()
        window.deleteLater()

    def test_a_closed_window_starts_nothing_and_remembers(self, tmp_path):
        timer = self.when_it_can(lambda window: window.close())
        assert run_start(demo(tmp_path), message="the session failed: the disk is full") is None
        assert recall()[0].mode == "demo"
        assert not timer.isActive()

    def test_an_interrupt_closes_it(self, tmp_path):
        before = signal.getsignal(signal.SIGINT)
        timer = self.when_it_can(lambda window: signal.raise_signal(signal.SIGINT))
        assert run_start(demo(tmp_path)) is None
        assert not timer.isActive()
        assert signal.getsignal(signal.SIGINT) is before


def test_a_plan_of_another_kind_of_headset_is_shown_as_it_is(make, tmp_path):
    plan = SessionPlan.model_validate({"eeg": {"boards": ("brainflow:synthetic",)}, "sound": {"stream": "name=X"}})
    write_plan(plan, tmp_path / "p.toml")
    window = make(Choices())
    window.read(tmp_path / "p.toml")
    window.tick()
    assert window.eeg.table.item(0, 1).text() == "brainflow:synthetic"
    assert window.sound.stream.currentText() == "name=X (not there now)"
    assert window.sound.kind.currentText() == "an LSL stream of sound"


def test_a_new_setting_has_its_field_from_its_definition(qtbot, monkeypatch):
    (lamp,) = settings_of(LampPlan)
    monkeypatch.setitem(fields._BY_CHOICE, "lamp", lamp)
    monkeypatch.setitem(wording._LABELS, "lamp", lamp.setting.name)
    monkeypatch.setitem(wording._CHOICES, "lamp", lamp.choice)
    card, field = Card("Room"), QLineEdit()
    qtbot.addWidget(card)
    caption = card.add("lamp", field)
    assert (caption.text(), caption.toolTip(), caption.buddy()) == ("&Lamp", "Lamp that the feedback dims", field)
    assert fields.value_of(lamp, " desk ") == "desk"
    error = SettingsError(f"{setting('lamp', 'desk')} is not there", remedy=f"name another {under('lamp')}")
    assert str(error) == "--lamp desk is not there; name another with --lamp"
    assert refused(error, "mode") == Problem("lamp", "Lamp desk is not there; name another under 'Lamp'")


def test_every_setting_is_a_choice_and_what_has_a_label_is_shown(make):
    window = make(Choices())
    captions = {label.text() for label in window.findChildren(QLabel)} | {
        box.text() for box in window.findChildren(QCheckBox)
    }
    for each in SETTINGS:
        assert hasattr(Choices(), each.choice)
        if each.setting.label and each.setting.option != "board":
            assert each.setting.caption in captions
            assert each.choice in window.fields() or each.type is bool
