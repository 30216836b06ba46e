"""The lines of the streams' table, and the words under each part of the window."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from rtaffect.common.errors import SettingsError
from rtaffect.common.words import duration, listed, size
from rtaffect.predicted.featurizer import TOO_SLOW_S
from rtaffect.sources.channel_plan import Given
from rtaffect.sources.device_profile import is_eeg
from rtaffect.sources.selection import Query
from rtaffect.start.choices import Choices
from rtaffect.start.fit import BundleFit, reference_troubles
from rtaffect.start.found import (
    AffectFacts,
    AllocationFacts,
    DemoFacts,
    FeaturizerFacts,
    FolderFacts,
    Found,
    LibraryFacts,
    ProtocolFacts,
    RecordingFacts,
    SoundFacts,
    Trouble,
    asks_for,
    in_effect,
)
from rtaffect.start.problems_session import room_s
from rtaffect.start.streams import StreamFacts, given_of, missing, recognition_of, ticked
from rtaffect.stream.source import StreamInfo

Mark = Literal["good", "idle", "warn", "bad"]

#: Columns of the table after the check box.
COLUMNS: Final = ("Name", "Type", "Rate", "Channels", "Unit", "Host", "Source id", "Profile")


@dataclass(frozen=True, slots=True)
class StreamRow:
    """One line of the table.

    ``key`` stays the same when the stream is lost and comes back; ``stream`` is None, and ``query`` is what was asked
    for, where a stream that was ticked is not there now.
    """

    key: tuple[str, ...]
    ticked: bool
    mark: Mark
    cells: tuple[str, ...]
    hint: str = ""
    stream: StreamFacts | None = None
    query: Query | None = None


def stream_rows(choices: Choices, found: Found) -> tuple[StreamRow, ...]:
    """Return the lines: EEG first, then what else may be EEG, then boards, then what was ticked and is not there."""
    choices = in_effect(choices, found)
    streams = found.streams_for(choices)
    chosen = ticked(choices, streams)
    listed_ones = [stream for stream in streams if stream.may_be_eeg or stream in chosen]
    listed_ones.sort(key=lambda stream: not is_eeg(stream.header))
    rows: list[StreamRow] = []
    for stream in listed_ones:
        identity = stream.header.identity
        twin = sum(row.key[:-1] == identity for row in rows)
        rows.append(_row(stream, stream in chosen, (*identity, str(twin)), choices))
    rows += [_board(text, found) for text in choices.boards if choices.mode == "live"]
    rows += [_absent(query, choices.mode == "replay") for query in missing(choices, streams)]
    return tuple(rows)


def _row(stream: StreamFacts, is_ticked: bool, key: tuple[str, ...], choices: Choices) -> StreamRow:
    header = stream.header
    about, given = recognition_of(choices, stream), _given(choices, stream)
    used = given.get("rate") or header.rate
    rate = f"{used:g} Hz" if used > 0 else "irregular"
    declared = header.unit or ("by its profile" if about.profile else "not declared" if stream.described else "")
    unit = given.get("unit") or declared
    cells = (header.name, header.type, rate, str(header.channels), unit, header.host, header.source_id, about.profile)
    names = ", ".join(header.labels) if any(header.labels) else "no channel names declared"
    hint = stream.trouble or "\n".join([*([names] if stream.described else []), *about.words])
    mark: Mark = "bad" if stream.trouble else "good" if is_ticked else "idle"
    return StreamRow(key, is_ticked, mark, cells, hint, stream)


def _given(choices: Choices, stream: StreamFacts) -> Given:
    """Return what replaces the description of a stream, nothing where that cannot be."""
    with suppress(SettingsError):
        return given_of(choices, stream.header)
    return Given()


def _board(text: str, found: Found) -> StreamRow:
    name, known = text.partition("?")[0], found.boards.get(text)
    if isinstance(known, StreamInfo):
        hint = ", ".join(known.channels)
        cells = (name, "board", f"{known.rate:g} Hz", str(len(known.channels)), "", "this computer", "", "")
        return StreamRow(("board", text), True, "good", cells, hint)
    hint = known.text if isinstance(known, Trouble) else text
    cells = (name, "board", "", "", "", "this computer", "", "")
    return StreamRow(("board", text), True, "bad" if isinstance(known, Trouble) else "idle", cells, hint)


def _absent(query: Query, recorded: bool) -> StreamRow:
    said = "not in the recording" if recorded else "does not answer"
    name, of_type, source_id = (query.value if query.field == field else "" for field in ("name", "type", "source_id"))
    cells = (name or said, of_type, said if name else "", "", "", "", source_id, "")
    return StreamRow(("absent", query.field, query.value), True, "bad", cells, said, query=query)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of words under a part of the window."""

    text: str
    mark: Mark | None = None


