"""From which level on is what a separator leaves a voice, and not what music without one leaves?

Of music alone, and of speech in it at -10 to 5 dB, streaming separators leave the voice; told is its level against the
sound over windows of 10 s, on which predictions rest, and how often a session would hear a voice: from 1 % of the power
on (-20 dB), and from the separator's own ``voice_db`` on. Of music alone that is a false alarm; of speech, not to hear
it is a miss. Windows count in which the true voice is as strong against the music as it is said to be, to 3 dB.

The rule: ``voice_db`` is the lowest level, in steps of half a decibel and not below -20 dB, which at most 5 % of the
development's windows of music alone reach. Development: music that the package composes and the reading that comes with
the default model; where RTAFFECT_RECORDINGS names a folder, the instrumental and the reading in its ``audio/``, too.
Held back: where RTAFFECT_HELD_BACK names a folder, the sound files in its ``music/``, without a voice, and ``speech/``,
of which neither rule nor separator knows anything. Mixtures have -26 dB of full scale.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import Rows, run, silent
from rtaffect.predicted.element_levels import SILENT_DB, decibels, power
from rtaffect.predicted.elements import separator_for
from rtaffect.predicted.separator import Separator
from rtaffect.simulation.elements import narration
from rtaffect.simulation.sounds import compose, speech_from_wheel
from rtaffect.stream.audio import SAMPLE_RATE, read_sound

Sound = NDArray[np.float64]
#: What a prediction rests on, s; which share of windows of music alone may reach the level; how fine that is, dB.
WINDOW_S, MOST, STEP_DB = 10, 0.05, 0.5
SPEECH_DB = (-10, -5, 0, 5)
LEVEL_DB = -26.0
#: Windows count whose voice lies as far above the music as it is said to, to so many dB.
NEAR_DB = 3.0
STREAMING = ("spleeter-stream", "dtln")
DEVELOPMENT, HELD_BACK = "development", "held back"
#: Length of music alone and of mixtures, s.
ALONE_S, MIXED_S = 60, 25
#: Where recordings are: the variable that names the folder, the folder in it, and the files' names.
MUSIC = {DEVELOPMENT: ("RTAFFECT_RECORDINGS", "audio", "*Vibe*.ogg"), HELD_BACK: ("RTAFFECT_HELD_BACK", "music", "*")}
SPEECH = {DEVELOPMENT: ("RTAFFECT_RECORDINGS", "audio", "[0-9]*.ogg"), HELD_BACK: ("RTAFFECT_HELD_BACK", "speech", "*")}


def recordings(part: str, places: dict[str, tuple[str, str, str]]) -> Iterator[Sound]:
    """Yield the recordings of a part, mono at 16 kHz."""
    variable, folder, pattern = places[part]
    if root := os.environ.get(variable):
        for path in sorted((Path(root) / folder).glob(pattern)):
            sound, _ = read_sound(path)
            yield sound.astype(np.float64)


def pieces(part: str, quick: bool) -> list[Sound]:
    """Return music without a voice: of recordings the middle."""
    composed = range(1 if quick else 5) if part == DEVELOPMENT else ()
    found = [compose(100 + seed, ALONE_S).astype(np.float64) for seed in composed]
    for sound in recordings(part, MUSIC):
        begin = max(0, len(sound) // 2 - ALONE_S * SAMPLE_RATE // 2)
        found.append(sound[begin : begin + ALONE_S * SAMPLE_RATE])
    return found


def speakers(part: str) -> list[Sound]:
    """Return recordings of somebody who speaks."""
    own = [speech_from_wheel().astype(np.float64)] if part == DEVELOPMENT else []
    return own + list(recordings(part, SPEECH))


def over(voice: Sound, music: Sound, db: float) -> Sound:
    """Return ``voice`` at a level that lies ``db`` above the music's."""
    return voice * float(np.sqrt((music @ music) / (voice @ voice))) * 10 ** (db / 20)


