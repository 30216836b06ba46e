"""The report says what the outcome says, of every kind of study, and needs nothing outside itself."""

from __future__ import annotations

import base64
import functools
import io
import json
import re
import struct
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.signal import lfilter

from calibration.calibrate import UNTOLD
from calibration.ceiling import NoiseCeiling
from calibration.group_synchrony import GroupSynchrony
from calibration.measured import Measured
from calibration.outcome import Outcome
from calibration.pages import NONE, decimal, p_of
from calibration.report.figures import comparison_figure, format_axis
from calibration.report.maps import opacity_of
from calibration.report.page import report_numbers, write_report
from calibration.report.sentences import measures_of_result, result_sentence
from calibration.sweep import Question, SetResult, Sweep, sweep
from rtaffect.common.errors import ArtifactError, SettingsError
from rtaffect.common.settings import PredictionSettings, Settings
from rtaffect.engine.bundle import Bundle, FeaturizerIdentity, Manifest, Scores, Stimulus
from rtaffect.observed.operator import LEAST_SPECIFICITY
from rtaffect.observed.spaces import ChannelSpace, RatingSpace, RegionSpace, Space
from rtaffect.stream.audio import StudySound
from tests.calibration.test_ridge import wander
from tests.support.head_models import needs_head, operator, small_operator
from tests.support.helpers import quiet

SETTINGS = Settings(prediction=PredictionSettings(n_components=3, lags_s=(0, 1, 2)))
CHANNELS = ("Fz", "Cz", "Pz", "Oz")
#: Sounds of which one alone can be cut into inner folds.
TWO = (140, 150)
NAMES = ("lld", "layer-0", "layer-1", "layer-2", "final")


NOISE = (6.0, 2.0, 1.0, 0.3, 1.5)


def study_of(space: Space, lengths: Sequence[int], people: int = 6, seed: int = 0) -> tuple[dict, Measured]:
    """Features of five sets, the middle layer the best, and listeners whose rows follow them."""
    rng = np.random.default_rng(seed)
    rows, mixing = len(space.rows), rng.standard_normal((3, 8))
    gain = np.linspace(1.2, 0.1, rows)
    features: dict[str, list[np.ndarray]] = {name: [] for name in NAMES}
    time_courses, sounds = [], []
    for number, steps in enumerate(lengths):
        source = wander(rng, steps, 3, keep=0.9)
        for name, noise in zip(NAMES, NOISE, strict=True):
            features[name].append(source @ mixing + noise * rng.standard_normal((steps, 8)))
        kernel = np.ones(10) / np.sqrt(10)
        own = lfilter(kernel, 1, rng.standard_normal((people, steps + 10, rows)), axis=1)[:, 10:]
        course = 0.08 + 0.05 * source[:, :1] * gain + 0.12 * own
        course[:, :9] = np.nan
        time_courses.append(course)
        sounds.append(StudySound(f"sound {number + 1}", np.zeros(16_000 * steps, np.float32), fit=True))
    none = tuple(np.zeros((1, 1), np.float32) for _ in lengths)
    group = group_of(space, len(lengths))
    return features, Measured(space, tuple(sounds), tuple(time_courses), (), none, group=group)


def outcome_of(
    space: Space,
    lengths: Sequence[int] = (100, 90, 110, 95, 105, 120),
    *,
    sets: Sequence[str] = NAMES,
    chosen: str = "",
    covariates: bool = False,
    people: int = 6,
    draws: int = 39,
) -> Outcome:
    """A calibration of made-up features and listeners, by the real sweep."""
    features, measured = study_of(space, lengths, people)
    rng = np.random.default_rng(1)
    given = [wander(rng, steps, 2) for steps in lengths] if covariates else None
    question = Question(measured.targets, measured.people, space.layout.counted, given, space.row_kinds)
    found = sweep({name: features[name] for name in sets}, question, SETTINGS, quiet, draws=draws)
    chosen = chosen or found.best
    return Outcome(
        bundle=bundle_of(space, measured, found, chosen),
        measured=measured,
        sweep=found,
        chosen=chosen,
        chosen_by="inner folds",
        ceiling=ceiling_of(space),
        covariates=("brightness", "motion") if covariates else (),
        notes=("listener 3 was left out: no EEG in sound 2",),
        seconds={"features": 12.34, "sweep": 5.0},
    )


