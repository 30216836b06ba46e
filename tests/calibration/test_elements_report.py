"""The report's section of elements says what was found of them, and claims no more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import calibration.elements
from calibration.elements import ElementsFound, leave_out
from calibration.outcome import Outcome
from calibration.pages import decimal, p_of
from calibration.report.page import report_numbers
from calibration.sweep import Question
from rtaffect.common.arrays import Float32Array
from rtaffect.observed.spaces import ChannelSpace, RegionSpace, Space
from rtaffect.predicted.separator import Elements
from rtaffect.stream.audio import StudySound
from tests.calibration.test_report import CHANNELS, SETTINGS, outcome_of, study_of, written
from tests.support.head_models import needs_head, small_operator
from tests.support.helpers import quiet

LENGTHS = (100, 90, 110, 95, 105, 120)
SHARES = (0.2, 0.8, 0.4, 0.7, 0.5, 0.9)


def found_of(
    space: Space, monkeypatch: pytest.MonkeyPatch, absent: Sequence[int] = (), lengths: Sequence[int] = LENGTHS
) -> Outcome:
    """A calibration whose voice has the features that synchrony follows, and whose background has noise."""
    outcome = outcome_of(space, lengths, sets=("layer-1",), draws=39)
    features, _ = study_of(space, lengths)
    rng = np.random.default_rng(5)
    noise = [rng.standard_normal(course.shape) for course in features["layer-1"]]
    places = {sound.name: number for number, sound in enumerate(outcome.measured.sounds)}

    def parts_of(sound: StudySound) -> Elements:
        number = places[sound.name]
        size = len(sound.samples)
        voice = np.full(size, 0 if number in absent else SHARES[number] ** 0.5, np.float32)
        background = np.full(size, -((1 - SHARES[number]) ** 0.5), np.float32)
        # A number says which sound it is of; it changes nothing of the level.
        voice[-1], background[-1] = number, number
        return Elements(voice + background, voice if number not in absent else 0 * voice, background)

    class Store:
        """Features by the number in the last sample, of voice if the first one is not negative."""

        def layers(self, part: Float32Array, _: object) -> dict[str, np.ndarray]:
            number = int(part[-1])
            return {"layer-1": features["layer-1"][number] if part[0] >= 0 else noise[number]}

    monkeypatch.setattr(calibration.elements, "FeatureStore", Store)
    measured = outcome.measured
    question = Question(measured.targets, measured.people, space.layout.counted, kinds=space.row_kinds)
    elements = leave_out(
        outcome.sweep.of("layer-1"), measured.sounds, parts_of, SimpleNamespace(), ("made up", "0" * 64), question,
        SETTINGS, quiet, draws=39,
    )  # type: ignore[arg-type] # fmt: skip
    return replace(outcome, elements=elements)


_kept: dict[str, Outcome] = {}


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Of channels, once for all tests."""
    if not _kept:
        _kept["channels"] = found_of(ChannelSpace(CHANNELS), monkeypatch)
    return _kept["channels"]


def elements_in(outcome: Outcome) -> ElementsFound:
    assert outcome.elements is not None
    return outcome.elements


def test_the_page_says_what_was_found_of_elements(usual: Outcome, tmp_path: Path) -> None:
    page, found = written(usual, tmp_path), elements_in(usual)
    for name in ("voice", "background"):
        score = found.results[name].score
        assert page.row(name, cells=6)[1:3] == [decimal(score.r[-1]), decimal(found.results[name].chance[-1])]
    assert found.contrasts is not None
    for i, channel in enumerate(CHANNELS):
        row = page.row(channel, "channel", decimal(usual.sweep.of("layer-1").score.r[i]), cells=10)
        assert row[3] == decimal(found.results["voice"].score.r[i])
        assert row[7:9] == [decimal(found.contrasts.difference[0, i]), p_of(found.contrasts.family[0, i])]
    assert [u.name for u in found.unique] == ["voice", "background"]
    for unique in found.unique:
        row = next(r for r in page.rows if r[0] == unique.name and len(r) == 10)
        assert row[2:5] == [decimal(unique.r.value[-1]), decimal(unique.r.chance[-1]), p_of(unique.r.p_mean)]
    assert found.joined is not None
    for name, joined in found.joined.items():
        row = page.row(name, cells=9)
        assert row[1] == decimal(joined.result.score.r[-1])
        assert row[5:7] == [decimal(part) for part in joined.portion[:, -1]]
    for sound, share, bias in zip(usual.measured.sounds, found.share, found.bias, strict=True):
        row = next(r for r in page.rows if r[0] == sound.name and len(r) == 6)
        assert (row[1], row[5]) == (decimal(share), decimal(bias))
    text = page.text.replace("\N{NO-BREAK SPACE}", " ")
    assert f"{decimal(found.rank_r)}, one-sided" in text
    assert {"elements.png", "energy.png"} <= {path.name for path in (tmp_path / "report").iterdir()}
    assert "element-maps.png" not in {path.name for path in (tmp_path / "report").iterdir()}


