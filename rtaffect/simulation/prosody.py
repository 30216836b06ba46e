"""The same spoken words said otherwise: pitch, rate and loudness changed, each by itself.

Praat moves pitch and duration by overlap-add of pitch periods (Moulines & Charpentier, *Speech Commun.* 9, 1990;
Boersma, *Glot Int.* 5, 2001), which leaves the vowels' resonances, and so the words, where they are. What is changed by
nothing goes through the same resynthesis, so that its traces are in all of them alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from rtaffect.common.arrays import Float32Array
from rtaffect.common.errors import ArtifactError, SoundError
from rtaffect.simulation.study import write_sound
from rtaffect.stream.audio import SAMPLE_RATE, StudySound

#: Where a voice's pitch is looked for, Hz, and how often, s.
PITCH_HZ: Final = (60.0, 500.0)
_STEP_S: Final = 0.01
#: Shorter speech has too few words to tell them from how they are said, s.
LEAST_S: Final = 4.0
#: What is left of full scale over the loudest sample of the loudest variant, dB.
_HEADROOM_DB: Final = 1.0


@dataclass(frozen=True, slots=True)
class Change:
    """A way of saying the same: ``pitch`` in semitones, ``rate`` as a factor, ``level`` in dB; ``of`` names it.

    The one that changes nothing is of 'none'.
    """

    of: str
    pitch: float = 0.0
    rate: float = 1.0
    level: float = 0.0

    @property
    def name(self) -> str:
        """What its file is called."""
        if self.of == "none":
            return "as-it-is"
        value = {"pitch": self.pitch, "rate": self.rate, "level": self.level}[self.of]
        return f"{self.of}-{value:+g}" if self.of != "rate" else f"rate-{value:g}"


#: Each thing alone, down and up, by amounts that speakers use: four semitones, a quarter of the rate, six decibels.
CHANGES: Final = (
    Change("none"),
    Change("pitch", pitch=-4.0),
    Change("pitch", pitch=4.0),
    Change("rate", rate=0.8),
    Change("rate", rate=1.25),
    Change("level", level=-6.0),
    Change("level", level=6.0),
)


def said(speech: Float32Array, change: Change) -> Float32Array:
    """Return ``speech`` (n,), 16 kHz mono, said otherwise, (round(n / rate),); not yet limited to full scale.

    Raises
    ------
    ArtifactError
        If Praat is not installed.
    SoundError
        If no voice is found in it, or it is too short.
    """
    praat, call = _praat()
    if len(speech) < LEAST_S * SAMPLE_RATE:
        raise SoundError(
            f"speech of {len(speech) / SAMPLE_RATE:.1f} s, expected {LEAST_S:g} s or more; give a longer recording"
        )
    sound = praat.Sound(np.asarray(speech, np.float64), sampling_frequency=float(SAMPLE_RATE))
    made = call(sound, "To Manipulation", _STEP_S, *PITCH_HZ)
    pitch = call(made, "Extract pitch tier")
    if not call(pitch, "Get number of points"):
        raise SoundError("no voice was found in the sound; expected speech: give a recording of somebody who speaks")
    call(pitch, "Multiply frequencies", sound.xmin, sound.xmax, 2.0 ** (change.pitch / 12.0))
    call([pitch, made], "Replace pitch tier")
    duration = call("Create DurationTier", "duration", sound.xmin, sound.xmax)
    call(duration, "Add point", sound.xmin, 1.0 / change.rate)
    call([duration, made], "Replace duration tier")
    # Where there is no voice Praat sets pulses at random times: the same in every run, or nothing is changed alone.
    praat.praat.run("random_initializeWithSeedUnsafelyButPredictably (1)")
    found = np.asarray(call(made, "Get resynthesis (overlap-add)").values[0])
    praat.praat.run("random_initializeSafelyAndUnpredictably ()")
    length = round(len(speech) / change.rate)
    fitted = np.zeros(length)
    fitted[: min(length, len(found))] = found[:length]
    return np.asarray(fitted * 10.0 ** (change.level / 20.0), np.float32)


def variants(speech: Float32Array, changes: tuple[Change, ...] = CHANGES) -> dict[Change, Float32Array]:
    """Return ``speech`` said in each way, all by one gain that keeps the loudest in full scale; see :func:`said`."""
    made = {change: said(speech, change) for change in changes}
    loudest = max(float(np.abs(samples).max(initial=0.0)) for samples in made.values())
    gain = min(1.0, 10.0 ** (-_HEADROOM_DB / 20.0) / max(loudest, 1e-9))
    return {change: np.asarray(samples * np.float32(gain)) for change, samples in made.items()}


def write_variants(speeches: dict[str, Float32Array], out: Path) -> int:
    """Write each speech said in each way into ``out``/sounds, and ``prosody.tsv``; return the number of sounds."""
    (out / "sounds").mkdir(parents=True)
    lines = ["file\tspeech\tchanged\tpitch_semitones\trate\tlevel_db"]
    for name, speech in speeches.items():
        for change, samples in variants(speech).items():
            file = f"{name}_{change.name}.wav"
            write_sound(out / "sounds" / file, StudySound(file, samples, fit=True))
            lines.append(f"{file}\t{name}\t{change.of}\t{change.pitch:g}\t{change.rate:g}\t{change.level:g}")
    (out / "prosody.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines) - 1


def _praat() -> tuple[Any, Any]:
    try:
        import parselmouth
        from parselmouth.praat import call
    except ImportError:
        raise ArtifactError(
            'prosody is changed by Praat, which is not installed; install it with `pip install "rtaffect[prosody]"`'
        ) from None
    return parselmouth, call