def recording_lines(choices: Choices, found: Found) -> tuple[Line, ...]:
    """Return what is said of the recording."""
    facts = found.get(asks_for(choices).recording)
    if not isinstance(facts, RecordingFacts):
        return ()
    several = "" if len(facts.streams) == 1 else "s"
    text = f"{duration(facts.seconds)}, {len(facts.streams)} stream{several}"
    if facts.session is not None:
        ran = facts.session.ran
        who = f" of {facts.session.plan.participant}" if facts.session.plan.participant else ""
        text = f"session{who}, {str(ran.get('started', ''))[:16].replace('T', ' ')}, {ran.get('outcome', '?')}: {text}"
    return (Line(text),)


def sound_lines(choices: Choices, found: Found) -> tuple[Line, ...]:
    """Return what is said of a sound file: its length, and whether the bundle has a reference for it."""
    fact = found.get(asks_for(choices).sound)
    if not isinstance(fact, SoundFacts):
        return ()
    lines = [Line(f"{duration(fact.seconds)} long"), *(Line(note, "warn") for note in fact.notes)]
    facts = found.bundle(choices)
    if facts is not None:
        heard = next((s for s in facts.bundle.manifest.stimuli if s.sha256 == fact.sha256), None)
        trouble = reference_troubles(choices, found)
        if heard is not None and not trouble:
            lines.append(Line(f"the bundle has its reference: {heard.people} people", "good"))
        elif heard is None:
            lines.append(Line("the bundle has no reference for it", "warn"))
    return tuple(lines)


def bundle_lines(choices: Choices, found: Found, persons: tuple[StreamInfo, ...], fit: BundleFit) -> tuple[Line, ...]:
    """Return the summary of the bundle, and whether it fits."""
    facts = found.bundle(choices)
    if facts is None:
        return ()
    manifest, count = facts.bundle.manifest, len(facts.bundle.manifest.stimuli)
    made = " (synthetic)" if manifest.synthetic else ""
    heard = listed([stimulus.name for stimulus in manifest.stimuli], 3)
    scores = manifest.scores
    score = "" if scores.r_mean is None else f", held-out r {scores.r_mean:.2f} {scores.r_is}"
    lines = [
        Line(f"{manifest.name}{made}, {manifest.created[:10]}{score}"),
        Line(
            f"rows are {len(manifest.rows)} channels"
            if manifest.space == "channels"
            else f"{len(manifest.rows)} rows ({manifest.space}) from {len(manifest.channels)} channels"
        ),
        Line(f"{count} sound{'' if count == 1 else 's'}: {heard}"),
        _fits(fit, persons),
    ]
    return (*lines, *_speed(choices, found))


def affect_lines(choices: Choices, found: Found) -> tuple[Line, ...]:
    """Return the summary of the bundle of affect, and of its library."""
    fact = found.get(asks_for(choices).affect)
    if not isinstance(fact, AffectFacts):
        return ()
    manifest, rest = fact.manifest, "no rest"
    made = " (synthetic)" if manifest.synthetic else ""
    if fact.rest_s is not None:
        rest = f"{fact.rest_s} s of rest of each person"
    library = found.get(asks_for(choices).library)
    sounds = (
        f", {library.files} file{'' if library.files == 1 else 's'} in the library"
        if isinstance(library, LibraryFacts)
        else ""
    )
    return (
        Line(f"{manifest.name}{made}, {manifest.created[:10]}{sounds}"),
        Line(f"reads {len(manifest.channels)} channels, and needs {rest}"),
    )


def _fits(fit: BundleFit, persons: tuple[StreamInfo, ...]) -> Line:
    if not persons:
        return Line("fit: tick a stream to see whether it fits", "idle")
    if fit.wrong or fit.space is None or fit.whole is None:
        return Line("does not fit the ticked streams: see below", "bad")
    kept, whole = len(fit.space.rows), len(fit.whole.rows)
    if fit.space.kind == "regions":
        resolved = int(fit.space.resolved.sum())
        return Line(f"fits: {resolved} of {kept} rows can be told apart", "good" if resolved else "warn")
    if kept < whole:
        return Line(f"fits in part: {kept} of {whole} rows", "warn")
    return Line(f"fits: all {whole} rows", "good")


