"""The contact check looks as a session does, waits for its target, and its result is kept with the session."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from rtaffect.checks.contact_check import CheckState, ContactCheck, ContactWatch
from rtaffect.cli import cli
from rtaffect.common.contact_settings import ContactSettings
from rtaffect.common.settings import Settings
from rtaffect.observed.contact import ElectrodeContact, HeadsetContact, with_reported
from rtaffect.observed.contact_target import ContactTarget
from rtaffect.plan.session_folder import CONTACT_FILE, open_session
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.present.contact_state import HeadView, contact_lines
from rtaffect.record.session_writer import SessionWriter
from rtaffect.run.contact_record import ContactRecord
from rtaffect.simulation.contact import with_bad_contacts
from rtaffect.simulation.device import SimulatedDevice, Wearer
from rtaffect.sources.channel_plan import plan_eeg
from rtaffect.sources.device_profile import profile_called
from rtaffect.sources.reported_channels import kohm_per
from rtaffect.stream.reported import STALE_S, Reported, ReportedChannel
from rtaffect.stream.source import StreamHeader
from tests.observed.test_channel_quality import CHANNELS, ORIGIN, RATE, scalp
from tests.support.helpers import headset

LIMITS = ContactSettings(hold_s=5)


def electrodes(*verdicts: str) -> tuple[ElectrodeContact, ...]:
    return tuple(ElectrodeContact(f"C{i}", verdict, 0.5) for i, verdict in enumerate(verdicts))


def checked(samples: np.ndarray, seconds: int, limits: ContactSettings = LIMITS) -> CheckState:
    """The check of one headset, second by second."""
    source = headset(samples, channels=CHANNELS[: samples.shape[1]], rate=RATE)
    check = ContactCheck([source], Settings(), limits, ORIGIN)
    check.start()
    states = [check.turn(ORIGIN + k) for k in range(1, seconds + 1)]
    check.stop()
    assert [state.seconds for state in states] == sorted(state.seconds for state in states)
    return states[-1]


def test_sound_electrodes_meet_the_target():
    state = checked(scalp(26), 20)
    assert state.met
    assert state.heads[0].headline == "16 of 16 good \N{EN DASH} target 15: met"
    assert state.heads[0].advice == ""


def test_a_bad_electrode_too_many_keeps_it_from_being_met_and_is_told_first():
    samples = with_bad_contacts(scalp(26), RATE, {2: "mains", 9: "flat"}, np.random.default_rng(0))
    state = checked(samples, 24)
    assert not state.met
    head = state.heads[0]
    assert {each.name for each in head.to_mend} == {"C2", "C9"}
    assert head.advice.startswith(("C2: high impedance", "C9: no signal"))
    lines = list(contact_lines(state.heads))
    assert len(lines) == 17
    assert lines[9].split()[:4] == ["A", "C9", "bad", "0.00"]
    assert lines[-1] == "A: 14 of 16 good \N{EN DASH} target 15: not met"
    assert checked(samples, 24, replace_share(0.8)).met


def replace_share(share: float) -> ContactSettings:
    return LIMITS.model_copy(update={"share": share})


def test_a_headset_without_samples_says_so():
    state = checked(scalp(1)[:0], 10)
    assert not state.met
    assert state.heads[0].trouble


def test_the_target_must_be_held_without_a_break():
    target = ContactTarget(LIMITS, 4)
    good, fair = electrodes("good", "good", "good", "good"), electrodes("good", "good", "good", "fair")
    held = [target(HeadsetContact("A", at, good)).held_s for at in range(4)]
    assert held == [1, 2, 3, 4]
    assert target(HeadsetContact("A", 3, good)).held_s == 4, "the same second counts once"
    assert not target(HeadsetContact("A", 4, fair)).held_s
    states = [target(HeadsetContact("A", at, good)) for at in range(5, 10)]
    assert [state.met for state in states] == [False] * 4 + [True]
    assert target(HeadsetContact("A", 12, good)).held_s == 1, "what was not seen was not good"


def test_impedance_and_quality_stand_in_place_of_the_index_where_they_are_known():
    reported = Reported(
        (
            ReportedChannel("C0", 0, "impedance", 1e-3),
            ReportedChannel("C1", 1, "impedance", 1e-3),
            ReportedChannel("C2", 2, "quality", 0.25, 1.0, 0.5),
        )
    )
    found = HeadsetContact("A", 100.0, electrodes("bad", "fair", "bad", "good"))
    assert with_reported(found, reported, 100.0, LIMITS) == found, "nothing has come"
    reported.push(np.array([[1.0, 1, 1], [8000.0, -1, 3]]), np.array([99.0, 99.5]))
    told = with_reported(found, reported, 100.0, LIMITS).electrodes
    assert (told[0].verdict, told[0].value, told[0].by) == ("good", "8 kOhm", "impedance")
    assert told[1] == found.electrodes[1], "what cannot be is not believed"
    assert (told[2].verdict, told[2].index, told[2].why) == ("fair", 0.75, "quality")
    assert told[3] == found.electrodes[3]
    assert with_reported(found, reported, 100.0 + STALE_S, LIMITS) == found


@pytest.mark.parametrize(
    ("unit", "scale"), [("kOhm", 1.0), ("Ohm", 1e-3), ("kilo-ohms", 1.0), ("kΩ", 1.0), ("MOhm", 1e3), ("uV", None)]
)
def test_units_of_impedance(unit, scale):
    assert kohm_per(unit) == scale


def test_channels_of_impedance_are_told_by_name_and_unit_and_by_nothing_less():
    header = StreamHeader(
        "A", "EEG", 250.0, "float32", ("Fz", "Cz", "Impedance Cz", "Z_Fz imp", "Impedance Pz", "Quality Fz"),
        ("uV", "uV", "kOhm", "kOhm", "kOhm", ""), ("EEG", "EEG", "impedance", "impedance", "impedance", "quality"),
    )  # fmt: skip
    found = plan_eeg(header).reported
    assert [(each.electrode, each.column, each.scale) for each in found] == [("Cz", 2, 1.0), ("Fz", 3, 1.0)]


def test_emotivs_contact_comes_in_a_stream_of_its_own():
    reports = profile_called("emotiv").contact
    assert (reports.means, reports.best, reports.stream) == ("quality", 4, "EmotivDataStream-Contact-Quality*")


def test_a_check_that_cannot_begin_says_why(tmp_path: Path):
    watch = ContactWatch(SessionPlan(), find=lambda plan: [])
    watch.start()
    try:
        while not watch.state.failed:
            pass
    finally:
        watch.stop()
    assert watch.state.failed.startswith("no headset was found")


def test_the_command_has_one_line_for_each_electrode_and_an_exit_status():
    wearer = Wearer(contact="O1=flat,F3=mains,T7=rail")
    with SimulatedDevice(profile_called("emotiv"), wearer, name="EmotivDataStream-EEG-9", source_id="nine"):
        runner = CliRunner()
        result = runner.invoke(cli, ["contact", "--headless", "--eeg", "EmotivDataStream-EEG-9", "--seconds", "8"])
    assert result.exit_code == 1, result.output
    lines = [line for line in result.output.splitlines() if line.startswith("EmotivDataStream-EEG-9  ")]
    assert len(lines) == 14
    verdicts = {line.split()[1]: line.split()[2] for line in lines}
    assert {name for name, verdict in verdicts.items() if verdict == "bad"} == {"O1", "F3", "T7"}
    assert "target 13: not met" in result.output


def test_contact_is_kept_before_at_the_beginning_and_at_the_end(tmp_path: Path):
    good, unknown = electrodes("good", "bad"), electrodes("unknown", "unknown")
    measures = SimpleNamespace(contact=LIMITS, contacts=(HeadsetContact("A", 1011.0, unknown),))
    writer = SessionWriter(tmp_path / "s", SessionPlan(), {})
    record = ContactRecord(
        SimpleNamespace(measures=measures, origin=1000.0), writer, [HeadsetContact("A", 990.0, good)]
    )
    record.step(11)
    record.step(12)
    measures.contacts = (HeadsetContact("A", 1013.0, good),)
    record.step(13)
    record.step(14)
    measures.contacts = (HeadsetContact("A", 1020.0, good), HeadsetContact("B", 1020.0, good))
    record.close()
    record.close()
    writer.close("completed")
    lines = [line.split("\t") for line in (tmp_path / "s" / CONTACT_FILE).read_text(encoding="utf-8").splitlines()[1:]]
    assert [(line[0], float(line[1]), line[3]) for line in lines] == [
        ("check", -10, "A"), ("check", -10, "A"), ("begin", 13, "A"), ("begin", 13, "A"), ("end", 20, "A"),
        ("end", 20, "A"),
    ]  # fmt: skip
    assert [line[5] for line in lines] == ["good", "bad"] * 3


@pytest.mark.slow
def test_a_live_session_begins_once_contact_is_good_and_keeps_it(tmp_path: Path):
    limits = tmp_path / "contact.toml"
    limits.write_text("hold_s = 2\n", encoding="utf-8")
    unicorn = profile_called("unicorn")
    with (
        SimulatedDevice(unicorn, Wearer(1), name="UN-one", source_id="un-one"),
        SimulatedDevice(unicorn, Wearer(2), name="UN-two", source_id="un-two"),
    ):
        arguments = [
            "live",
            "--eeg",
            "UN-one",
            "--eeg",
            "UN-two",
            "--headless",
            "--no-outlet",
            "--seconds",
            "16",
            "--check-contact",
        ]
        arguments += ["--contact-settings", str(limits), "--out", str(tmp_path / "s")]
        result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    session = open_session(tmp_path / "s")
    lines = session.table(CONTACT_FILE)
    assert {line["when"] for line in lines} == {"check", "begin", "end"}
    assert all(float(line["time"]) < 0 for line in lines if line["when"] == "check")
    assert {line["verdict"] for line in lines} == {"good"}
    assert len(lines) == 3 * 2 * 8
    assert session.ran["contact"]["hold_s"] == 2


def test_a_head_tells_how_far_it_is():
    target = ContactTarget(LIMITS, 2)
    state = target(HeadsetContact("A", 1, electrodes("good", "good")))
    head = HeadView("A", electrodes("good", "good"), state, 5)
    assert head.headline == "2 of 2 good \N{EN DASH} target 2: 1 of 5 s"
    assert replace(head, hold_s=None).headline == "2 of 2 good"
