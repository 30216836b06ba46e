"""What checks found is kept by device, read again whole, and stated by later sessions; nothing is applied unsaid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from rtaffect.common.errors import SettingsError
from rtaffect.plan.analysis_plan import ProtocolPlan
from rtaffect.plan.kept_checks import MOST, KeptChecks, LightCheck, SoundCheck, SoundLevel, age_of, checks_file
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.plan.sound_plan import SoundPlan
from rtaffect.run.live_checks import LiveChecks

THEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def sound(speaker: str = "Speaker", at: datetime = THEN, **more: object) -> SoundCheck:
    about = {"latency_ms": 23.1, "low_ms": 22.8, "high_ms": 23.5, "clicks": 20, "found": 20, "capture": "Microphone"}
    return SoundCheck(at=at, speaker=speaker, host_api="ALSA", **(about | more))


def light(screen: int = 1, **more: object) -> LightCheck:
    about = {"latency_ms": 31.0, "low_ms": 28.0, "high_ms": 35.0, "flashes": 40, "missed": 1, "stream": "Diode"}
    return LightCheck(at=THEN, screen=screen, screen_name="1: HDMI-1 (1920 x 1080)", **(about | more))


def player(name: str = "Speaker") -> SimpleNamespace:
    return SimpleNamespace(device=SimpleNamespace(name=name, host_api="ALSA"), gain_db=0.0)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTAFFECT_CONFIG", str(tmp_path / "config"))


def test_the_newest_of_each_device_is_kept_and_read_again() -> None:
    level = SoundLevel(at=THEN, speaker="Speaker", host_api="ALSA", level_db=-12.0)
    KeptChecks().keep(level, sound(), sound("Other", latency_ms=1.0), light(0), light(1))
    newer = sound(at=THEN + timedelta(days=1), latency_ms=None, low_ms=None, high_ms=None, why="it is silent")
    KeptChecks().keep(newer)
    kept = KeptChecks()
    assert kept.note == ""
    assert kept.sound_of("Speaker", "ALSA") == newer
    assert kept.sound_of("Speaker", "JACK") is None
    assert kept.sound_of("Other", "ALSA") == sound("Other", latency_ms=1.0)
    assert kept.level_of("Speaker", "ALSA") == level
    assert kept.light_of(1) == light(1)
    assert kept.light_of(2) is None


def test_many_devices_do_not_pile_up() -> None:
    KeptChecks().keep(*(sound(f"Speaker {number}") for number in range(MOST + 3)))
    assert KeptChecks().sound_of("Speaker 2", "ALSA") is None
    assert KeptChecks().sound_of("Speaker 3", "ALSA") is not None


@pytest.mark.parametrize("content", ["levels = 3", "[[sounds]]\nspeaker='x'", "\x00", "[[lights]]\nlatency_ms = nan"])
def test_a_damaged_file_is_told_and_no_check_is_known(content: str) -> None:
    checks_file().parent.mkdir(parents=True)
    checks_file().write_text(content, encoding="utf-8")
    kept = KeptChecks()
    assert "checks.toml" in kept.note
    assert kept.sound_of("Speaker", "ALSA") is None


def test_what_cannot_be_kept_says_so() -> None:
    checks_file().parent.parent.mkdir(exist_ok=True)
    checks_file().parent.write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(SettingsError, match="could not be kept"):
        KeptChecks().keep(sound())


def test_a_check_has_a_latency_or_a_reason() -> None:
    with pytest.raises(ValidationError, match="says why it has none"):
        sound(latency_ms=None)
    with pytest.raises(ValidationError, match="says why it has none"):
        sound(why="silent")


def test_ages_are_in_words() -> None:
    assert age_of(THEN, THEN + timedelta(seconds=30)) == "30 s ago"
    assert age_of(THEN, THEN + timedelta(days=4)) == "4 days ago"
    assert "future" in age_of(THEN, THEN - timedelta(days=1))


def test_a_session_takes_the_level_and_states_the_checks() -> None:
    KeptChecks().keep(SoundLevel(at=THEN, speaker="Speaker", host_api="ALSA", level_db=-12.0), sound(), light())
    plan = SessionPlan(protocol=ProtocolPlan(screen=1))
    checks = LiveChecks.of(plan, player())
    assert checks.level_db == -12.0
    level, heard, seen = checks.lines()
    assert "-12 dB, as it was set for Speaker" in level
    assert "days ago: sound: heard 23.1 ms after its time (90 % between 22.8 and 23.5 ms; 20 of 20 clicks)" in heard
    assert "nothing is moved by it" in heard
    # Half a period of 60 Hz is taken off by the film itself.
    assert seen.endswith("by this check: --screen-delay 0.0227")
    content = checks.content()
    assert content["level_db"] == -12.0
    assert content["sound"]["latency_ms"] == 23.1
    assert content["sound"]["age_s"] > 0
    assert content["light"]["missed"] == 1


def test_the_plan_stands_before_the_level_that_was_set() -> None:
    KeptChecks().keep(SoundLevel(at=THEN, speaker="Speaker", host_api="ALSA", level_db=-12.0))
    checks = LiveChecks.of(SessionPlan(sound=SoundPlan(level_db=-3.0)), player())
    assert checks.level_db == -3.0
    assert list(checks.lines()) == []
    assert checks.content() == {"level_db": -3.0}


def test_of_another_device_and_screen_nothing_is_said() -> None:
    KeptChecks().keep(SoundLevel(at=THEN, speaker="Speaker", host_api="ALSA", level_db=-12.0), sound(), light())
    checks = LiveChecks.of(SessionPlan(protocol=ProtocolPlan(screen=0)), player("Other"))
    assert list(checks.lines()) == []
    assert checks.content() == {"level_db": 0.0}
    silent = LiveChecks.of(SessionPlan(), None)
    assert silent.content() == {}


def test_a_check_that_heard_nothing_is_stated_as_that() -> None:
    KeptChecks().keep(sound(latency_ms=None, low_ms=None, high_ms=None, why="the captured sound is silent", found=0))
    (line,) = LiveChecks.of(SessionPlan(), player()).lines()
    assert "sound: not heard: the captured sound is silent" in line
    assert "ms after" not in line
