"""Own measures are chosen by name or file, and whatever they do, the session goes on without them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import SignalSettings
from rtaffect.measures import Measure, Values, Window
from rtaffect.measures.choice import ChosenMeasure, choose_measures
from rtaffect.measures.host import Failure, MeasureHost, NewSecond
from rtaffect.measures.measure import KINDS, Kind, MeasureValues
from tests.support.helpers import RATE

SIGNAL, CHANNELS, PEOPLE = SignalSettings(), ("Fz", "Pz"), ("A", "B", "C")
FILE = """
import numpy as np
from rtaffect.measures import Measure


class {name}(Measure):
    kind = {kind!r}

    def __call__(self, window):
        {body}
"""


def chosen_of(folder: Path, body: str, kind: str = "person", name: str = "Own") -> list[ChosenMeasure]:
    file = folder / f"{name.lower()}.py"
    file.write_text(FILE.format(name=name, kind=kind, body=body), encoding="utf-8")
    return choose_measures([f"{file}:{name}"], ["8-12"], SIGNAL, CHANNELS)


def second(value: float = 1.0, **said: np.ndarray) -> NewSecond:
    nobody = np.zeros(len(PEOPLE), bool)
    blank = {"missing": nobody, "withheld": nobody, "foreign": np.zeros((len(PEOPLE), 10), bool)}
    return NewSecond(np.full((len(PEOPLE), RATE, 2), value), **(blank | said))


def host_of(chosen: list[ChosenMeasure], wait_s: float = 30.0) -> MeasureHost:
    return MeasureHost(chosen, PEOPLE, CHANNELS, RATE, wait_s)


def steps_of(host: MeasureHost, count: int) -> list[tuple[MeasureValues, list[Failure]]]:
    return [(values[0], failures) for values, failures in (host.step(second(k)) for k in range(count))]


def test_a_persons_measure_gets_what_synchrony_is_computed_of(tmp_path: Path) -> None:
    host = host_of(chosen_of(tmp_path, "return window.samples[..., -window.rate :].mean(axis=-1)"))
    values, failures = host.step(second(3.0))
    assert not failures
    assert (values[0].name, values[0].rows, values[0].of) == ("Own", CHANNELS, PEOPLE)
    np.testing.assert_array_equal(values[0].each, np.full((3, 2), 3.0))
    np.testing.assert_array_equal(values[0].value, [3.0, 3.0])


def test_rows_of_pairs_and_of_the_group(tmp_path: Path) -> None:
    pairs = chosen_of(tmp_path, "return [[a, b] for a, b in window.pairs]", "pair")
    group = chosen_of(tmp_path, "return window.samples[..., -window.rate :].mean(axis=(0, 2))", "group", "All")
    values, failures = host_of([*pairs, *group]).step(second(2.0))
    assert not failures
    assert values[0].of == ("A / B", "A / C", "B / C")
    assert values[0].each.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert values[1].of == ("group",)
    np.testing.assert_array_equal(values[1].value, [2.0, 2.0])


def test_values_of_people_who_are_withheld_are_withheld(tmp_path: Path) -> None:
    gone = np.array([False, True, False])
    every = [
        *chosen_of(tmp_path, "return np.ones((3, 2))", "person", "P"),
        *chosen_of(tmp_path, "return np.ones((3, 2))", "pair", "Q"),
        *chosen_of(tmp_path, "return np.isnan(window.samples).all(axis=(1, 2))[:2]", "group", "G"),
    ]
    person, pair, group = host_of(every).step(second(withheld=gone))[0]
    assert np.isnan(person.each).all(axis=1).tolist() == [False, True, False]
    assert np.isnan(pair.each).all(axis=1).tolist() == [True, False, True]
    assert group.value.tolist() == [0.0, 1.0], "the group's measure does not get what may not be relied on"


def test_a_second_found_out_later_withholds_until_the_measures_window_is_past_it(tmp_path: Path) -> None:
    host = host_of(chosen_of(tmp_path, "return np.isnan(window.samples).mean(axis=2)"))
    for _ in range(12):
        host.step(second())
    foreign = np.zeros((3, 10), bool)
    foreign[1, 7] = True
    seen = [host.step(second(foreign=foreign))[0][0].each[1, 0]]
    seen += [host.step(second())[0][0].each[1, 0] for _ in range(9)]
    assert np.isnan(seen[:8]).all()
    assert seen[8:] == [0.0, 0.0]


@pytest.mark.parametrize(("body", "words"), [
    ("raise ValueError('no') if window.step > 2 else 1\n        return np.ones((3, 2))", "it raised ValueError: no"),
    ("return np.ones((3, 2 + (window.step > 2)))", "it gave values of shape (3, 3); expected (3, 2)"),
    ("return [['x'] * 2] * 3 if window.step > 2 else np.ones((3, 2))", "it gave <U1 where numbers were expected"),
    ("raise SystemExit if window.step > 2 else 1\n        return np.ones((3, 2))", "it ended without a value"),
])  # fmt: skip
def test_a_measure_that_fails_is_switched_off_and_told_once(tmp_path: Path, body: str, words: str) -> None:
    body = body.replace(" else 1\n", " else None\n") if "raise" not in body else _raising(body)
    found = steps_of(host_of(chosen_of(tmp_path, body)), 5)
    assert [bool(failures) for _, failures in found] == [False, False, True, True, True]
    assert {failures[0] for _, failures in found[2:]} == {Failure("Own", f"{words}: switched off", 3, True)}
    assert [bool(np.isfinite(values.value).all()) for values, _ in found] == [True, True, False, False, False]
    assert found[-1][0].trouble == f"{words}: switched off"


def _raising(body: str) -> str:
    """Return a body that raises from the third step on."""
    what, _, rest = body.partition(" if window.step > 2 else 1\n        ")
    return f"if window.step > 2: {what}\n        {rest}"


def test_what_is_infinite_is_absent_and_what_is_absent_stays_so(tmp_path: Path) -> None:
    values, failures = host_of(chosen_of(tmp_path, "return [[np.inf, 1], [np.nan, 2], [4, 3]]")).step(second())
    assert not failures
    np.testing.assert_array_equal(values[0].each, [[np.nan, 1], [np.nan, 2], [4, 3]])
    np.testing.assert_array_equal(values[0].value, [4.0, 2.0])
    assert values[0].trouble == "infinite values are left out"


@pytest.mark.parametrize("body", ["while window.step > 1: pass", "import time; time.sleep(60 * (window.step > 1))"])
def test_a_measure_that_does_not_come_back_holds_no_step(tmp_path: Path, body: str) -> None:
    host = host_of(chosen_of(tmp_path, f"{body}\n        return np.ones((3, 2))"), wait_s=0.05)
    host._wait_s = 30.0
    host.step(second())
    host._wait_s = 0.05
    late = host.step(second())[1]
    assert late == [Failure("Own", "it took too long for this step", 2, False)]
    begun = time.monotonic()
    off = host.step(second())[1]
    assert off == [Failure("Own", "it takes longer than from one step to the next: switched off", 3, True)]
    assert host.step(second())[1] == off
    assert time.monotonic() - begun < 20.0
    if "while" in body:
        # What goes on in Python is ended, so that it takes no time from what else runs.
        host._runners[0]._thread.join(20.0)
        assert not host._runners[0]._thread.is_alive()


def test_a_replay_withholds_what_was_withheld(tmp_path: Path) -> None:
    host = host_of(chosen_of(tmp_path, "return np.ones((3, 2))"))
    slow, off = Failure("Own", "it took too long for this step", 2, False), Failure("Own", "off", 4, True)
    told = [[], [slow], [], [off], []]
    found = [host.step(second(), each) for each in told]
    assert [bool(np.isfinite(values[0].value).all()) for values, _ in found] == [True, False, True, False, False]
    assert [failures for _, failures in found] == [[], [slow], [], [off], [off]]


def test_a_measure_cannot_change_what_others_get(tmp_path: Path) -> None:
    values, failures = host_of(chosen_of(tmp_path, "window.samples[:] = 0; return np.ones((3, 2))")).step(second())
    assert "read-only" in failures[0].words
    assert np.isnan(values[0].value).all()


def test_what_fails_at_once_does_not_begin(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="it raised ZeroDivisionError"):
        host_of(chosen_of(tmp_path, "return 1 / 0"))
    with pytest.raises(SettingsError, match=r"every two people, but there is 1"):
        MeasureHost(choose_measures(["plv"], ["8-12"], SIGNAL, CHANNELS), ["A"], CHANNELS, RATE)


def wrong(**attributes: object) -> type[Measure]:
    def nothing(_: object, window: Window) -> np.ndarray:
        return np.full((len(window.people), len(window.channels)), np.nan)

    return type("Wrong", (Measure,), {"__call__": nothing, **attributes})


@pytest.mark.parametrize(("attributes", "words"), [
    ({"kind": "trio"}, "has kind = 'trio'"),
    ({"window_s": 0}, "has window_s = 0"),
    ({"window_s": 1.5}, "has window_s = 1.5"),
    ({"low": 1.0, "high": 1.0}, "two numbers that rise"),
    ({"unit": 3}, "has unit = 3"),
    ({"rows": lambda self, channels: ["a", "a"]}, "names 2 rows"),
    ({"rows": lambda self, channels: 1 / 0}, "cannot name its rows (ZeroDivisionError"),
    ({"__init__": lambda self, x: None}, "cannot be made (TypeError"),
])  # fmt: skip
def test_what_a_measure_says_of_itself_is_checked(
    monkeypatch: pytest.MonkeyPatch, attributes: dict[str, object], words: str
) -> None:
    monkeypatch.setattr("rtaffect.measures.choice._found", lambda text: (wrong(**attributes), text, ""))
    with pytest.raises(SettingsError) as caught:
        choose_measures(["wrong"], ["8-12"], SIGNAL, CHANNELS)
    assert words in str(caught.value)


@pytest.mark.parametrize(("asked", "words"), [
    ("nothing", "--measure nothing is not there; expected ccorr, envcorr, imcoh, plv, or a class in a file"),
    ("absent.py:Own", "there is no file absent.py"),
    ("a\0b.py:Own", "is not there"),
    ("n" * 300 + ".py:Own", "is not there"),
    ("{folder}/own.py:Other", "has no Other"),
    ("{folder}/own.py:np", "no class that is a rtaffect.measures.Measure"),
    ("{folder}/broken.py:Own", "cannot be loaded (SyntaxError"),
])  # fmt: skip
def test_what_is_not_there_is_told(tmp_path: Path, asked: str, words: str) -> None:
    chosen_of(tmp_path, "return 1")
    (tmp_path / "broken.py").write_text("class Own(:", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        choose_measures([asked.format(folder=tmp_path)], ["8-12"], SIGNAL, CHANNELS)
    assert words in str(caught.value)


@pytest.mark.parametrize("band", ["alpha", "12-8", "0.5-4", "8-31", "8-8.5", "8"])
def test_a_band_that_the_eeg_does_not_have_is_refused(band: str) -> None:
    with pytest.raises(SettingsError, match="is no band of this EEG"):
        choose_measures(["plv"], [band], SIGNAL, CHANNELS)


def test_there_is_one_for_each_band_and_names_are_distinct(tmp_path: Path) -> None:
    found = choose_measures(["plv", "envcorr"], ["8-12", "4-8"], SIGNAL, CHANNELS)
    names = [each.name for each in found]
    assert names == ["plv 8-12 Hz", "plv 4-8 Hz", "envcorr 8-12 Hz", "envcorr 4-8 Hz"]
    other = tmp_path / "other"
    other.mkdir()
    chosen_of(tmp_path, "return 1")
    chosen_of(other, "return 1")
    with pytest.raises(SettingsError, match="two measures of the name Own"):
        choose_measures([f"{tmp_path}/own.py:Own", f"{other}/own.py:Own"], ["8-12"], SIGNAL, CHANNELS)


def test_an_installed_package_brings_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the entry point ``rtaffect.measures`` of its metadata."""
    (tmp_path / "lab_measures.py").write_text(
        FILE.format(name="Ratio", kind="person", body="return np.ones((3, 2))"), encoding="utf-8"
    )
    about = tmp_path / "lab_measures-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-measures\nVersion: 1.0\n", encoding="utf-8")
    (about / "entry_points.txt").write_text("[rtaffect.measures]\nratio = lab_measures:Ratio\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    values, failures = host_of(choose_measures(["ratio"], ["8-12"], SIGNAL, CHANNELS)).step(second())
    assert not failures
    assert values[0].name == "ratio"
    sys.modules.pop("lab_measures", None)


def test_a_null_band_comes_with_values() -> None:
    class Banded(Measure):
        kind: ClassVar[Kind] = KINDS[0]

        def __call__(self, window: Window) -> Values:
            return Values(np.ones((3, 2)), [0.0, 0.1], [0.5, 0.6])

    make: Callable[[str], object] = lambda text: (Banded, text, "")  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rtaffect.measures.choice._found", make)
        values, _ = host_of(choose_measures(["banded"], [], SIGNAL, CHANNELS)).step(second())
    assert values[0].null_low.tolist() == [0.0, 0.1]
    assert values[0].null_high.tolist() == [0.5, 0.6]
