"""The session report has the electrodes' contact in a short table, and says what of it cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibration.finished.report.data import load_session
from calibration.finished.report.numbers import session_report
from calibration.finished.report.page import session_page
from rtaffect.common.sums import write_sums
from rtaffect.observed.contact import ElectrodeContact, HeadsetContact
from rtaffect.plan.session_folder import CONTACT_FILE
from rtaffect.record.contact_table import CONTACT_COLUMNS, contact_lines
from tests.support.session_files import FakeBlock, write_session

ORIGIN = 1000.0
FOUND = (
    ElectrodeContact("Fz", "good", 0.93),
    ElectrodeContact("Cz", "bad", 0.12, "mains"),
    ElectrodeContact("Pz", "fair", float("nan"), "impedance", 31.0, "impedance"),
    ElectrodeContact("Oz", "unknown", float("nan")),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_session(tmp_path / "s", blocks=(FakeBlock("listen", "Listening", 12, "story.wav"),), rate=32.0)
    return tmp_path / "s"


def write_contact(folder: Path) -> None:
    before, after = HeadsetContact("A", ORIGIN - 20, FOUND), HeadsetContact("A", ORIGIN + 12, FOUND[:1])
    lines = [CONTACT_COLUMNS, *contact_lines("check", [before], ORIGIN), *contact_lines("begin", [after], ORIGIN)]
    (folder / CONTACT_FILE).write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")


def test_contact_is_told_by_headset_and_time(folder: Path) -> None:
    write_contact(folder)
    data = load_session(folder)
    before, begin = data.contact
    assert (before.person, before.when, before.time) == ("A", "check before", -20.0)
    assert (before.good, before.fair, before.bad, before.unknown) == (1, 1, 1, 1)
    assert before.to_mend == ("Cz 0.12 (mains)", "Pz 31 kOhm (impedance)", "Oz")
    assert (begin.when, begin.time, begin.good, begin.to_mend) == ("beginning", 12.0, 1, ())
    page = session_page(data, session_report(data, None))
    assert "Cz 0.12 (mains), Pz 31 kOhm (impedance), Oz" in page
    assert "check before" in page


def test_without_the_table_nothing_is_missing(folder: Path) -> None:
    data = load_session(folder)
    assert data.contact == ()
    assert not any(CONTACT_FILE in text for text in data.missing)
    assert "Contact of the electrodes" not in session_page(data, session_report(data, None))


def test_a_changed_table_is_not_believed(folder: Path) -> None:
    write_contact(folder)
    write_sums(folder)
    path = folder / CONTACT_FILE
    path.write_text(path.read_text(encoding="utf-8").replace("bad", "good"), encoding="utf-8")
    data = load_session(folder)
    assert data.contact == ()
    assert any(CONTACT_FILE in text for text in data.missing)


def test_a_damaged_table_is_read_as_far_as_it_goes(folder: Path) -> None:
    (folder / CONTACT_FILE).write_text("when\tsomething\ncheck\t1\n", encoding="utf-8")
    data = load_session(folder)
    assert data.contact == ()
    assert any("no column time" in text for text in data.missing)