def ceiling_of(space: Space, p: float = 0.01) -> NoiseCeiling:
    """A noise ceiling that is told from none where p is small."""
    rows = len(space.rows)
    low, high, same = np.linspace(0.6, 0.3, rows + 1), np.linspace(0.8, 0.6, rows + 1), np.full(rows + 1, p)
    return NoiseCeiling(low, high, low - 0.1, high + 0.1, same, same, space.layout.counted)


def group_of(space: Space, sounds: int, r: float = 0.05, p: float = 0.001) -> GroupSynchrony:
    """Inter-subject correlation of every row, the first row the strongest."""
    z = r * np.append(np.linspace(1.2, 0.8, len(space.rows)), 1.0)
    each = z + 0.004 * np.random.default_rng(2).standard_normal((sounds, len(z)))
    same = np.full(len(z), p)
    chance = np.full(len(z), 0.002)
    return GroupSynchrony(z, z - 0.003, z + 0.003, each, chance, same, same, 10, 720.0, 999, space.layout.counted)


def bundle_of(space: Space, measured: Measured, found: Sweep, chosen: str) -> Bundle:
    fit = found.of(chosen).fit
    stimuli = tuple(
        Stimulus(name=s.name, sha256=f"{i:064d}", seconds=s.seconds, people=len(measured.people[0]), fitted=True)
        for i, s in enumerate(measured.sounds)
    )
    manifest = Manifest(
        name="test bundle",
        created="2025-01-01T00:00:00+00:00",
        rtaffect="0.1.0",
        space=space.kind,
        channels=space.channels,
        rows=space.rows,
        settings=SETTINGS,
        featurizer=FeaturizerIdentity(identity="bands/test", sha256="b" * 64, size=8),
        stimuli=stimuli,
        lags_s=fit.weights.lags_s,
        scores=Scores(r=(0.0,) * len(space.rows), r_mean=0.0, folds=fit.folds, steps=1, alpha=tuple(fit.alpha)),
        synthetic=True,
        provenance={"study": "made up"},
    )
    return Bundle(manifest, fit.weights, measured.references, space)


