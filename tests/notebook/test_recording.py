"""A replay from Python has the values of the command ``replay``, and a figure of them says what they are."""

from __future__ import annotations

import warnings
from pathlib import Path

import matplotlib.figure
import numpy as np
import pytest

from rtaffect import plot_feedback, replay
from rtaffect.cli import sessions
from rtaffect.common.errors import RtaffectError
from rtaffect.engine.feedback import Feedback
from rtaffect.notebook.recording import _FIELDS, ReplayOptions
from rtaffect.record.table import feedback_lines
from tests.cli.test_commands import fine
from tests.support.helpers import quiet
from tests.support.xdf_writer import FakeStream, image


def pair(path: Path, seconds: float = 40.0, **options: object) -> Path:
    """Write two headsets with a common signal."""
    rng, stamps = np.random.default_rng(0), 50 + np.arange(round(128 * seconds)) / 128
    shared = rng.standard_normal((len(stamps), 3))
    streams = [
        FakeStream(
            20 * (shared + rng.standard_normal(shared.shape)), stamps, name=f"cap {i}", rate=128.0,
            labels=("Fz", "Cz", "Pz"), source_id=f"cap{i}", **{"offsets": ((50.0, 0.0), (90.0, 0.0)), **options},
        )
        for i in range(2)
    ]  # fmt: skip
    path.write_bytes(image(streams).data)
    return path


def lines_of(steps: list[Feedback]) -> list[str]:
    return ["\t".join(line) for f in steps for line in feedback_lines(f)]


def table(folder: Path) -> list[str]:
    return (folder / "feedback.tsv").read_text(encoding="utf-8").splitlines()[1:]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "study"
    fine("simulate", "--out", folder, "--listeners", "3", "--sounds", "1", "--sound-seconds", "30", "--quick")
    return folder


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's protocol as far as into its first block with a sound."""
    folder = tmp_path_factory.mktemp("session") / "P01"
    fine("demo", "--protocol", "--speed", "max", "--headless", "--seconds", "40", "--out", folder)
    return folder


@pytest.fixture(scope="module")
def replayed(session: Path) -> list[Feedback]:
    return list(replay(session, progress=quiet))


@pytest.mark.timeout(200)
def test_a_file_with_a_sound_is_what_the_command_gives(study: Path, tmp_path: Path) -> None:
    recording, sound = study / "eeg" / "listener-01.xdf", study / "sounds" / "soundtrack-01.wav"
    fine(
        "replay", recording, "--audio", sound, "--audio-start", "15", "--speed", "max", "--seconds", "40", "--headless",
        "--bundle", "demo", "--out", tmp_path / "out",
    )  # fmt: skip
    found = list(replay(str(recording), audio=str(sound), audio_start=15, seconds=40, bundle="demo", progress=quiet))
    assert [f.step for f in found] == list(range(1, 41))
    assert np.isfinite(found[30].predicted_mean)
    assert lines_of(found) == table(tmp_path / "out")


@pytest.mark.timeout(200)
def test_a_session_with_a_protocol_is_what_the_command_gives(
    session: Path, replayed: list[Feedback], tmp_path: Path
) -> None:
    fine("replay", session, "--speed", "max", "--headless", "--out", tmp_path / "out")
    assert len(replayed) == 40
    assert np.isfinite(replayed[-1].observed_mean)
    assert lines_of(replayed) == table(tmp_path / "out") == table(session)
    assert lines_of(list(replay(session, seconds=25, progress=quiet))) == table(session)[: 25 * 25]
    with pytest.raises(RtaffectError, match="says itself what was worn and heard"):
        replay(session, audio="other.wav")


def test_steps_come_one_at_a_time_and_a_reader_may_stop(tmp_path: Path) -> None:
    steps = replay(pair(tmp_path / "pair.xdf"), progress=quiet)
    assert next(steps).step == 1
    assert next(steps).step == 2
    steps.close()
    assert not list(steps)


def test_what_is_odd_is_a_warning(tmp_path: Path) -> None:
    path = pair(tmp_path / "pair.xdf", offsets=())
    with pytest.warns(UserWarning, match="there are no clock offsets") as told:
        steps = replay(path, progress=quiet)
    assert {Path(w.filename) for w in told} == {Path(__file__)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(steps)) == 39


