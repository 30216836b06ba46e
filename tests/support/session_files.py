"""Writes session folders as a session leaves them, with planted effects, from a seed: made up, not run."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
import tomli_w

from rtaffect import __version__
from rtaffect.common.settings import Settings
from rtaffect.engine.feedback import Feedback
from rtaffect.plan.analysis_plan import AnalysisPlan, ProtocolPlan
from rtaffect.plan.eeg_plan import EegPlan
from rtaffect.plan.results_plan import ResultsPlan
from rtaffect.plan.session_plan import SessionPlan, plan_toml
from rtaffect.plan.sound_plan import SoundPlan
from rtaffect.protocol.allocation import Allocation, Assigned
from rtaffect.protocol.arms import ArmSource, DonorLevels, Real, Yoked
from rtaffect.protocol.conductor import Conductor
from rtaffect.protocol.event import SessionEvent
from rtaffect.protocol.model import Protocol
from rtaffect.protocol.seal import seal, unseal
from rtaffect.record.table import (
    DOUBT_COLUMNS,
    EVENT_COLUMNS,
    FEEDBACK_COLUMNS,
    MOMENT_COLUMNS,
    PEOPLE_COLUMNS,
    QUALITY_COLUMNS,
    doubt_lines,
    event_line,
    feedback_lines,
    people_lines,
    protocol_step_line,
    quality_lines,
)
from rtaffect.stream.status import SourceStatus
from tests.support.fake_feedback import FakeRows, channel_rows
from tests.support.xdf_writer import FakeStream, image

ORIGIN = 5000.0
WINDOW_S, SMOOTHING_S, WAITING_S = 10, 5, 3
SOUND_RATE = 16_000
ROWS = ("Fz", "C3", "C4", "Pz", "O1", "O2")


@dataclass(frozen=True)
class FakeBlock:
    """A block of ``seconds``; ``effect`` (Fisher z) is added to the observed synchrony in it.

    Where ``duration_known`` is False, ``events.tsv`` does not say how long it is to last.
    """

    kind: str
    name: str
    seconds: int
    stimulus: str | None = None
    effect: float = 0.0
    duration_known: bool = True


BLOCKS = (
    FakeBlock("baseline", "Baseline", 60, "story.wav"),
    FakeBlock("feedback", "Run 1", 60, "tale.wav", 0.05),
    FakeBlock("feedback", "Run 2", 60, "tale.wav", 0.1),
    FakeBlock("transfer", "Transfer", 60, "story.wav", 0.05),
)


@dataclass(frozen=True)
class FakeSession:
    """What happened: per step its Feedback, the block (from 0) and whether that runs; onset of each block, s."""

    feedback: list[Feedback]
    block: list[int]
    running: list[bool]
    onsets: list[int]


def window_noise(rng: np.random.Generator, steps: int, columns: int, width: int = WINDOW_S) -> np.ndarray:
    """Noise (steps, columns) of unit variance as overlapping windows of ``width`` steps give it."""
    white = rng.standard_normal((steps + width - 1, columns))
    total = np.cumsum(np.vstack([np.zeros((1, columns)), white]), axis=0)
    return (total[width:] - total[:-width]) / np.sqrt(width)


def timetable(blocks: Sequence[FakeBlock]) -> tuple[list[int], list[bool], list[int]]:
    """Return of each step its block, from 0, and whether that runs, and each block's onset, s. Each is waited for."""
    onsets, at = [], WAITING_S
    for each in blocks:
        onsets.append(at)
        at += each.seconds + WAITING_S
    ends = [onset + each.seconds for onset, each in zip(onsets, blocks, strict=True)]
    block, running = [], []
    for step in range(1, ends[-1] + 2):
        block.append(min(sum(end <= step for end in ends), len(blocks) - 1))
        running.append(onsets[block[-1]] <= step < ends[block[-1]])
    return block, running, onsets


