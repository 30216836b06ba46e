"""``simulate-headset`` sends what a device sends, and ``devices`` tells what is recognised of it."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from rtaffect.cli import cli
from rtaffect.common.errors import SettingsError
from rtaffect.simulation.device import SimulatedDevice
from rtaffect.sources.device_profile import profile_called


def run(*arguments):
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def test_it_sends_and_says_what():
    result = run("simulate-headset", "emotiv", "--people", "2", "--seconds", "0.2")
    assert result.exit_code == 0
    assert "sending 'EmotivDataStream-EEG-1' (EEG, 128 Hz, 19 channels)" in result.output
    assert "EmotivDataStream-EEG-2" in result.output


@pytest.mark.parametrize("name", ["musse", "none"])
def test_an_unknown_one_is_refused_in_the_words_of_this_command(name):
    with pytest.raises(SettingsError, match=f"^device profile '{name}' is not known; expected the file of one") as said:
        run("simulate-headset", name)
    assert "or one of actichamp" in str(said.value)
    assert "--profile" not in str(said.value)


def test_devices_tell_what_is_recognised_and_left_out():
    with SimulatedDevice(profile_called("emotiv"), name="EmotivDataStream-EEG-7", source_id="seven"):
        output = run("devices", "--wait", "1.2").output
    said = " ".join(output.split())
    assert "EmotivDataStream-EEG-7: recognised as Emotiv" in said
    assert "left out, being no EEG: Timestamp (timestamp), Counter (counter)" in said