def test_its_options_are_those_of_the_command() -> None:
    command_line = {
        o.removeprefix("--").replace("-", "_") for p in sessions.replay.params for o in p.opts if o[:2] == "--"
    }
    about_results = {"headless", "out", "page", "page_token", "speed", "threads"}
    assert {*ReplayOptions.__annotations__} == {*_FIELDS} == command_line - about_results
    with pytest.raises(TypeError, match="no option 'sound'"):
        replay("somewhere.xdf", sound="story.wav")


def test_a_mistake_is_told_before_the_first_step(tmp_path: Path) -> None:
    path = pair(tmp_path / "pair.xdf")
    for options, said in {
        "absent": ({"path": tmp_path / "none.xdf"}, "does not exist"),
        "seconds": ({"seconds": 0}, "seconds = 0: expected a whole number from 1"),
        "against": ({"against": "chance"}, "against = 'chance': expected 'auto'"),
        "headset": ({"eeg": ["nobody"]}, "name 'nobody'"),
        "rate": ({"rate": 50.0}, "needs more than 60 Hz"),
        "marker": ({"markers": "name=x"}, "^'markers' is where 'onset_marker' comes from"),
        "folder": ({"path": tmp_path}, "not a session's folder"),
    }.values():
        with pytest.raises(RtaffectError, match=said):
            replay(**{"path": path, "progress": quiet, **options})


def test_a_recording_shorter_than_a_step_is_told(tmp_path: Path) -> None:
    with pytest.raises(RtaffectError, match="shorter than one step"):
        list(replay(pair(tmp_path / "short.xdf", 0.9), progress=quiet))


class TestFigure:
    def test_it_draws_what_was_found(self, replayed: list[Feedback], tmp_path: Path) -> None:
        row = replayed[0].rows[1]
        figure = plot_feedback(iter(replayed), row)
        assert isinstance(figure, matplotlib.figure.Figure)
        mean, one = figure.axes
        assert mean.get_title(loc="left") == f"mean over {replayed[0].mean_of}"
        assert one.get_title(loc="left") == row
        assert one.get_xlabel() == "end of the window (s)"
        assert {axes.get_ylabel() for axes in figure.axes} == {"synchrony (r)"}
        lines = {line.get_label(): line for line in one.lines}
        np.testing.assert_array_equal(lines["predicted"].get_ydata(), [f.predicted[1] for f in replayed])
        np.testing.assert_array_equal(lines["observed"].get_ydata(), [f.observed[1] for f in replayed])
        assert np.isfinite(lines["observed"].get_ydata()).sum() == 18
        noise = [f.observed[1] for f in replayed if f.null_low[1] <= f.observed[1] <= f.null_high[1]]
        np.testing.assert_array_equal(lines["observed, inside the null band"].get_ydata(), noise)
        mean_lines = {line.get_label(): line for line in mean.lines}
        np.testing.assert_array_equal(mean_lines["predicted"].get_ydata(), [f.predicted_mean for f in replayed])
        legend = [text.get_text() for text in figure.legends[0].get_texts()]
        assert legend == [
            "null band", "interval of the prediction", "predicted", "observed", "observed, inside the null band"
        ]  # fmt: skip
        figure.savefig(tmp_path / "figure.png")
        assert (tmp_path / "figure.png").stat().st_size > 10_000

    def test_the_mean_alone(self, replayed: list[Feedback]) -> None:
        assert len(plot_feedback(replayed).axes) == 1

    def test_mistakes(self, replayed: list[Feedback], tmp_path: Path) -> None:
        with pytest.raises(RtaffectError, match="row 'nowhere' does not exist; expected one of"):
            plot_feedback(replayed, "nowhere")
        with pytest.raises(RtaffectError, match="there is no step to draw"):
            plot_feedback([])
        other = next(replay(pair(tmp_path / "pair.xdf"), progress=quiet))
        with pytest.raises(RtaffectError, match="different rows"):
            plot_feedback([*replayed, other])