def levels(separator: Separator, music: Sound, voice: Sound | None = None) -> tuple[list[float], list[float]]:
    """Return the voice's level against the sound in each window, dB, as it is left, and as it is (-inf without)."""
    whole = music if voice is None else music + voice
    gain = 10 ** (LEVEL_DB / 20) / float(np.sqrt(np.mean(whole**2)))
    mix = (gain * whole).astype(np.float32)
    left = separator.elements_of(mix, mix[:, None], SAMPLE_RATE).voice
    true = np.zeros_like(mix) if voice is None else (gain * voice).astype(np.float32)
    powers = np.array(
        [[power(each[at : at + SAMPLE_RATE]) for each in (mix, left, true, mix - true)]
         for at in range(0, len(mix) - SAMPLE_RATE + 1, SAMPLE_RATE)]
    )  # fmt: skip
    summed = np.array([powers[at : at + WINDOW_S].mean(axis=0) for at in range(len(powers) - WINDOW_S + 1)])
    summed = summed[summed[:, 0] > 1e-9]
    return (
        [decibels(found) - decibels(all_) for all_, found, _, _ in summed],
        [decibels(voiced) - decibels(rest) for _, _, voiced, rest in summed],
    )


def presence_rows(quick: bool) -> Rows:
    """Return a row for each separator, part, and level of speech."""
    rows: list[dict[str, Any]] = []
    for name in ("dtln",) if quick else STREAMING:
        separator = separator_for(name, progress=silent)
        for part in (DEVELOPMENT, HELD_BACK):
            found: dict[int | None, list[float]] = {db: [] for db in (None, *SPEECH_DB)}
            people = speakers(part)
            for number, piece in enumerate(pieces(part, quick)):
                found[None] += levels(separator, piece)[0]
                print(f"{name}, {part}: piece {number + 1}", file=sys.stderr, flush=True)
                if not people:
                    continue
                music = piece[: MIXED_S * SAMPLE_RATE]
                speech = people[number % len(people)].astype(np.float32)
                voice = narration(np.random.default_rng(number), len(music), speech)
                for db in SPEECH_DB:
                    left, true = levels(separator, music, over(voice, music, db))
                    found[db] += [each for each, level in zip(left, true, strict=True) if abs(level - db) <= NEAR_DB]
            rows += _rows(name, part, found, separator.manifest.voice_db)
    return rows


def _rows(name: str, part: str, found: dict[int | None, list[float]], voice_db: float) -> Rows:
    rows = []
    for db, left in found.items():
        if not left:
            continue
        values = np.array(left)
        heard = [float(np.mean(values >= least)) for least in (SILENT_DB, voice_db)]
        wrong = heard if db is None else [1 - share for share in heard]
        rows.append({
            "by": name, "part": part, "case": "music alone" if db is None else f"speech, {db:+d} dB",
            "windows": len(values), "median": float(np.median(values)), "most": float(np.quantile(values, 1 - MOST)),
            "wrong_db": wrong[0], "wrong": wrong[1], "voice_db": voice_db, "ratio": wrong[1] / MOST, "values": left,
        })  # fmt: skip
    return rows


def by_rule(rows: Rows) -> dict[str, Any]:
    """Return each separator's ``voice_db`` by the rule."""
    alone = [row for row in rows if row["part"] == DEVELOPMENT and row["case"] == "music alone"]
    found = {row["by"]: max(SILENT_DB, _least(np.array(row["values"]))) for row in alone}
    return {"voice_db by the rule": found}


def _least(values: NDArray[np.float64]) -> float:
    steps = np.arange(SILENT_DB, 0.1, STEP_DB)
    return float(next((step for step in steps if np.mean(values >= step) <= MOST), 0.0))


if __name__ == "__main__":
    run(
        "voice_presence",
        presence_rows,
        [
            ("by", "separator", ""),
            ("part", "material", ""),
            ("case", "sound", ""),
            ("windows", "windows", "d"),
            ("median", "voice, dB: median", ".1f"),
            ("most", "5 % reach", ".1f"),
            ("wrong_db", "wrong from -20 dB on", ".3f"),
            ("voice_db", "voice_db", ".1f"),
            ("wrong", "wrong from there on", ".3f"),
        ],
        "Wrong: of music alone a voice is heard, of speech none is. Windows of 10 s, one a second.",
        by_rule,
    )
