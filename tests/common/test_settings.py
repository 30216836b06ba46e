"""Settings from a file: defaults where it says nothing, one line for a mistake."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from calibration.studies.manifest import StudyManifest
from rtaffect.affect.bundle import AffectManifest
from rtaffect.common.errors import SettingsError
from rtaffect.common.mistakes import first_problem, problems
from rtaffect.common.settings import Frozen, Settings, SignalSettings, read_settings
from rtaffect.engine.bundle import Manifest
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.predicted.manifest import FeaturizerManifest
from rtaffect.protocol.model import Protocol
from rtaffect.sources.device_profile import DeviceProfile
from rtaffect.start.device_memory import KeptTicks
from tests.settings_page import PAGE, page


def test_without_a_file_they_are_the_defaults():
    assert read_settings(None) == Settings()
    assert read_settings(None, 60.0).signal.mains_hz == 60.0


def test_a_file_changes_what_it_names(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text("[signal]\nlowpass_hz = 45\nmains_hz = 50\n[synchrony]\nwindow_s = 8\n", encoding="utf-8")
    found = read_settings(path, 60.0)
    assert (found.signal.lowpass_hz, found.signal.mains_hz, found.synchrony.window_s) == (45, 60, 8)
    assert found.signal.highpass_hz == Settings().signal.highpass_hz


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[signal]\nlow = 3\n", r"signal: there is no field 'low'; did you mean lowpass_hz\?"),
        ("[signal]\norder = '4'\n", "signal.order = '4': expected a whole number from 1 to 8"),
        ("[signal]\nflat_v = true\n", "signal.flat_v = true: expected a number from 0 to 1"),
        ("[signal]\nocular = 1\n", "signal.ocular = 1: expected true or false"),
        ("[signal]\nlowpass_hz = 'much'\n", "signal.lowpass_hz"),
        ("[signal]\nlowpass_hz = 70\n", "half of rate_hz = 100"),
        ("[signal]\nhighpass_hz = 1e-310\n", "signal.highpass_hz = 1e-310: expected a number from 0.001 to 5000"),
        ("[synchrony]\nsignal = 'envelope'\nband = 'gamma'\n", "gamma.*30 to 45 Hz"),
        ("signal = 3\n", "signal"),
        ("[signal\n", "cannot be read.*TOML"),
    ],
)
@pytest.mark.parametrize("mains", [None, 60.0])
def test_mistakes_are_one_line(tmp_path, text, expected, mains):
    path = tmp_path / "settings.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        read_settings(path, mains)
    message = str(caught.value)
    assert re.search(expected, message), message
    assert "settings.toml" in message
    assert "\n" not in message


def test_a_file_that_is_not_there():

    with pytest.raises(SettingsError, match=r"nowhere.toml cannot be read"):
        read_settings(Path("nowhere.toml"))


def test_the_page_of_settings_is_as_the_settings_are():
    """docs/settings.md has a line for each setting of the analysis and of a session, with its default."""
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run python -m tests.settings_page"
    for section in Settings.model_fields:
        assert f"## `[{section}]`" in text
    shown = re.findall(r"^\| `([a-z_]+)` \| `(.*?)` \| ", text.partition("## Settings of a session")[0], re.M)
    found = {name: tomllib.loads(f"x = {value}")["x"] for name, value in shown}
    assert found["lags_s"] == list(range(10))
    assert found["signal"] == "broadband"
    assert found["loud_v"] == 75e-6


def test_a_mains_frequency_that_no_notch_forgets_is_refused(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text("[signal]\nmains_hz = 1e-321\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"is no mains; expected 50, 60, or 0 for no notch"):
        read_settings(path)
    assert read_settings(None, 0.0).signal.mains_hz == 0


#: What is read of files is of these and of what they are made of.
READ = (
    Settings, SessionPlan, Protocol, DeviceProfile, StudyManifest, Manifest, AffectManifest, FeaturizerManifest,
    KeptTicks,
)  # fmt: skip
WRONG: tuple[Any, ...] = (
    3.5,
    -(10**20),
    "text",
    "",
    "5",
    True,
    float("nan"),
    [],
    [[]],
    {},
    {"x": 1},
    None,
    "a\nb",
    b"x",
)
PYDANTIC = re.compile(r"should (be|have|match)|not permitted|[Rr]equired|[Uu]nable|value_error|\[type=|Value error")


def all_kinds(kind: type[Any] = Frozen) -> Iterator[type[Any]]:
    for each in kind.__subclasses__():
        yield each
        yield from all_kinds(each)


def test_all_that_is_wrong_is_told_in_words_of_our_own():
    """No field of any file: what it is, what was expected, in one line, whatever is put there."""
    told = 0
    for kind in all_kinds():
        for name, info in kind.model_fields.items():
            for value in WRONG:
                with pytest.raises(ValidationError) as caught:
                    kind.model_validate({"": 0, info.alias or name: value})
                for line in problems(caught.value, kind):
                    assert not PYDANTIC.search(line.replace(repr(value), "")), f"{kind.__name__}: {line}"
                    assert "\n" not in line
                    told += 1
    assert set(READ) <= set(all_kinds())
    assert told > 3000


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        (SessionPlan, {"eeg": {"headsets": [{"stream": "A", "rate": 0}]}}, "eeg.headsets 1: rate = 0: expected"),
        (SessionPlan, {"eeg": {"streams": "Muse"}}, "eeg.streams = 'Muse': expected a list"),
        (DeviceProfile, {"match": [{"rates": ["x"]}]}, "name is missing: add it"),
        (DeviceProfile, {"sends": {"units": 3}}, "sends.units = 3: expected a text, or a list"),
        (Protocol, {"study": {"size": [1]}}, "study.size = [1]: expected a text, or a whole number, or"),
        (KeptTicks, {"device": ["a", "b"], "without": ["x"], "only": ["y"]}, "'a': without and only exclude"),
    ],
)  # fmt: skip
def test_where_it_is_is_told(kind, content, expected):
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(content)
    assert any(line.startswith(expected) for line in problems(caught.value, kind)), first_problem(caught.value, kind)


def test_numbers_are_numbers():
    """A whole one may stand for any, also one of numpy's; a text and a yes or no may not."""
    assert SignalSettings(mains_hz=60, order=np.int64(3)).order == 3  # type: ignore[arg-type]
    for wrong in ({"mains_hz": "60"}, {"mains_hz": True}, {"order": 4.5}, {"order": "4"}, {"ocular": "yes"}):
        with pytest.raises(ValidationError):
            SignalSettings.model_validate(wrong)
