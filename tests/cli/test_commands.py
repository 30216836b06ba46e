"""The commands as a user runs them: whole sessions on real parts, and one line for each mistake."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from rtaffect.cli import COMMANDS, cli
from rtaffect.common.errors import RtaffectError
from rtaffect.plan.session_folder import open_session
from rtaffect.simulation.headset import SimulatedHeadset
from tests.support.waiting import wait_for
from tests.support.xdf_writer import FakeStream, image

ROOT = Path(__file__).parents[2]


def run(*arguments: str | Path) -> Result:
    """Run a command in this process; a user's mistake comes back as the result's exception."""
    return CliRunner().invoke(cli, [str(a) for a in arguments])


def ran(folder: Path) -> dict:
    """What the session says of its run."""
    return open_session(folder).ran


def fine(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.output


def mistake(*arguments: str | Path) -> str:
    """Return the one line in which a user's mistake must end."""
    result = run(*arguments)
    assert isinstance(result.exception, RtaffectError), repr(result.exception) + result.output
    message = str(result.exception)
    assert "\n" not in message
    return message


def read_table(folder: Path, name: str = "feedback.tsv") -> dict[str, dict[str, np.ndarray]]:
    """Return each row's numeric columns, NaN for n/a."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with (folder / name).open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file, delimiter="\t"):
            key = "/".join(line[column] for column in ("person", "row", "channel") if column in line)
            for column, text in line.items():
                if column in ("predicted", "observed", "null_low", "null_high", "quality", "time"):
                    values[key][column].append(np.nan if text == "n/a" else float(text))
    return {row: {c: np.array(v) for c, v in columns.items()} for row, columns in values.items()}


@pytest.fixture(scope="module")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole demo at full speed; makes the demo's bundle the first time."""
    out = tmp_path_factory.mktemp("demo") / "session"
    fine("demo", "--speed", "max", "--headless", "--out", out)
    return out


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "study"
    fine("simulate", "--out", folder, "--listeners", "3", "--sounds", "1", "--sound-seconds", "30", "--quick")
    return folder