def test_an_element_wins_a_row_where_it_is_surely_better_and_above_chance(usual: Outcome) -> None:
    found = elements_in(usual)
    assert found.contrasts is not None
    family = np.full_like(found.contrasts.family, 0.06)
    family[0, [0, 3]] = 0.01
    outcome = replace(usual, elements=replace(found, contrasts=replace(found.contrasts, family=family)))
    numbers = json.loads(json.dumps(asdict(report_numbers(outcome)), allow_nan=False))["ablation"]
    wins = {row["name"]: row["wins"] for row in numbers["rows"]}
    assert numbers["rows"][0]["voice"]["p_family"] < 0.05 < numbers["rows"][3]["voice"]["p_family"]
    assert wins == {"Fz": "voice", "Cz": "", "Pz": "", "Oz": ""}, "Oz differs, but is not above chance"
    told = report_numbers(outcome).ablation
    assert told is not None
    assert told.won("channel") == "1 voice, 0 background, of 4"


def test_voice_alone_is_found_beyond_the_background_and_in_one_model(usual: Outcome) -> None:
    found = elements_in(usual)
    voice, background = found.unique
    assert voice.r.p_mean <= 0.05 < background.r.p_mean
    assert voice.gain.value[-1] > 0.1 > background.gain.value[-1]
    assert found.joined is not None
    banded = found.joined["banded"]
    assert banded.share[0] > 0.6 > 0.4 > banded.share[1]
    assert banded.portion[0, -1] > 5 * abs(banded.portion[1, -1])
    np.testing.assert_allclose(banded.portion.sum(axis=0), banded.result.score.r, atol=1e-9)


def test_a_stimulus_without_a_voice_is_left_out_of_it_and_of_what_needs_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = found_of(ChannelSpace(CHANNELS), monkeypatch, absent=(1,))
    assert "Over 5 stimuli: Spearman's" in written(one, tmp_path).text.replace("\N{NO-BREAK SPACE}", " ")
    outcome = found_of(ChannelSpace(CHANNELS), monkeypatch, absent=(1, 4))
    found = elements_in(outcome)
    assert found.notes == ("sound 2: no voice is heard in it", "sound 5: no voice is heard in it")
    assert np.isnan(found.each[1, [1, 4]]).all()
    assert np.isfinite(found.each[[0, 2]]).all()
    assert found.results["voice"].score.stimuli[-1] == 4
    assert found.results["background"].score.stimuli[-1] == 6
    assert found.comparison is not None
    assert found.comparison.units == 4
    page = written(outcome, tmp_path)
    assert "sound 2: no voice is heard in it" in page.text
    row = next(r for r in page.rows if r[0] == "sound 2" and len(r) == 6)
    assert row[3] == row[5] == "\N{EN DASH}"
    assert np.isnan(found.rank_r)
    assert "needs five that have both" in page.text


def test_a_study_without_any_voice_says_so_and_has_no_numbers_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outcome = found_of(ChannelSpace(CHANNELS), monkeypatch, absent=range(6))
    found = elements_in(outcome)
    assert set(found.results) == {"background"}
    assert found.notes[-1] == "nothing is told of the voice: no stimulus has it"
    assert (found.comparison, found.contrasts, found.joined, found.unique) == (None, None, None, ())
    page = written(outcome, tmp_path)
    assert page.row("voice")[1] == "no value: too few stimuli have it"
    assert "is not known: no stimulus has both" in page.text
    assert "Elements are not compared" in page.text


@needs_head
def test_regions_are_on_maps_of_voice_background_and_of_which_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outcome = found_of(RegionSpace(small_operator()), monkeypatch)
    page = written(outcome, tmp_path)
    assert (tmp_path / "report" / "element-maps.png").exists()
    image = next(i for i in page.images if "from voice and background on the cortex" in (i["alt"] or ""))
    numbers = report_numbers(outcome).ablation
    assert numbers is not None
    voice = sum(row.wins == "voice" for row in numbers.rows if row.kind == "region")
    assert f"the voice tells more of {voice} and the background of 0" in (image["alt"] or "")
    assert {row.kind for row in numbers.rows} == {"region", "zone", "group"}