class Page(HTMLParser):
    """Checks that elements close in order, and keeps what a reader sees and what a browser would fetch."""

    VOID = ("meta", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        if tag == "img":
            self.images.append(dict(attrs))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def row(self, *start: str, cells: int = 0) -> list[str]:
        """The first row of a table (of so many cells) that starts with these."""
        return next(row for row in self.rows if row[: len(start)] == list(start) and cells in {0, len(row)})


@functools.cache
def usual() -> Outcome:
    return outcome_of(ChannelSpace(CHANNELS), covariates=True)


@functools.cache
def smallest() -> Outcome:
    return outcome_of(ChannelSpace(CHANNELS), TWO, sets=("layer-1",))


@functools.cache
def of_regions() -> Outcome:
    return outcome_of(RegionSpace(small_operator()), TWO, sets=("lld", "layer-1"))


def written(outcome: Outcome, folder: Path) -> Page:
    write_report(outcome, folder / "report.html")
    return page_in(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the usual report was written."""
    found = tmp_path_factory.mktemp("usual")
    write_report(usual(), found / "report.html")
    return found


def page_in(folder: Path) -> Page:
    return Page((folder / "report.html").read_text(encoding="utf-8"))


SECTIONS = (
    "1. Is the group synchronised?",
    "1. Is the group synchronised?",
    "2. The study at a glance",
    "3. Feature sets",
    "4. Covariates and elements",
    "5. Rows",
    "6. Predicted against observed",
    "7. Choices",
    "8. What was left out",
    "9. Settings, versions and hashes",
)


def test_the_page_has_everything_inside(folder):
    page = page_in(folder)
    for title in SECTIONS:
        assert title in page.text
    assert all(link.startswith(("#section-", "data:image/png;base64,")) for link in page.links)
    names = ("group", "scores", "comparison", "covariates", "rows", "courses-1", "penalties")
    assert sorted(p.name for p in (folder / "report").iterdir()) == sorted(f"{name}.png" for name in names)
    assert sorted(p.name for p in folder.iterdir()) == ["report", "report.html"]
    for name, image in zip(names, page.images, strict=True):
        data = base64.b64decode((image["src"] or "").partition(",")[2])
        assert data == (folder / "report" / f"{name}.png").read_bytes()
        assert image["alt"]
        assert struct.unpack(">I", data[16:20])[0] == 2 * int(image["width"] or 0), "twice the resolution"
        assert int(image["width"] or 0) <= 900, "no wider than the page"


def test_the_page_says_what_the_outcome_says(folder):
    outcome = usual()
    page, result = page_in(folder), outcome.sweep.of(outcome.chosen)
    for found in (*outcome.sweep.sets, outcome.sweep.auto):
        assert found is not None
        expected = [decimal(x) for x in (found.score.r[-1], found.chance[-1], found.chance_phase[-1])]
        assert page.row(found.name)[1:4] == expected
        assert page.row(found.name)[5] == p_of(found.p_mean)
    for found in outcome.sweep.controlled:
        row = next(r for r in page.rows if r[0] == found.name and len(r) == 7)
        assert row[3:5] == [decimal(found.score.r[-1]), p_of(found.p_mean)]
    for i, channel in enumerate(CHANNELS):
        row = page.row(channel, "channel", cells=10)
        assert row[2] == decimal(result.score.r[i])
        assert row[5:7] == [p_of(result.p_counted.single[i]), p_of(result.p_counted.family[i])]
    for i, sound in enumerate(outcome.measured.sounds):
        assert page.row(sound.name, "fitted on")[2:] == [f"{sound.seconds} s", "6", decimal(result.score.each[i, -1])]
        assert page.row(sound.name)[1]
    for words in (
        "Synthetic data", "made up", "bands/test", "layer-2, chosen by inner folds", "brightness, motion", "b" * 64,
        "listener 3 was left out: no EEG in sound 2", "12.3 s", "2025-01-01T00:00:00+00:00", "neighbouring seconds",
        "of which 6 fitted on, 620 s in all", "between .30 and .60",
    ):  # fmt: skip
        assert words in page.text.replace("\N{NO-BREAK SPACE}", " ")
    assert page.row("voice")[1] == page.row("background")[1] == "not computed: calibrate --separator NAME does"
    assert page.row("numpy")[1] == np.__version__


def test_the_settings_on_the_page_are_the_settings(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    block = unescape(text.partition("<pre>")[2].partition("</pre>")[0])
    assert Settings.model_validate(tomllib.loads(block)) == SETTINGS
    assert "n_components = 3  # default: 12" in block
    assert "rate_hz = 100\n" in block


def test_the_numbers_are_the_outcomes():
    outcome = usual()
    numbers = json.loads(json.dumps(asdict(report_numbers(outcome)), allow_nan=False))
    auto, result = outcome.sweep.auto, outcome.sweep.of(outcome.chosen)
    assert auto is not None
    assert numbers["result"]["name"] == "auto"
    assert numbers["result"]["r"] == auto.score.r[-1] == numbers["auto"]["r"]
    assert (numbers["result"]["ceiling_low"], numbers["result"]["ceiling_high"]) == (0.3, 0.6)
    assert [s["r"] for s in numbers["sets"]] == [s.score.r[-1] for s in outcome.sweep.sets]
    assert [s["p"] for s in numbers["controlled"]] == [s.p_mean for s in outcome.sweep.controlled]
    assert [row["name"] for row in numbers["rows"]] == list(CHANNELS)
    for key, values in (("r", result.score.r), ("chance", result.chance), ("alpha", result.fit.alpha)):
        assert [row[key] for row in numbers["rows"]] == values[:4].tolist()
    assert [row["p_family"] for row in numbers["rows"]] == result.p_counted.family.tolist()
    assert [row["p_family_bound"] for row in numbers["rows"]] == result.p.family.tolist()
    assert [s["r"] for s in numbers["stimuli"]] == result.score.each[:, -1].tolist()
    assert outcome.sweep.comparison is not None
    assert [pair["p_family"] for pair in numbers["comparison"]["pairs"]] == outcome.sweep.comparison.family.tolist()
    assert numbers["elements"] == {"mix": numbers["sets"][3], "voice": None, "background": None}
    assert numbers["settings"] == SETTINGS.model_dump(mode="json")
    assert len(numbers["choices"]["layer_of_fold"]) == numbers["choices"]["folds"] == 6


def test_the_papers_control_is_called_that_and_beside_it_stands_what_is_the_sounds_own(folder):
    outcome, page = usual(), page_in(folder)
    text = page.text.replace("\N{NO-BREAK SPACE}", " ")
    assert "The paper's control, covariates zeroed" in text
    assert "this r is not of the sound alone" in text
    assert "credited" not in text
    assert [u.name for u in outcome.sweep.unique] == list(NAMES)
    for found in outcome.sweep.unique:
        row = next(r for r in page.rows if r[0] == found.name and len(r) == 10)
        told = found.r
        assert row[1:4] == [decimal(told.value[-1]), decimal(told.chance[-1]), p_of(told.p_mean)]
        assert row[5:8] == [decimal(found.alone[-1]), decimal(found.joint[-1]), decimal(found.gain.value[-1], 3)]
        assert row[9] == p_of(found.gain.p_mean)
    assert re.search(
        r"layer-2 tells of it beyond what the covariates tell \(unique r = \.\d\d, p = \.025; r rises", text
    )


def test_what_is_beyond_covariates_is_not_claimed_without_a_p(tmp_path):
    found = usual()
    own = next(u for u in found.sweep.unique if u.name == "layer-2")
    weak = replace(own, r=replace(own.r, p_mean=0.2))
    page = written(replace(found, sweep=replace(found.sweep, unique=(weak,))), tmp_path)
    assert "beyond what the covariates tell is not shown" in page.text
    none = replace(found, sweep=replace(found.sweep, unique=(), no_unique="90 columns of covariates are too many"))
    page = written(none, tmp_path)
    assert "is not known: 90 columns of covariates are too many" in page.text
    assert report_numbers(none).unique == ()


def test_the_middle_layer_is_held_against_the_last_and_the_descriptors(folder):
    outcome, page = usual(), page_in(folder)
    found = outcome.sweep.contrasts
    assert found is not None
    for number, (a, b) in enumerate(found.pairs):
        expected = [decimal(found.difference[number, -1]), p_of(found.single[number, -1])]
        assert page.row(a, b)[2:4] == expected
        assert page.row(a, b)[5].endswith("of 4")
    first = found.pairs.index(("middle", "final"))
    last = found.pairs.index(("middle", "lld"))
    row = next(r for r in page.rows if r[:2] == ["Cz", "channel"] and len(r) == 6)
    assert row[2:] == [
        text for k in (first, last) for text in (decimal(found.difference[k, 1]), p_of(found.family[k, 1]))
    ]
    assert "by the largest statistic of all tests of a family" in page.text
    for name in ("the last layer", "the acoustic descriptors"):
        assert f"The middle layer's predictions and those of {name}" in page.text


def test_a_quick_calibration_says_what_it_cannot_answer(tmp_path):
    sweep_of = replace(usual().sweep, comparison=None, contrasts=None)
    page = written(replace(usual(), sweep=sweep_of, untold=UNTOLD), tmp_path)
    assert "A quick calibration cannot answer everything" in page.text
    assert f"Not told: {UNTOLD[0]}." in page.text
    assert "Not compared" not in page.text
    assert not (tmp_path / "report" / "comparison.png").exists()


def test_sets_that_cannot_be_told_apart_are_coloured_faintly() -> None:
    """Colours reach as far as the largest difference, which is large by chance, too."""
    outcome, strongest = usual(), []
    found = outcome.sweep.comparison
    assert found is not None
    for p in (0.01, 0.9):
        comparison = replace(found, family=np.full(len(found.family), p))
        picture = comparison_figure(replace(outcome, sweep=replace(outcome.sweep, comparison=comparison)))
        assert picture is not None
        pixels = imread(io.BytesIO(picture.png))[..., :3]
        cells = pixels[:, : pixels.shape[1] * 6 // 10]  # the bar of colours lies beside them
        strongest.append(float(np.quantile(cells.max(axis=-1) - cells.min(axis=-1), 0.98)))
    assert strongest[0] > 0.4
    assert strongest[1] < strongest[0] / 2


def test_the_first_section_says_whether_the_group_is_synchronised(folder):
    text = page_in(folder).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "1. Is the group synchronised?" in text
    verdict = (
        "This group is synchronised (inter-subject correlation, mean over 4 channels: .050, 95 % interval .047 to .053"
    )
    assert verdict in text
    assert "; 95 % of chance stay below .002, p = .001; 4 of 4 rows exceed chance, family-wise)" in text
    assert (folder / "report" / "group.png").exists()
    numbers = report_numbers(usual()).group
    assert numbers is not None
    assert numbers.synchronised
    assert numbers.sounds == tuple(sound.name for sound in usual().measured.sounds)
    assert [row.r for row in numbers.rows] == pytest.approx(0.05 * np.linspace(1.2, 0.8, 4))


def test_a_group_of_noise_is_not_synchronised_and_its_ceiling_does_not_reassure(tmp_path):
    outcome = usual()
    space = outcome.bundle.space
    measured = replace(outcome.measured, group=group_of(space, 6, r=0.0004, p=0.31))
    outcome = replace(outcome, measured=measured, ceiling=ceiling_of(space, p=0.4))
    text = written(outcome, tmp_path).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "This group is not synchronised: neither the mean over its rows nor any of 4 rows exceeds chance" in text
    assert "smallest family-wise p = .310" in text
    assert "The noise ceiling is not distinguishable from none: courses of two halves" in text
    assert "A perfect prediction would" not in text
    numbers = report_numbers(outcome)
    assert numbers.group is not None
    assert not numbers.group.synchronised
    assert (numbers.result.ceiling_low, numbers.result.ceiling_high) == (None, None)
    assert numbers.result.ceiling.high == 0.6
    assert not numbers.result.ceiling.told
    assert {row.ceiling_high for row in numbers.rows} == {None}


def test_some_rows_of_a_group_may_be_synchronised(tmp_path):
    outcome = usual()
    found = group_of(outcome.bundle.space, 6)
    found = replace(found, p_family=np.array([0.01, 0.2, 0.3, 0.4, 0.2]))
    numbers = report_numbers(replace(outcome, measured=replace(outcome.measured, group=found))).group
    assert numbers is not None
    assert numbers.synchronised
    assert numbers.verdict.startswith("This group is synchronised in some rows: Fz (1 of 4 rows exceeds chance")
    assert "not in their mean" in numbers.verdict


def test_the_layer_of_each_fold_is_that_which_auto_took():
    outcome = usual()
    auto = outcome.sweep.auto
    assert auto is not None
    for layer, test in zip(report_numbers(outcome).choices.layer_of_fold, auto.fit.tested, strict=True):
        np.testing.assert_array_equal(auto.fit.held_out[test], outcome.sweep.of(layer).fit.held_out[test])


def test_a_layer_of_the_users_is_told_before_auto():
    outcome = replace(usual(), chosen="layer-0", chosen_by="the user")
    numbers = report_numbers(outcome)
    assert numbers.result.r == outcome.sweep.of("layer-0").score.r[-1]
    assert "r would be" in " ".join(measures_of_result(numbers))


def with_p(outcome: Outcome, p: float) -> Outcome:
    auto = outcome.sweep.auto
    assert auto is not None
    return replace(outcome, sweep=replace(outcome.sweep, auto=replace(auto, p_mean=p)))


def test_no_more_is_claimed_than_p_allows():
    sentence = {p: result_sentence(report_numbers(with_p(usual(), p))) for p in (0.0002, 0.049, 0.05, 0.4)}
    assert "above chance (p < .001;" in sentence[0.0002]
    assert "above chance (p = .049;" in sentence[0.049]
    for p in (0.05, 0.4):
        assert "not distinguishable from chance (p = " in sentence[p]
        assert "above" not in sentence[p]


def test_names_are_escaped_and_cannot_break_figures(tmp_path):
    odd = ChannelSpace(("F<z>", "C&z", "$P_z^$", "O\N{LATIN SMALL LETTER O WITH DIAERESIS}z"))
    outcome = outcome_of(odd, TWO, sets=("layer-0",))
    evil = "</title><script>alert('x')</script> $\\frac{ \N{CJK UNIFIED IDEOGRAPH-58F0}" + "long " * 20
    manifest = outcome.bundle.manifest
    stimuli = [manifest.stimuli[0].model_copy(update={"name": evil}), manifest.stimuli[1]]
    about = manifest.model_copy(update={"name": "<i>", "stimuli": tuple(stimuli), "provenance": {"study": f'"{evil}'}})
    first, *rest = outcome.measured.sounds
    outcome = replace(
        outcome,
        bundle=replace(outcome.bundle, manifest=about),
        measured=replace(outcome.measured, sounds=(replace(first, name=evil), *rest)),
        notes=(evil,),
        covariates=("<u>",),
        seconds={"<s>": 1.0},
    )
    page = written(outcome, tmp_path)
    source = (tmp_path / "report.html").read_text(encoding="utf-8")
    for tag in ("<script", "<i>", "<u>", "<s>", "<z>"):
        assert tag not in source
    assert evil in "".join(page.words)
    assert page.row("F<z>", "channel")


def without_row(outcome: Outcome, row: int | slice) -> Outcome:
    """What the sweep gives where a row, or the mean too, has nothing to be judged by."""

    def gap(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[..., row] = np.nan
        return values

    def blank(result: SetResult) -> SetResult:
        score, whole = result.score, isinstance(row, slice)
        return replace(
            result,
            score=replace(score, **{k: gap(getattr(score, k)) for k in ("r", "pooled", "r2", "each")}),
            chance=gap(result.chance),
            chance_phase=gap(result.chance_phase),
            p_mean=np.nan if whole else result.p_mean,
            **{
                k: replace(p, single=gap(p.single), family=gap(p.family), discovery=gap(p.discovery))
                for k, p in (("p", result.p), ("p_phase", result.p_phase), ("p_counted", result.p_counted))
            },
            fit=replace(result.fit, held_out=gap(result.fit.held_out), target=gap(result.fit.target)),
        )

    found = outcome.sweep
    return replace(
        outcome,
        sweep=replace(
            found,
            sets=tuple(map(blank, found.sets)),
            controlled=tuple(map(blank, found.controlled)),
            auto=None if found.auto is None else blank(found.auto),
        ),
        measured=replace(outcome.measured, people=tuple(map(gap, outcome.measured.people))),
        ceiling=replace(outcome.ceiling, high=gap(outcome.ceiling.high), low=np.full_like(outcome.ceiling.low, np.nan)),
    )


@pytest.mark.parametrize("row", [1, slice(None)])
def test_a_row_without_a_value_is_told_as_such(tmp_path, row):
    outcome = without_row(usual(), row)
    page = written(outcome, tmp_path)
    assert page.row("Cz", "channel", cells=10)[2:7] == [NONE] * 5
    numbers = report_numbers(outcome)
    json.dumps(asdict(numbers), allow_nan=False)
    assert numbers.rows[1].r is None
    assert numbers.sets[0].rows == (3 if row == 1 else 0)
    if row != 1:
        assert "There is no held-out result" in page.text
        assert page.row("layer-2")[1:6] == [NONE] * 5


def test_regions_without_values_have_no_colour(tmp_path):
    outcome = without_row(of_regions(), slice(None))
    assert written(outcome, tmp_path).row("insula-lh", "region")[2] == NONE


def test_one_sound_and_one_feature_set(tmp_path):
    page = written(outcome_of(ChannelSpace(CHANNELS), (200,), sets=("layer-1",)), tmp_path)
    assert "Not compared: that needs more than one feature set" in page.text
    assert "blocks of the one sound" in page.text
    assert "The study has no covariates" in page.text
    assert not (tmp_path / "report" / "comparison.png").exists()
    page = written(outcome_of(ChannelSpace(CHANNELS), (200,), sets=("lld", "layer-1", "final")), tmp_path)
    assert "Not compared: that needs more than one stimulus" in page.text


def test_only_descriptors(tmp_path):
    outcome = replace(outcome_of(ChannelSpace(CHANNELS), TWO, sets=("lld",)), notes=(), seconds={})
    page = written(outcome, tmp_path)
    assert report_numbers(outcome).study.layer == "lld"
    assert "Nothing." in page.text
    assert "Times were not taken." in page.text


def test_ratings_have_no_listeners(tmp_path):
    outcome = outcome_of(RatingSpace(("arousal", "valence")), TWO, sets=("lld", "layer-0"))
    people, rated = tuple(np.empty((0, *p.shape[1:])) for p in outcome.measured.people), outcome.measured.targets
    manifest = outcome.bundle.manifest
    stimuli = tuple(s.model_copy(update={"people": 0}) for s in manifest.stimuli)
    outcome = replace(
        outcome,
        measured=replace(outcome.measured, people=people, rated=tuple(rated), references=(), group=None),
        bundle=replace(outcome.bundle, manifest=manifest.model_copy(update={"stimuli": stimuli, "synthetic": False})),
        ceiling=NoiseCeiling.nothing(outcome.bundle.space.layout.counted),
    )
    page = written(outcome, tmp_path)
    assert "Ratings, not synthetic" in page.text
    assert "2 ratings" in page.text
    assert "There is no noise ceiling" in page.text
    assert "Synthetic data" not in page.text
    assert page.row("valence", "rating")
    for words in ("channel", "listener to", "synchrony ("):
        assert words not in page.text


@needs_head
@pytest.mark.slow
def test_regions_are_drawn_on_the_surface(tmp_path):
    outcome = outcome_of(RegionSpace(operator("1010-32")), TWO, sets=("lld", "layer-1"))
    page = written(outcome, tmp_path)
    assert (tmp_path / "report" / "maps.png").exists()
    zones = [name for name, kind in zip(outcome.bundle.space.rows, outcome.bundle.space.row_kinds, strict=True)
             if kind == "zone"]  # fmt: skip
    for zone in zones:
        assert page.row(zone, "zone")[-1].endswith("%")
    assert page.row("insula", "group")[-1].endswith("% *"), "not told apart"
    assert "68 regions, 7 zones, 10 groups" in page.text


def test_without_the_head_packages_dots_stand_for_maps(tmp_path, monkeypatch):
    def lacking(template: bool) -> None:
        raise ArtifactError("the head model needs nilearn, which is not installed")

    monkeypatch.setattr("calibration.head.parts.need", lacking)
    outcome = of_regions()
    page = written(outcome, tmp_path)
    assert "Dots in place of maps: the head model needs nilearn" in page.text
    assert not (tmp_path / "report" / "maps.png").exists()
    assert page.row("insula both", "zone")
    p = outcome.sweep.of(outcome.chosen)
    assert page.row("insula both", "zone")[5] == p_of(p.p_counted.single[0]), "as exactly as is known"
    assert page.row("insula-lh", "region")[5] == p_of(p.p.single[0])


def test_matplotlib_keeps_its_settings_and_no_figure(tmp_path):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    write_report(smallest(), tmp_path / "report.html")
    assert dict(mpl.rcParams) == before
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []


def test_a_report_does_not_depend_on_the_users_style(tmp_path):
    import matplotlib as mpl

    write_report(smallest(), tmp_path / "a.html")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "savefig.dpi": 10}):
        write_report(smallest(), tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_without_matplotlib_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ArtifactError, match="pip install matplotlib"):
        write_report(smallest(), tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"report.pdf: expected a name that ends in .html"):
        write_report(usual(), tmp_path / "report.pdf")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.345, ".34"), (-0.06, "\N{MINUS SIGN}.06"), (-0.001, ".00"), (1.0, "1.00"), (-1.5, "\N{MINUS SIGN}1.50"),
     (None, NONE)],
)  # fmt: skip
def test_numbers_are_printed_without_a_zero(value, text):
    assert decimal(value) == text


def test_p_values_are_not_rounded_to_nothing():
    assert [p_of(p) for p in (0.0009, 0.001, 0.0456, 1.0, None)] == ["< .001", ".001", ".046", "1.000", NONE]


def test_rows_that_cannot_be_told_apart_are_fainter():
    opacity = opacity_of(np.array([0.0, 0.1, 0.29, LEAST_SPECIFICITY, 0.9]))
    assert (np.diff(opacity[:4]) > 0).all()
    assert opacity[3] == opacity[4] == 1
    assert opacity[2] < 0.7, "a visible step"


def test_ticks_that_differ_are_printed_differently():
    from matplotlib.figure import Figure

    for top in (0.004, 0.03, 0.26, 0.7, 1.0, 9.0, 100.0):
        axes = Figure().subplots()
        axes.set_ylim(-top / 4, top)
        format_axis(axes.yaxis)
        texts = [label.get_text() for label in axes.get_yticklabels()]
        assert len(texts) == len(set(texts)) > 2
        assert "0" in texts