def fake_steps(
    blocks: Sequence[FakeBlock], rows: FakeRows, people: tuple[str, ...], seed: int, coupling: float, noise: float
) -> FakeSession:
    """Return a session's steps: predicted courses by stimulus, observed ones that follow them and the effects."""
    rng = np.random.default_rng(seed)
    block, running, onsets = timetable(blocks)
    n, R, P, C = len(block), len(rows.rows), len(people), len(rows.channels)
    seconds = np.arange(1, n + 1)
    course = 0.08 + 0.04 * np.sin(seconds / 9 + rng.uniform(0, 6))[:, None] * np.linspace(0.7, 1.3, R)
    effect = np.array([blocks[b].effect * runs for b, runs in zip(block, running, strict=True)])
    own = window_noise(rng, n, P * R).reshape(n, P, R)
    shared = window_noise(rng, n, P)[:, :, None]
    each = np.tanh(coupling * course[:, None] + effect[:, None, None] + noise * (0.8 * own + 0.6 * shared))
    quality = np.clip(rng.normal(1.01, 0.02, (n, P, C)), 0, 1)
    quality[n // 2 : n // 2 + 8, 0, 0] = 0.2
    found = [
        _step(i, rows, people, course[i], each[i], quality[i], P * 2 * i // n) for i in range(n)
    ]  # fmt: skip
    return FakeSession(found, block, running, onsets)


def _step(
    i: int,
    rows: FakeRows,
    people: tuple[str, ...],
    course: np.ndarray,
    each: np.ndarray,
    quality: np.ndarray,
    gaps: int,
) -> Feedback:
    R, nan = len(rows.rows), float("nan")
    empty, poor = i < WINDOW_S - 1, bool(quality[0, 0] < 0.5)
    predicted = np.full(R, nan) if empty else np.tanh(course)
    each = np.full_like(each, nan) if empty else each.copy()
    if poor:
        each[:, 0] = nan
    z = np.arctanh(each)
    observed = np.tanh(z.mean(axis=0))
    has = np.isfinite(observed)
    reason = "the null band waits for more data" if empty else f"{people[0]}: {rows.channels[0]} is bad" if poor else ""
    return Feedback(
        step=i + 1, time=float(i + 1), lsl_time=ORIGIN + i + 1, rows=rows.rows, row_kinds=rows.kinds,
        specificity=rows.specificity, mean_of=rows.mean_of, channels=rows.channels, people=people, predicted=predicted,
        predicted_low=predicted - 0.05, predicted_high=predicted + 0.05, observed=observed, observed_each=each,
        null_low=np.full(R, nan if empty else -0.12), null_high=np.full(R, nan if empty else 0.12),
        predicted_mean=nan if empty else float(np.tanh(course.mean())),
        predicted_mean_low=nan if empty else float(np.tanh(course.mean())) - 0.04,
        predicted_mean_high=nan if empty else float(np.tanh(course.mean())) + 0.04,
        observed_mean=float(np.tanh(np.arctanh(observed[has]).mean())) if has.any() else nan,
        null_mean_low=nan if empty else -0.07, null_mean_high=nan if empty else 0.07, quality=quality,
        trusted=has & (rows.specificity >= 0.3), observed_against="nothing" if empty else "reference", reason=reason,
        sources=tuple(SourceStatus(p, "eeg", "ok", 0.05, 250 * (i + 1), gaps, 0, 0, 5.0) for p in people),
    )  # fmt: skip


def moment_lines(
    session: FakeSession, blocks: Sequence[FakeBlock], protocol: Protocol, arm: ArmSource
) -> list[tuple[str, ...]]:
    """Return the lines of ``protocol_steps.tsv``, as the protocol's own code makes the moments."""
    conductor = Conductor(protocol, arm, WINDOW_S)
    starts = set(session.onsets)
    lines = []
    for f in session.feedback:
        if f.step in starts:
            conductor.go()
        lines.append(protocol_step_line(conductor.step(f)))
    return lines


def arm_source(arm: str | None, session: FakeSession, blocks: Sequence[FakeBlock], seed: int) -> ArmSource:
    """Return what an arm shows: 'real' or None the own level, any other name levels that have nothing to do with it."""
    if arm in (None, "real"):
        return Real()
    other = window_noise(np.random.default_rng(seed + 99), len(session.block), 1, WINDOW_S + 5)[:, 0]
    levels = np.clip(0.5 + 0.4 * other, 0, 1)
    return Yoked(
        {
            number: DonorLevels(np.arange(float(each.seconds)), levels[: each.seconds], levels[: each.seconds] >= 0.5)
            for number, each in enumerate(blocks, start=1)
        }
    )


def session_events(session: FakeSession, blocks: Sequence[FakeBlock], staged: bool) -> list[SessionEvent]:
    """Return what happened, in order, with a cough in the first block.

    ``staged``: as :mod:`rtaffect.run.stage` tells it, with the operator's keys, and notes.
    """
    found: list[SessionEvent] = []
    late = 0.0 if staged else 0.012

    def tell(kind: str, name: str, onset: float, number: int = 0, **more: object) -> None:
        where = {"block": number, "kind": blocks[number - 1].kind} if number else {}
        found.append(SessionEvent(onset, ORIGIN + onset, kind, name, **where, **more))  # type: ignore[arg-type]

    tell("note" if staged else "marker", "session/begin", 0.0)
    for number, (block, start) in enumerate(zip(blocks, session.onsets, strict=True), start=1):
        onset, end, heard = float(start), float(start + block.seconds), block.stimulus
        inside, file = 0 if staged else number, f"stimuli/{heard}" if heard else ""
        lasts = float(block.seconds) if block.duration_known else math.nan
        if staged:
            tell("key", "go", onset, number)
        tell("block", block.name, onset, number, duration=lasts, stim_file="" if staged else file)
        tell("marker", f"block/{number}/{block.kind}/begin", onset, inside)
        if heard:
            tell("stimulus", heard, onset + late, number, duration=float(block.seconds), stim_file=file)
            tell("marker", f"stimulus/{heard}/begin", onset + late, inside)
        if number == 1:
            tell("key", "cough" if staged else "key/cough", onset + 20.5, inside)
        if number == 1 and staged:
            tell("note", "the door was opened", onset + 31.0)
        if heard and staged:
            tell("stimulus-end", heard, end, number, stim_file=file)
        if heard:
            tell("marker", f"stimulus/{heard}/end", end, inside)
        tell("block-end", block.name, end, number)
        tell("marker", f"block/{number}/{block.kind}/end", end, inside)
    tell("note" if staged else "marker", "session/end", len(session.block) - 0.5)
    return found


def marker_text(event: SessionEvent) -> str | None:
    """Return the text that the recording gets of an event; None for none."""
    return event.name if event.name.startswith("key/") else event.marker


def recording(
    session: FakeSession, rows: FakeRows, people: tuple[str, ...], events: Sequence[SessionEvent],
    protocol_steps: Sequence[tuple[str, ...]], rate: float, seed: int,
) -> bytes:  # fmt: skip
    """Return ``recording.xdf``: 1/f EEG in microvolts with 50 Hz, a gap of .2 s, markers, feedback, what was shown."""
    rng = np.random.default_rng(seed + 1)
    steps = len(session.block)
    offsets = [(ORIGIN + t, 0.0) for t in range(0, steps, 5)]
    streams = []
    for number, person in enumerate(people):
        n = round((steps + 1) * rate)
        spectrum = np.fft.rfft(rng.standard_normal((n, len(rows.channels))), axis=0)
        spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(n, 1 / rate), 0.5))[:, None]
        wave = np.fft.irfft(spectrum, n, axis=0)
        wave = 12 * wave / wave.std(axis=0) + 3 * np.sin(2 * np.pi * 50 * np.arange(n) / rate)[:, None]
        stamps = ORIGIN - 0.5 + np.arange(n) / rate * (1 + 8e-6)
        there = np.ones(n, np.bool_)
        there[n // 3 : n // 3 + round(0.2 * rate)] = number != 0
        streams.append(
            FakeStream(wave[there].astype(np.float32), stamps[there], person, rate=rate, labels=rows.channels,
                       unit="microvolts", kinds=("EEG",) * len(rows.channels), source_id=f"{person}-1", offsets=offsets)
        )  # fmt: skip
    sent = [(e.lsl_time, text) for e in events if (text := marker_text(e)) is not None]
    streams.append(
        FakeStream([text for _, text in sent], np.array([t for t, _ in sent]), "rtaffect-markers", "Markers", 0.0,
                   "string", source_id="rtaffect-markers", offsets=offsets)
    )  # fmt: skip
    stamps = np.array([f.lsl_time for f in session.feedback])
    values = [[*f.predicted, *f.observed, f.predicted_mean, f.observed_mean] for f in session.feedback]
    labels = [f"{side}/{row}" for side in ("predicted", "observed") for row in rows.rows]
    labels += ["predicted/mean", "observed/mean"]
    feedback = FakeStream(np.array(values), stamps, "rtaffect-feedback", "Feedback", 0.0, "double64", labels)
    shown = ("block", "level", "success", "value", "low", "high", "threshold")
    columns = [MOMENT_COLUMNS.index(name) for name in shown]
    message = np.array([[_number(line[c]) for c in columns] for line in protocol_steps])
    screen = FakeStream(message, stamps, "rtaffect-shown", "Shown", 0.0, "double64", shown)
    for stream in (feedback, screen):
        stream.unit, stream.offsets = "", offsets
    return image([*streams, feedback, screen], per_chunk=max(25, round(rate))).data


def _number(text: str) -> float:
    words = {"n/a": np.nan, "true": 1.0, "false": 0.0}
    return words[text] if text in words else float(text)


def protocol_content(
    blocks: Sequence[FakeBlock], name: str, value: str, arms: bool, study: dict[str, str] | None
) -> dict[str, object]:
    """Return the protocol of a session as its file has it."""
    content: dict[str, object] = {
        "format": 1,
        "name": name,
        "description": "Made up for tests.",
        "study": {"preregistration": "https://example.org/prereg"} if study is None else study,
        "feedback": {
            "value": value, "rows": ["mean"], "smoothing_s": SMOOTHING_S, "scale": "baseline", "low_percentile": 10.0,
            "high_percentile": 90.0, "gain": 1.0, "show": "ring",
        },
        "block": [
            {"kind": b.kind, "name": b.name, "start": "operator", "instruction": f"Listen: {b.name}."}
            | ({"stimulus": f"sounds/{b.stimulus}"} if b.stimulus else {}) | {"duration_s": b.seconds}
            for b in blocks
        ],
    }  # fmt: skip
    if arms:
        content["arm"] = [
            {"name": "real", "feedback": "real"},
            {"name": "sham", "feedback": "yoked", "donors": ["donors/D01"]},
        ]
    return content


def write_allocation(path: Path, protocol: Path, arms: dict[str, str]) -> Path:
    """Write a sealed allocation of participants to arms, for sessions of the protocol in that file."""
    assigned = [Assigned(participant=code, arm=arm, donor=None) for code, arm in arms.items()]
    sha256 = hashlib.sha256(protocol.read_bytes()).hexdigest()
    seal(
        Allocation(
            salt="0" * 64, made="2025-03-01T08:00:00+00:00", rtaffect=__version__, protocol="made up",
            protocol_sha256=sha256, seed=1, block_size=4, assigned=tuple(assigned),
        ),
        path,
    )  # fmt: skip
    return path


def write_session(
    folder: Path,
    *,
    participant: str | None = "P01",
    arm: str | None = None,
    seed: int = 0,
    blocks: Sequence[FakeBlock] = BLOCKS,
    rows: tuple[str, ...] | FakeRows = ROWS,
    people: tuple[str, ...] = ("Muse-1A2F",),
    coupling: float = 1.0,
    noise: float = 0.06,
    rate: float = 128.0,
    value: str = "observed",
    protocol: str | None = "Baseline, two runs and a transfer",
    study: dict[str, str] | None = None,
    allocation: Path | None = None,
    outcome: str = "completed",
    synthetic: bool = False,
    staged: bool = False,
    with_recording: bool = True,
    with_sounds: bool = True,
) -> Path:
    """Write a complete session folder and return it.

    Parameters
    ----------
    folder
        Made if absent. The protocol is written beside it, ``<protocol's name>.toml``.
    arm
        None: no arms. ``"real"`` shows the session's own level, any other name another one; either way the folder
        says only that it is sealed, and which ``allocation`` it is of (:func:`write_allocation`), if any.
    blocks, rows, people
        What happens, the rows of synchrony and the headsets. The same sound name is the same sound.
    coupling
        How much of the predicted course the observed one follows.
    noise
        SD of a row's noise, Fisher z.
    protocol
        Its name; None for a session without one (then give a single block).
    study
        Texts of the protocol's ``[study]``; default: a preregistration.
    staged
        Whether events are as :mod:`rtaffect.run.stage` tells them.
    with_recording, with_sounds
        Whether ``recording.xdf`` and the sounds are written, which take most of the time.
    """
    fake = rows if isinstance(rows, FakeRows) else channel_rows(rows)
    session = fake_steps(blocks, fake, people, seed, coupling, noise)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stimuli").mkdir(exist_ok=True)
    content = protocol_content(blocks, protocol or "No protocol", value, arm is not None, study)
    events = session_events(session, blocks, staged)
    protocol_steps = moment_lines(
        session, blocks, Protocol.model_validate(content), arm_source(arm, session, blocks, seed)
    )
    _table(folder / "feedback.tsv", FEEDBACK_COLUMNS, (line for f in session.feedback for line in feedback_lines(f)))
    _table(folder / "people.tsv", PEOPLE_COLUMNS, (line for f in session.feedback for line in people_lines(f)))
    _table(folder / "doubts.tsv", DOUBT_COLUMNS, (line for f in session.feedback for line in doubt_lines(f)))
    _table(folder / "quality.tsv", QUALITY_COLUMNS, (line for f in session.feedback for line in quality_lines(f)))
    _table(folder / "moments.tsv", MOMENT_COLUMNS, protocol_steps)
    _table(folder / "events.tsv", EVENT_COLUMNS, map(event_line, events))
    hashes = _sounds(folder / "stimuli", blocks) if with_sounds else {}
    if with_recording:
        (folder / "recording.xdf").write_bytes(recording(session, fake, people, events, protocol_steps, rate, seed))
    file = None
    if protocol is not None:
        file = folder.parent / f"{protocol.lower().replace(' ', '-').replace(',', '')}.toml"
        file.write_text(tomli_w.dumps(content), encoding="utf-8")
    plan = SessionPlan(
        participant=participant, eeg=EegPlan(streams=people), sound=SoundPlan(),
        analysis=AnalysisPlan(bundle=folder.parent / "bundle"), protocol=ProtocolPlan(file=file),
        results=ResultsPlan(out=folder),
    )  # fmt: skip
    ran = _ran(session, blocks, fake, people, rate, hashes)
    ran |= {"outcome": outcome, "synthetic_bundle": synthetic}
    ran |= {"participant": participant} if participant else {}
    if file is not None:
        ran |= {"protocol": protocol, "protocol_sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    if arm is not None:
        ran |= {"arm": "sealed"}
        ran |= {"allocation_sha256": unseal(allocation)[1]} if allocation else {}
    (folder / "session.toml").write_text(tomli_w.dumps(plan_toml(plan, folder) | {"ran": ran}), encoding="utf-8")
    _environment(folder / "environment.json")
    _log(folder / "session.log", people, len(session.block))
    return folder


def _ran(
    session: FakeSession, blocks: Sequence[FakeBlock], rows: FakeRows, people: tuple[str, ...], rate: float,
    hashes: dict[str, str],
) -> dict[str, object]:  # fmt: skip
    onset = {b.stimulus: float(o) for b, o in reversed(list(zip(blocks, session.onsets, strict=True))) if b.stimulus}
    minutes, seconds = divmod(len(session.block), 60)
    return {
        "rtaffect": __version__,
        "command": "live",
        "title": f"rtaffect live: {', '.join(people)}",
        "started": "2025-03-04T09:00:00.000+00:00",
        "ended": f"2025-03-04T09:{minutes:02d}:{seconds:02d}.100+00:00",
        "steps": len(session.block),
        "origin": ORIGIN,
        "bundle": "made-up-stories",
        "bundle_sha256": "b" * 64,
        "bundle_folder": "/data/bundles/made-up-stories",
        "featurizer": "moonshine/moonshine-tiny layer 2",
        "featurizer_sha256": "f" * 64,
        "recording": "recording.xdf",
        "eeg": [
            {"name": p, "stream": p, "type": "EEG", "source_id": f"{p}-1", "host": "lab", "rate": rate,
             "channels": list(rows.channels), "unit": "microvolts"}
            for p in people
        ],
        "sound": {"kind": "protocol", "name": "protocol"},
        "stimuli": [{"file": f"stimuli/{n}", "sha256": h, "onset": onset[n]} for n, h in hashes.items()],
        "settings": _without_none(Settings().model_dump(mode="json")),
    }  # fmt: skip


def _without_none(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_none(each) for key, each in value.items() if each is not None}
    return value


def _sounds(folder: Path, blocks: Sequence[FakeBlock]) -> dict[str, str]:
    """Write one sound per name, 16 kHz mono, and return the hashes of their samples."""
    found = {}
    for name in dict.fromkeys(b.stimulus for b in blocks if b.stimulus):
        seconds = max(b.seconds for b in blocks if b.stimulus == name)
        rng = np.random.default_rng(len(name))
        samples = (3000 * rng.standard_normal(seconds * SOUND_RATE)).astype("<i2")
        soundfile.write(folder / name, samples, SOUND_RATE, subtype="PCM_16")
        found[name] = hashlib.sha256(samples.tobytes()).hexdigest()
    return found


def _environment(path: Path) -> None:
    packages = {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "pylsl", "pyxdf")}
    about = {"python": sys.version.split()[0], "platform": platform.platform(), "packages": packages}
    path.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def _log(path: Path, people: tuple[str, ...], steps: int) -> None:
    lines = [
        "2025-03-04T09:00:00.010+00:00 INFO rtaffect.engine.session: session begins",
        f"2025-03-04T09:00:{steps // 5 % 60:02d}.500+00:00 WARNING rtaffect.sources.lsl: {people[0]}: gap of 0.200 s",
        "2025-03-04T09:04:14.000+00:00 INFO rtaffect.engine.session: session ends",
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _table(path: Path, columns: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("\t".join(columns) + "\n")
        file.writelines("\t".join(line) + "\n" for line in lines)


def with_effects(effects: Sequence[float], blocks: Sequence[FakeBlock] = BLOCKS) -> tuple[FakeBlock, ...]:
    """Return blocks with other planted effects."""
    return tuple(replace(block, effect=effect) for block, effect in zip(blocks, effects, strict=True))
