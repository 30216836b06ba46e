"""A session in memory has the values and the trust of a replay of the same samples, however they come."""

from __future__ import annotations

import sys
import time
import types
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rtaffect import Session, plot_live, replay
from rtaffect.common.errors import RtaffectError
from rtaffect.engine.feedback import Feedback
from tests.support.helpers import quiet
from tests.support.xdf_writer import FakeStream, image

RATE, START = 128.0, 50.0
NAMES = ["Fz", "Cz", "Pz"]


def eeg(seconds: float = 40.0, people: int = 2) -> dict[str, np.ndarray]:
    """Return people with a common signal, uV, float32 as it is recorded; a second of one is missing."""
    rng, n = np.random.default_rng(0), round(RATE * seconds)
    shared = rng.standard_normal((n, 3))
    made = {f"cap {i}": (20 * (shared + rng.standard_normal((n, 3)))).astype(np.float32) for i in range(people)}
    made["cap 0"][round(20 * RATE) : round(21.5 * RATE), 1] = np.nan
    return made


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same samples as a program that records has them."""
    path = tmp_path_factory.mktemp("recording") / "pair.xdf"
    stamps = START + np.arange(round(RATE * 40)) / RATE
    streams = [
        FakeStream(samples, stamps, name=name, rate=RATE, labels=tuple(NAMES), source_id=name,
                   offsets=((START, 0.0), (START + 40, 0.0)))
        for name, samples in eeg().items()
    ]  # fmt: skip
    path.write_bytes(image(streams).data)
    return path


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import soundfile

    path = tmp_path_factory.mktemp("sound") / "noise.wav"
    soundfile.write(path, np.random.default_rng(1).uniform(-0.2, 0.2, (20 * 22050, 2)), 22050, subtype="FLOAT")
    return path


def session(source: object = None, **options: object) -> Session:
    given = {"unit": "uV", "start": START, "progress": quiet} | options
    return Session(eeg() if source is None else source, RATE, NAMES, **given)  # type: ignore[arg-type]


def differing(a: list[Feedback], b: list[Feedback]) -> list[int]:
    """Return the steps that are not the same bit for bit; how old samples are depends on how much is held."""
    assert len(a) == len(b)
    return [x.step for x, y in zip(a, b, strict=True) if not same(x, y)]


def same(a: Feedback, b: Feedback) -> bool:
    numbers = (
        "predicted", "predicted_low", "predicted_high", "observed", "observed_each", "null_low", "null_high",
        "predicted_mean", "observed_mean", "null_mean_low", "null_mean_high", "quality", "time", "lsl_time",
    )  # fmt: skip
    words = ("step", "rows", "people", "channels", "reason", "observed_against", "doubts", "mean_of")
    return (
        all(np.array_equal(getattr(a, name), getattr(b, name), equal_nan=True) for name in numbers)
        and np.array_equal(a.trusted, b.trusted)
        and all(getattr(a, name) == getattr(b, name) for name in words)
        and [(s.name, s.state, s.received, s.gaps) for s in a.sources if s.kind == "eeg"]
        == [(s.name, s.state, s.received, s.gaps) for s in b.sources if s.kind == "eeg"]
    )


@pytest.fixture(scope="module")
def expected(recording: Path) -> list[Feedback]:
    return list(replay(recording, progress=quiet))


def test_arrays_give_what_a_replay_of_them_gives(expected: list[Feedback]) -> None:
    found = list(session())
    assert len(found) == 39
    assert differing(found, expected) == []
    assert np.isfinite([f.observed_mean for f in found]).sum() > 15
    assert found[30].trusted.any()
    assert {tuple(f.quality[0] < 1) for f in found[21:30]} == {(False, True, False)}, "what is missing is told"


def chunked(samples: np.ndarray, sizes: list[int]) -> Iterator[np.ndarray]:
    at = 0
    while at < len(samples):
        size = sizes[at % len(sizes)]
        yield samples[at : at + size]
        at += size


@pytest.mark.parametrize("sizes", [[1, 7, 0, 300], [4000], [64]])
def test_chunks_of_any_length_give_the_same(expected: list[Feedback], sizes: list[int]) -> None:
    if 0 in sizes:
        sizes = [*sizes[:2], 1, sizes[3]]
    chunks = {name: chunked(samples, sizes) for name, samples in eeg().items()}
    assert differing(list(session(chunks)), expected) == []


def test_a_pace_changes_when_steps_come_and_nothing_else(expected: list[Feedback]) -> None:
    begun = time.monotonic()
    found = list(session(pace=20.0))
    assert time.monotonic() - begun > 0.9
    assert differing(found, expected) == []


def test_chunks_are_asked_for_when_a_step_needs_them() -> None:
    asked = {"cap 0": 0, "cap 1": 0}

    def ever(name: str) -> Iterator[np.ndarray]:
        rng = np.random.default_rng(int(name[-1]))
        while True:
            asked[name] += 1
            yield rng.standard_normal((128, 3)) * 10

    with session({name: ever(name) for name in asked}) as running:
        assert running.people == ("cap 0", "cap 1")
        assert running.rows == ("Fz", "Cz", "Pz")
        assert [next(running).step for _ in range(3)] == [1, 2, 3]
    assert set(asked.values()) <= {4, 5}
    assert list(running) == [], "it is closed"


@pytest.mark.timeout(200)
def test_a_known_sound_gives_what_a_replay_with_its_file_gives(recording: Path, sound: Path) -> None:
    import soundfile

    replayed = replay(recording, audio=sound, audio_start=3.4, bundle=None, seconds=15, progress=quiet)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = list(replayed)
    samples, rate = soundfile.read(sound, dtype="float32")
    for heard, rates in ((sound, {}), (samples, {"sound_rate": rate})):
        found = list(session(sound=heard, sound_start=3.4, seconds=15, **rates))
        assert differing(found, expected) == []
        assert found[-1].alignment == expected[-1].alignment
        assert found[-1].alignment is not None


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_demos_bundle_predicts_from_a_sound_and_from_its_chunks() -> None:
    from rtaffect.simulation.head import CHANNELS

    rng = np.random.default_rng(3)
    samples = rng.standard_normal((round(RATE * 16), len(CHANNELS))) * 12
    sound = rng.uniform(-0.1, 0.1, 16 * 16_000).astype(np.float32)

    def predicted(heard: object) -> list[float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = Session(samples, RATE, CHANNELS, unit="uV", sound=heard, bundle="demo", progress=quiet)  # type: ignore[arg-type]
            return [f.predicted_mean for f in made]

    whole, parts = predicted(sound), predicted(chunked(sound, [1600]))
    assert np.isfinite(whole).sum() >= 3
    np.testing.assert_allclose(whole, parts, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"eeg": np.zeros((3, 5000))}, r"eeg of 'person 1' has the shape \(3, 5000\); expected "
         r"\(samples, channels\) of 3 channels \(Fz, Cz, Pz\): transpose it"),
        ({"eeg": np.zeros((5000, 4))}, r"has the shape \(5000, 4\); expected \(samples, channels\) of 3"),
        ({"eeg": np.zeros(5000)}, r"has the shape \(5000,\)"),
        ({"eeg": np.full((5000, 3), np.nan)}, "has no finite value; leave that person out"),
        ({"eeg": np.full((5000, 3), "x")}, "has <U1 values; expected numbers"),
        ({"eeg": {}}, "eeg has no person"),
        ({"eeg": "recording.xdf"}, "str is no EEG and no sound"),
        ({"eeg": 5}, "int is no EEG"),
        ({"eeg": [[1.0, 2.0], [1.0]]}, "differ in length"),
        ({"rate": 0}, "rate 0 Hz"),
        ({"rate": float("nan")}, "rate is nan"),
        ({"rate": "250"}, "rate is '250'"),
        ({"rate": 50.0}, "60 Hz"),
        ({"channels": "Fz,Cz,Pz"}, "a list of names"),
        ({"channels": ["Fz", "Fz", "Pz"]}, "2 distinct names of 3"),
        ({"channels": None}, "channels is None; expected a list"),
        ({"channels": ["Fz", None, "Pz"]}, "the name of a channel is None"),
        ({"channels": ["Fz", "fz", "Pz"]}, "2 distinct names of 3"),
        ({"eeg": {1: np.ones((5000, 3)), "1": np.ones((5000, 3))}}, "the name of a person is 1; expected a text"),
        ({"eeg": {" ": np.ones((5000, 3))}}, "the name of a person is ' '"),
        ({"eeg": dict.fromkeys(("a", "b"), iter([np.ones((5000, 3))]))}, "chunks of 'b' are those of somebody else"),
        ({"unit": None}, "unit is None"),
        ({"rate": True}, "rate is True"),
        ({"pace": "1"}, "pace is '1'"),
        ({"pace": True}, "pace is True"),
        ({"start": None}, "start is None"),
        ({"start": 1e300}, "up to 1e.09 either way"),
        ({"sound": np.zeros((2, 240_000))}, "transpose it"),
        ({"sound": np.zeros(16_000), "sound_rate": "16000"}, "sound_rate is '16000'"),
        ({"sound": iter([np.zeros(16_000)]), "sound_rate": 0}, "rate is 0.0 Hz"),
        ({"sound": iter([np.zeros(16_000)]), "sound_rate": 1e12}, "the sound declares 1e.12 Hz"),
        ({"sound": iter([[[1.0, 2.0], [3.0]]])}, "a chunk of the sound has lines of different lengths"),
        ({"unit": "parsec"}, "EEG unit 'parsec' is not known"),
        ({"pace": 0.0}, "pace is 0.0"),
        ({"sound_start": float("inf")}, "sound_start is inf"),
        ({"sound": np.zeros(16_000, np.int16)}, "divide integers by their full scale"),
        ({"sound": np.full(16_000, np.nan)}, "NaN"),
        ({"sound": np.zeros(16_000), "sound_rate": -1.0}, "rate is -1.0 Hz"),
        ({"sound": np.zeros(16_000), "sound_start": -2.0}, "it ends before the EEG begins"),
        ({"sound": "none.wav"}, "no such file"),
        ({"sound": iter(())}, "has no chunk"),
        ({"seconds": 0}, "^Session: seconds = 0: expected a whole number from 1 to"),
        ({"measure_band": ["4-8"]}, "^measure_band 4-8 is for own measures, .*; give one with 'measure', or"),
        ({"library": "x"}, "^library x is for a bundle of affect, and there is none; give one with 'affect', or"),
        ({"rate": 0.0}, "under 'rate'"),
        ({"sound": np.zeros(16_000), "sound_start": 40.0}, "sound_start is 40 s, and the EEG lasts 40 s: the sound"),
        ({"against": "chance"}, "^Session: against = 'chance': expected 'auto', 'reference' or 'group'"),
        ({"bundle": "nowhere"}, "no bundle in"),
        ({"against": "reference"}, "there is no bundle"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_before_the_first_step(given: dict, said: str) -> None:
    options: dict = {"eeg": eeg(), "rate": RATE, "channels": NAMES, "unit": "uV", "progress": quiet} | given
    with pytest.raises(RtaffectError, match=said) as error:
        Session(**options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("chunk", "said"),
    [
        ([[1.0, 2.0], [3.0]], "lines of different lengths"),
        (np.zeros((128, 4)), r"has the shape \(128, 4\)"),
        (np.zeros(128), r"shape \(128,\)"),
        ("x", "expected numbers"),
    ],
)
def test_a_chunk_that_cannot_be_right_ends_it_with_the_reason(chunk: object, said: str) -> None:
    chunks = iter([np.zeros((640, 3)), chunk])
    running = session({"cap": chunks, "other": eeg()["cap 1"]})
    with pytest.raises(RtaffectError, match=said):
        list(running)


def test_eeg_that_is_too_short_or_has_no_value_is_told() -> None:
    with pytest.raises(RtaffectError, match="the EEG ends before its first step is whole: expected 1 s of samples"):
        list(session({"cap": eeg()["cap 1"][:100]}))
    nothing = iter([np.full((640, 3), np.nan)] * 4)
    with pytest.warns(UserWarning, match=r"eeg of 'cap' has had no finite value in its first 10 s") as told:
        assert len(list(session({"cap": nothing, "other": eeg()["cap 1"]}))) > 10
    assert len(told) == 1


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(TypeError, match=r"no option 'bundel'; expected one of bundle, featurizer"):
        session(bundel="demo")


class TestLivePlot:
    @pytest.fixture
    def shown(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
        """What IPython is asked to show."""
        found: list[tuple[str, object]] = []

        class Place:
            def update(self, figure: object) -> None:
                found.append(("update", figure))

        def display(figure: object, *, display_id: bool) -> Place:
            assert display_id
            found.append(("display", figure))
            return Place()

        module = types.ModuleType("IPython.display")
        module.display = display  # type: ignore[attr-defined]
        package = types.ModuleType("IPython")
        package.version_info = (9, 0)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "IPython", package)
        monkeypatch.setitem(sys.modules, "IPython.display", module)
        return found

    def test_one_figure_goes_on_in_its_place(self, shown: list, expected: list[Feedback]) -> None:
        steps = plot_live(session(seconds=25), "Cz", every_s=0.0, last_s=10.0)
        assert differing(steps, expected[:25]) == []
        assert [what for what, _ in shown] == ["display", *["update"] * 25]
        last = shown[-1][1]
        mean, row = last.axes  # type: ignore[attr-defined]
        assert row.get_title(loc="left") == "Cz"
        np.testing.assert_array_equal(mean.lines[1].get_xdata(), np.arange(16.0, 26.0))

    def test_it_is_drawn_no_more_often_than_asked_for(self, shown: list) -> None:
        plot_live(session(seconds=20), every_s=3600.0)
        assert [what for what, _ in shown] == ["display", "update"], "the first step, and the last"

    def test_an_interrupt_gives_what_there_was(self, shown: list) -> None:
        def interrupted() -> Iterator[Feedback]:
            yield from session(seconds=12)
            raise KeyboardInterrupt

        assert len(plot_live(interrupted())) == 12

    def test_without_ipython_it_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "IPython.display", None)
        with pytest.raises(RtaffectError, match="needs IPython"):
            plot_live(iter(()))

    def test_no_step_is_told(self, shown: list) -> None:
        with pytest.raises(RtaffectError, match="no step to draw"):
            plot_live(iter(()))