def _speed(choices: Choices, found: Found) -> tuple[Line, ...]:
    fact = found.get(asks_for(choices).featurizer)
    if not isinstance(fact, FeaturizerFacts):
        return (Line("featurizer: being timed", "idle"),) if fact is None and asks_for(choices).featurizer else ()
    if math.isnan(fact.cost_s):
        return (Line(fact.text, "idle"),)
    fast = fact.cost_s <= TOO_SLOW_S
    message = f"featurizer takes {fact.cost_s:.2f} s of each second"
    return (Line(message if fast else f"{message}: too slow", "good" if fast else "bad"),)


def protocol_lines(choices: Choices, found: Found) -> tuple[Line, ...]:
    """Return the summary of the protocol's blocks."""
    facts = found.get(asks_for(choices).protocol)
    if not isinstance(facts, ProtocolFacts) or facts.protocol is None:
        return ()
    if facts.problems:
        return (
            Line(f"{len(facts.problems)} thing{'s' if len(facts.problems) > 1 else ''} to correct: see below", "bad"),
        )
    protocol = facts.protocol
    lasts = "without an end" if protocol.seconds is None else f"{duration(protocol.seconds)} in all"
    blocks = [
        f"{block.kind} {duration(block.seconds)}" if block.seconds is not None else f"{block.kind} without an end"
        for block in protocol.blocks
    ]
    rule = protocol.feedback
    shown = any(block.kind in ("feedback", "transfer") for block in protocol.blocks)
    lines = [Line(f"{protocol.name}: {len(blocks)} block{'s' if len(blocks) > 1 else ''}, {lasts}")]
    lines.append(Line(" \N{RIGHTWARDS ARROW} ".join(blocks)))
    if shown:
        by = "" if rule.element == "mix" else f" by the {rule.element}"
        lines.append(Line(f"{rule.measure or rule.value}{by}, {listed(list(rule.rows), 2)}, shown as {rule.show}"))
    return tuple(lines)


def replay_lines(choices: Choices, found: Found) -> tuple[Line, ...]:
    """Return which protocol a replay has."""
    if choices.mode != "replay":
        return ()
    session = found.session(choices)
    if session is None:
        return (Line("none: a protocol is replayed with its session's folder"),)
    return (Line("the session's own" if session.plan.protocol.file is not None else "none, as the session ran"),)


def allocation_lines(choices: Choices, found: Found) -> tuple[Line, ...]:
    """Return the hash of the sealed allocation, and nothing else of it."""
    fact = found.get(asks_for(choices).allocation)
    if not isinstance(fact, AllocationFacts):
        return ()
    return (Line(f"sealed, SHA-256 {fact.sha256[:16]}\N{HORIZONTAL ELLIPSIS}"),)


def results_lines(choices: Choices, found: Found, persons: tuple[StreamInfo, ...]) -> tuple[Line, ...]:
    """Return how much room there is for the results."""
    facts = found.get(asks_for(choices).out)
    if not isinstance(facts, FolderFacts):
        return ()
    text = f"{size(facts.free)} free"
    if persons and choices.mode == "live":
        text += f": {duration(room_s(facts, persons))} of these streams"
    return (Line(text, "good"),)


def session_lines(choices: Choices, found: Found) -> tuple[str, ...]:
    """Return what holds of a recorded session and cannot be chosen: its sound. Empty where there is none."""
    session = found.session(choices) if choices.mode == "replay" else None
    if session is None:
        return ()
    sound = session.ran.get("sound", {})
    kind = {
        "file": "a file",
        "device": "a sound device",
        "stream": "an LSL stream",
        "protocol": "its protocol's sounds",
    }
    name = f" ({sound['name']})" if sound.get("name") else ""
    return (f"As the session ran: {kind.get(str(sound.get('kind')), 'none')}{name}.",)


def demo_lines(choices: Choices, found: Found) -> tuple[str, ...]:
    """Return what the demo is, for each of the parts that need no choice in it: EEG, sound, bundle."""
    fact = found.get(asks_for(choices).demo)
    first = " It is made the first time: about half a minute." if isinstance(fact, DemoFacts) and not fact.made else ""
    return (
        "A synthetic participant, 24 channels at 250 Hz, is sent over LSL by this computer.",
        "The participant listens to a synthetic sound that the bundle was not fitted on.",
        f"A bundle fitted to a synthetic cohort.{first} Nothing here says anything about people.",
    )