@pytest.mark.timeout(400)
class TestDemo:
    def test_predicted_and_observed_go_together_far_beyond_chance(self, demo_run: Path) -> None:
        table = read_table(demo_run)
        mean = table.pop("mean")
        both = np.isfinite(mean["predicted"]) & np.isfinite(mean["observed"])
        assert both.sum() == 171
        p, o = mean["predicted"][both], mean["observed"][both]
        r = np.corrcoef(p, o)[0, 1]
        chance = [np.corrcoef(p, np.concatenate([o[s:], o[:s]]))[0, 1] for s in range(20, len(o) - 20)]
        assert r > np.quantile(chance, 0.99)
        assert r > 0.5
        rows = [np.corrcoef(v["predicted"][both], v["observed"][both])[0, 1] for v in table.values()]
        assert np.mean(rows) > 0.25
        # Too good would mean that the participant has been made easy.
        assert np.mean(rows) < 0.7

    def test_observed_is_above_the_null_band_about_as_often_as_planted(self, demo_run: Path) -> None:
        table = read_table(demo_run)
        table.pop("mean")
        above = np.concatenate([v["observed"][9:] > v["null_high"][9:] for v in table.values()])
        assert 0.2 < above.mean() < 0.8

    def test_first_steps_say_that_they_lack_data(self, demo_run: Path) -> None:
        with (demo_run / "feedback.tsv").open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file, delimiter="\t"))
        assert {line["observed"] for line in lines if int(line["step"]) < 10} == {"n/a"}
        assert all(line["reason"] != "n/a" and line["trusted"] == "false" for line in lines if int(line["step"]) < 10)
        assert [int(x["step"]) for x in lines if x["row"] == "mean"] == list(range(1, 181))

    def test_session_file_has_settings_and_versions(self, demo_run: Path) -> None:
        about = ran(demo_run)
        assert about["outcome"] == "completed"
        assert about["steps"] == 180
        assert about["settings"]["signal"]["rate_hz"] == 100
        packages = json.loads((demo_run / "environment.json").read_text(encoding="utf-8"))["packages"]
        assert {"numpy", "pylsl", "onnxruntime"} <= packages.keys()
        assert len(about["bundle_sha256"]) == 64

    def test_same_numbers_every_time(self, demo_run: Path, tmp_path: Path) -> None:
        fine("demo", "--speed", "max", "--headless", "--seconds", "40", "--out", tmp_path / "again")
        again = (tmp_path / "again" / "feedback.tsv").read_text(encoding="utf-8")
        assert (demo_run / "feedback.tsv").read_text(encoding="utf-8").startswith(again)

    def test_over_lsl_gives_what_the_simulator_gives(self, demo_run: Path, tmp_path: Path) -> None:
        fine("demo", "--headless", "--seconds", "13", "--out", tmp_path / "lsl")
        live, straight = read_table(tmp_path / "lsl"), read_table(demo_run)
        for row, columns in live.items():
            for column in ("predicted", "observed"):
                np.testing.assert_allclose(columns[column], straight[row][column][:13], atol=5e-3, err_msg=row)

    def test_an_existing_session_is_not_overwritten(self, demo_run: Path) -> None:
        before = (demo_run / "feedback.tsv").read_bytes()
        assert "already holds a session" in mistake("demo", "--speed", "max", "--headless", "--out", demo_run)
        assert (demo_run / "feedback.tsv").read_bytes() == before

    def test_in_a_window(self, demo_run: Path, tmp_path: Path) -> None:
        fine("demo", "--speed", "max", "--seconds", "15", "--out", tmp_path / "window")
        text = (tmp_path / "window" / "feedback.tsv").read_text(encoding="utf-8")
        assert (demo_run / "feedback.tsv").read_text(encoding="utf-8").startswith(text)
        assert ran(tmp_path / "window")["steps"] == 15

    @pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to a child")
    def test_ctrl_c_ends_a_session_cleanly(self, demo_run: Path, tmp_path: Path) -> None:
        out = tmp_path / "stopped"
        child = subprocess.Popen(
            [sys.executable, ROOT / "launch.py", "demo", "--headless", "--out", out],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 60
        while not (out / "feedback.tsv").exists() or len((out / "feedback.tsv").read_text().splitlines()) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
        assert child.returncode == 0, errors
        assert "Traceback" not in errors
        assert ran(out)["outcome"] == "stopped by the user"


@pytest.mark.timeout(200)
class TestReplay:
    def test_a_simulated_listener_with_its_sound(self, demo_run: Path, study: Path, tmp_path: Path) -> None:
        recording, sound = study / "eeg" / "listener-01.xdf", study / "sounds" / "soundtrack-01.wav"
        for out in ("once", "twice"):
            fine(
                "replay", recording, "--audio", sound, "--audio-start", "15", "--bundle", "demo", "--speed", "max",
                "--headless", "--out", tmp_path / out,
            )  # fmt: skip
        once = (tmp_path / "once" / "feedback.tsv").read_text(encoding="utf-8")
        assert once == (tmp_path / "twice" / "feedback.tsv").read_text(encoding="utf-8")
        predicted = read_table(tmp_path / "once")["mean"]["predicted"]
        # The sound lasts 30 s from second 15; the longest lag is 9 s, and nothing is predicted beyond the sound.
        assert np.flatnonzero(np.isfinite(predicted)).tolist() == list(range(24, 45))

    def test_paced_replay_gives_the_same(self, study: Path, tmp_path: Path) -> None:
        recording = study / "eeg" / "listener-02.xdf"
        for speed in ("max", "20"):
            fine("replay", recording, "--speed", speed, "--seconds", "20", "--headless", "--out", tmp_path / speed)
        texts = [(tmp_path / speed / "feedback.tsv").read_text(encoding="utf-8") for speed in ("max", "20")]
        assert texts[0] == texts[1]

    def test_live_group_of_two(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        stamps = 50 + np.arange(128 * 40) / 128
        shared = rng.standard_normal((len(stamps), 3))
        streams = [
            FakeStream(
                20 * (shared + rng.standard_normal(shared.shape)), stamps, name=f"cap {i}", rate=128.0,
                labels=("Fz", "Cz", "Pz"), source_id=f"cap{i}", offsets=((50.0, 0.0), (90.0, 0.0)),
            )
            for i in range(2)
        ]  # fmt: skip
        path = tmp_path / "pair.xdf"
        path.write_bytes(image(streams).data)
        fine("replay", path, "--speed", "max", "--headless", "--out", tmp_path / "out")
        observed = read_table(tmp_path / "out")["mean"]["observed"]
        assert np.nanmean(observed) == pytest.approx(0.5, abs=0.1)
        each = read_table(tmp_path / "out", "people.tsv")
        assert set(each) == {f"cap {i}/{c}" for i in range(2) for c in ("Fz", "Cz", "Pz")}

    def test_mistakes(self, study: Path, tmp_path: Path) -> None:
        recording, sound = study / "eeg" / "listener-01.xdf", study / "sounds" / "soundtrack-01.wav"
        assert "does not exist" in mistake("replay", tmp_path / "none.xdf", "--headless")
        assert "--speed" in mistake("replay", recording, "--speed", "fast", "--headless")
        assert "--speed" in mistake("replay", recording, "--speed", "-2", "--headless")
        far = mistake("replay", recording, "--audio", sound, "--audio-start", "9999", "--headless")
        assert "outside the recording" in far
        assert "name 'nobody'" in mistake("replay", recording, "--eeg", "nobody", "--headless")
        assert "no bundle" in mistake("replay", recording, "--bundle", tmp_path / "none", "--headless")
        assert "at least 2 headsets" in mistake("replay", recording, "--against", "group", "--headless")
        assert "needs more than 60 Hz" in mistake("replay", recording, "--rate", "50", "--headless")
        noise = tmp_path / "other.wav"
        soundfile.write(noise, np.random.default_rng(1).uniform(-0.1, 0.1, 16000 * 20).astype(np.float32), 16000)
        message = mistake(
            "replay", recording, "--audio", noise, "--bundle", "demo", "--against", "reference", "--headless"
        )
        assert "no reference for this sound" in message


@pytest.mark.timeout(200)
class TestLive:
    def headset(self, name: str, seconds: float, seed: int) -> SimulatedHeadset:
        rng = np.random.default_rng(seed)
        shared = np.random.default_rng(99).standard_normal((round(250 * seconds), 4))
        samples = 10e-6 * (shared + rng.standard_normal(shared.shape))
        return SimulatedHeadset(name, f"{name}-{uuid.uuid4().hex[:6]}", samples, 250.0, ("Fz", "Cz", "Pz", "Oz"))

    def test_two_headsets_and_a_sound_file(self, demo_run: Path, study: Path, tmp_path: Path) -> None:
        first, second = f"a{uuid.uuid4().hex[:6]}", f"b{uuid.uuid4().hex[:6]}"
        with self.headset(first, 40, 1), self.headset(second, 40, 2):
            fine(
                "live", "--eeg", first, "--eeg", second, "--audio", study / "sounds" / "soundtrack-01.wav", "--silent",
                "--bundle", "demo", "--seconds", "14", "--headless", "--out", tmp_path / "live",
            )  # fmt: skip
        table = read_table(tmp_path / "live")
        assert set(table) == {"Fz", "Cz", "Pz", "Oz", "mean"}
        assert np.isfinite(table["mean"]["predicted"][-4:]).all()
        assert ran(tmp_path / "live")["outcome"] == "completed"

    def test_a_lost_headset_is_told_and_the_session_goes_on(self, tmp_path: Path) -> None:
        first, second = f"c{uuid.uuid4().hex[:6]}", f"d{uuid.uuid4().hex[:6]}"
        table = tmp_path / "l" / "feedback.tsv"

        def leave(headset: SimulatedHeadset) -> None:
            wait_for(lambda: table.exists() and table.read_text(encoding="utf-8").count("\n") > 10)
            headset.close()

        with self.headset(first, 90, 1), self.headset(second, 90, 2) as leaving:
            thread = threading.Thread(target=leave, args=(leaving,))
            thread.start()
            output = fine(
                "live", "--eeg", first, "--eeg", second, "--seconds", "12", "--headless", "--out", tmp_path / "l"
            )
            thread.join()
        assert f"{second}: lost" in output
        quality = read_table(tmp_path / "l", "quality.tsv")
        assert quality[f"{first}/Cz"]["quality"][-1] == 1.0
        assert quality[f"{second}/Cz"]["quality"][-1] < 1.0

    def test_mistakes(self, tmp_path: Path) -> None:
        assert "nobody-here" in mistake("live", "--eeg", "nobody-here", "--wait", "0.5", "--headless")
        assert "exclude each other" in mistake("live", "--audio", "x.wav", "--mic", "0", "--headless")


def test_every_command_has_help() -> None:
    for name in COMMANDS:
        assert "Usage:" in fine(name, "--help")


def test_a_mistake_is_one_line_and_status_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "launch.py", "replay", tmp_path / "none.xdf", "--headless"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("rtaffect: ")
    assert done.stderr.count("\n") == 1


recordings = pytest.mark.skipif("RTAFFECT_RECORDINGS" not in os.environ, reason="RTAFFECT_RECORDINGS is not set")


@pytest.mark.recordings
@recordings
def test_four_muse_headsets_as_a_group(tmp_path: Path) -> None:
    path = Path(os.environ["RTAFFECT_RECORDINGS"]) / "hybridharmony_4muse_anticipation.xdf"
    arguments = ("replay", path, "--speed", "max", "--headless")
    assert "--channels" in mistake(*arguments)
    fine(*arguments, "--channels", "TP9,AF7,AF8,TP10", "--unit", "uV", "--out", tmp_path / "muse")
    table = read_table(tmp_path / "muse")
    assert len(table["mean"]["observed"]) == 36
    assert np.isfinite(table["mean"]["observed"][9:]).all()
    people = read_table(tmp_path / "muse", "quality.tsv")
    worst = {person: people[f"{person}/AF7"]["quality"][-1] for person in {k.split("/")[0] for k in people}}
    assert min(worst, key=worst.__getitem__).startswith("Blue")
    assert min(worst.values()) < 0.2
