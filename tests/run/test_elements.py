"""What takes a session's sound apart: once for known files, as it comes for others, and refused with the reason."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import soundfile

from rtaffect.common.errors import SettingsError
from rtaffect.engine.bundle import SEPARATOR_FILE, Bundle, ElementsMade
from rtaffect.plan.analysis_plan import AnalysisPlan
from rtaffect.predicted import elements as elements_module
from rtaffect.predicted.element_levels import SILENT_DB
from rtaffect.predicted.elements import cached_separator, separator_for
from rtaffect.predicted.separator import Separator
from rtaffect.run.elements import ReadyElements, ready_elements
from rtaffect.stream.audio import read_sound, sound_sha256
from tests.engine.test_bundle import some_bundle

RATE = 16_000


@pytest.fixture(scope="module")
def dtln() -> Separator:
    return separator_for("dtln", progress=lambda text: None)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elements are kept apart from those of other tests; separators come from where they are."""
    monkeypatch.setattr(elements_module, "cache_root", lambda: tmp_path / "cache")


def bundle_of(loaded: Separator, **made: object) -> Bundle:
    about: dict[str, object] = {
        "names": ("voice", "background"), "separator": "mine", "separator_sha256": loaded.sha256, "streams": True,
        "silent_db": SILENT_DB,
    }  # fmt: skip
    bundle = some_bundle()
    return replace(
        bundle, manifest=bundle.manifest.model_copy(update={"elements": ElementsMade.model_validate(about | made)})
    )


def folder_with(separator_path: Path, folder: Path) -> Path:
    folder.mkdir()
    (folder / SEPARATOR_FILE).write_bytes(separator_path.read_bytes())
    return folder


@pytest.fixture
def folder(dtln: Separator, tmp_path: Path) -> Path:
    from rtaffect.predicted.featurizer import cache_root

    return folder_with(cache_root() / "separators" / cached_separator("dtln").name, tmp_path / "bundle")


def write(path: Path, samples: np.ndarray, rate: int = RATE) -> dict[Path, str]:
    """Write a sound and return it as a session's stimulus."""
    soundfile.write(path, samples, rate)
    return {path: sound_sha256(read_sound(path)[0])}


def speech(seconds: float = 2, rate: int = RATE, channels: int = 1) -> np.ndarray:
    return 0.2 * np.random.default_rng(1).standard_normal((round(seconds * rate), channels))


def ready(
    bundle: Bundle, folder: Path, stimuli: dict[Path, str], wanted: Literal["auto", "on", "off"] = "auto", **options
) -> tuple[ReadyElements | None, str]:
    said = {"hears": True, "live": True} | options
    featurizer_s = said.pop("featurizer_s", 0.05)
    return ready_elements(
        bundle, folder, AnalysisPlan(elements=wanted), stimuli, featurizer_s, said.pop("progress", lambda text: None),
        **said,
    )  # fmt: skip


def test_a_known_file_is_taken_apart_once_with_progress(dtln: Separator, folder: Path, tmp_path: Path):
    told: list[str] = []
    stimuli = write(tmp_path / "film.wav", speech(3))
    found, why = ready(bundle_of(dtln), folder, stimuli, progress=told.append)
    assert not why
    assert found.way == "of the files"
    (sha256,) = stimuli.values()
    parts = found.known[sha256]
    np.testing.assert_array_equal(parts.mix - parts.voice, parts.background)
    assert told[0] == "taking film.wav apart into voice and background, this first time only"
    assert "separating film.wav: 100 %" in told
    # The second time the separator is not even opened.
    (folder / SEPARATOR_FILE).write_bytes(b"damaged")
    told.clear()
    again, _ = ready(bundle_of(dtln), folder, stimuli, progress=told.append)
    assert told == []
    np.testing.assert_array_equal(again.known[sha256].voice, parts.voice)
    assert found.cost_s == pytest.approx(0.1)
    assert found.describe() == "voice and background, known from the file: 0.10 s more of each second"


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (96_000, 2), (48_000, 6)])
def test_files_of_any_rate_and_channels(dtln: Separator, folder: Path, tmp_path: Path, rate: int, channels: int):
    stimuli = write(tmp_path / "odd.wav", speech(2, rate, channels).clip(-1, 1), rate)
    found, _ = ready(bundle_of(dtln), folder, stimuli)
    (parts,) = found.known.values()
    assert parts.voice.shape == parts.mix.shape == (2 * RATE,)
    assert np.isfinite(parts.voice).all()


@pytest.mark.parametrize("level", [0.0, 5.0])
def test_silence_and_clipped_sound(dtln: Separator, folder: Path, tmp_path: Path, level: float):
    stimuli = write(tmp_path / "loud.wav", (level * speech()).clip(-1, 1))
    found, why = ready(bundle_of(dtln), folder, stimuli)
    assert not why
    (parts,) = found.known.values()
    assert np.abs(parts.voice).max() <= (1.5 if level else 0.0)


def test_unknown_sound_is_taken_apart_as_it_comes_and_the_cost_is_told(dtln: Separator, folder: Path):
    found, why = ready(bundle_of(dtln), folder, {})
    assert not why
    assert found.way == "as it comes"
    assert found.ahead == dtln.manifest.lookahead
    assert found.cost_s > 0.1
    assert "taken apart by dtln" in found.describe()


def test_unknown_sound_needs_a_separator_that_streams(dtln: Separator, folder: Path):
    found, why = ready(bundle_of(dtln, streams=False, separator="spleeter-2stems"), folder, {})
    assert found is None
    assert why.startswith("voice and background are not predicted from: the bundle's separator, spleeter-2stems, needs")
    with pytest.raises(SettingsError, match=r"needs whole sounds.*name the file that is heard"):
        ready(bundle_of(dtln, streams=False), folder, {}, "on")


def test_too_slow_a_computer_is_told_with_the_cost(dtln: Separator, folder: Path):
    found, why = ready(bundle_of(dtln), folder, {}, featurizer_s=0.3)
    assert found is None
    assert re.search(r"too slow here: voice and background, taken apart by dtln: \d\.\d\d s more of each second", why)
    # Nothing is too slow for what need not be in time.
    assert ready(bundle_of(dtln), folder, {}, featurizer_s=0.3, live=False)[0] is not None


def test_a_damaged_separator_another_one_and_none(dtln: Separator, folder: Path):
    found, why = ready(bundle_of(dtln, separator_sha256="0" * 64), folder, {})
    assert found is None
    assert "calibrate anew" in why
    (folder / SEPARATOR_FILE).write_bytes(b"damaged")
    assert "separator.onnx" in ready(bundle_of(dtln), folder, {})[1]
    (folder / SEPARATOR_FILE).unlink()
    assert "its separator mine is not there" in ready(bundle_of(dtln), folder, {})[1]


def test_nothing_is_said_where_there_are_none_and_none_are_wanted(dtln: Separator, folder: Path):
    assert ready(some_bundle(), folder, {}) == (None, "")
    assert ready(bundle_of(dtln), folder, {}, "off") == (None, "")
    assert ready(bundle_of(dtln), folder, {}, hears=False) == (None, "")
    with pytest.raises(SettingsError, match="the bundle has no weights for them; calibrate with --separator"):
        ready(some_bundle(), folder, {}, "on")
    with pytest.raises(SettingsError, match="the session has no sound"):
        ready(bundle_of(dtln), folder, {}, "on", hears=False)
