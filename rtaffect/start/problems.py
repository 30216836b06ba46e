"""What still prevents the start, and what else should be known before it: pure functions of choices and findings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rtaffect.common.errors import RtaffectError
from rtaffect.plan.conflicts import conflicts
from rtaffect.plan.session_plan import parse_speed
from rtaffect.predicted.featurizer import TOO_SLOW_S
from rtaffect.sources.boards import parse_board
from rtaffect.sources.peripheral import Asked
from rtaffect.start.choices import Choices, plan_of
from rtaffect.start.fields import part_in, peripheral_in, rate_in, threads_in
from rtaffect.start.fit import BundleFit, fit_of, people_of, reference_troubles
from rtaffect.start.found import DemoFacts, FeaturizerFacts, Found, RecordingFacts, Trouble, asks_for, in_effect
from rtaffect.start.of_stream import plan_of_stream
from rtaffect.start.problem import Problem, looked, refused
from rtaffect.start.problems_affect import affect_problems
from rtaffect.start.problems_session import protocol_problems, results_problems
from rtaffect.start.problems_sound import protocol_plays, sound_problems
from rtaffect.start.streams import StreamFacts, is_of, missing, queries_of, ticked, twins
from rtaffect.start.wording import in_window
from rtaffect.stream.source import StreamInfo

#: Without any stream for this long, none is to be expected, s.
NOBODY_S: Final = 3.0


def all_lines(choices: Choices, found: Found) -> list[Problem]:
    """Return all that is to be said of these choices: first what prevents the start, then what is waited for."""
    given, choices = choices, in_effect(choices, found)
    persons, wrong = people_of(choices, found)
    fit = fit_of(choices, found, persons)
    parts = (
        _recording(choices, found),
        _streams(choices, found, wrong) if choices.mode != "demo" else (),
        sound_problems(choices, found, persons) if choices.mode != "demo" else (),
        _bundle(choices, found, persons, fit),
        affect_problems(choices, found, persons),
        protocol_problems(choices, found, fit),
        results_problems(choices, found, persons),
        _stands_back(given, choices, found),
    )
    lines = [Problem(line.where, in_window(line.text), line.kind, line.uid) for part in parts for line in part]
    if not any(line.kind != "note" for line in lines):
        lines += _plan(choices)
    order = {"stop": 0, "wait": 1, "note": 2}
    # What is wrong with two fields alike is told once.
    once = {line.text: line for line in reversed(lines)}
    return sorted((line for line in lines if once[line.text] is line), key=lambda line: order[line.kind])


def _recording(choices: Choices, found: Found) -> Iterator[Problem]:
    if choices.mode == "live":
        return
    try:
        factor = parse_speed(choices.speed)
        if choices.mode == "demo" and factor not in (None, 1.0):
            yield Problem("speed", f"Speed {choices.speed!r} is not possible for the demo; choose 1 or max")
    except RtaffectError as error:
        yield refused(error, "speed")
    if choices.mode == "demo":
        return
    if not choices.recording.strip():
        yield Problem("recording", "No recording is chosen: choose an XDF file, or the folder of a session")
        return
    facts = yield from looked(asks_for(choices).recording, found, "recording", "The recording is being read")
    if isinstance(facts, RecordingFacts):
        for warning in facts.warnings:
            yield Problem("recording", warning, "note")
        yield from _as_it_ran(choices, found)


def _as_it_ran(choices: Choices, found: Found) -> Iterator[Problem]:
    """Say what a recorded session ran with that is another one now."""
    session, protocol = found.session(choices), found.protocol(choices)
    if session is None or protocol is None:
        return
    if session.ran.get("protocol_sha256", protocol.sha256) != protocol.sha256:
        text = f"Protocol {choices.protocol} has changed since the session ran: put the file back as it was"
        yield Problem("recording", text)


def _streams(choices: Choices, found: Found, wrong: tuple[Trouble, ...]) -> Iterator[Problem]:
    streams = found.streams_for(choices)
    chosen = ticked(choices, streams)
    try:
        rate_in(choices.rate)
    except RtaffectError as error:
        yield refused(error, "rate")
        wrong = ()
    if choices.mode == "replay":
        try:
            part_in(choices.part)
        except RtaffectError as error:
            yield refused(error, "part")
    yield from _single(choices)
    yield from _peripheral(choices, streams)
    for query in missing(choices, streams):
        where = "is not in the recording" if choices.mode == "replay" else "does not answer now"
        remedy = "untick its line" if choices.mode == "replay" else "switch its device on, or untick its line"
        yield Problem("streams", f"The stream with {query.describe()} {where}: {remedy}")
    if choices.mode == "live":
        yield from (Problem("streams", line) for line in twins(chosen))
    yield from filter(None, map(_undescribed, chosen))
    yield from (refused(trouble, "streams") for trouble in wrong)
    if choices.mode == "live":
        yield from _boards(choices, found)
    if not chosen and not choices.boards and not choices.wears_none and not missing(choices, streams):
        yield from _nobody(choices, found)


def _peripheral(choices: Choices, streams: tuple[StreamFacts, ...]) -> Iterator[Problem]:
    """Say which streams of peripheral signals are asked for in vain."""
    try:
        queries = [Asked.parse(text).query for text in peripheral_in(choices.peripheral)]
    except RtaffectError as error:
        yield refused(error, "peripheral")
        return
    for query in queries:
        if not any(stream.meets([query]) for stream in streams):
            where = "is not in the recording" if choices.mode == "replay" else "does not answer now"
            yield Problem(
                "peripheral", f"The peripheral stream with {query.describe()} {where}: take it out, or name another"
            )


def _single(choices: Choices) -> Iterator[Problem]:
    """Say what is wrong with what is given for single streams."""
    for each in choices.headsets:
        try:
            if not each.is_blank:
                plan_of_stream(each)
        except RtaffectError as error:
            problem = refused(error, "headsets")
            yield Problem(problem.where, f"{each.stream}: {problem.text}")


def _stands_back(given: Choices, choices: Choices, found: Found) -> Iterator[Problem]:
    """Say which streams are not there of which something is said alone."""
    streams = found.streams_for(choices)
    for each in given.headsets if not choices.as_it_ran else ():
        if each not in choices.headsets and not any(is_of(each, stream.header) for stream in streams):
            text = f"{each.stream} takes no part now: what is said of it alone stands back"
            yield Problem("headsets", text, "note")


def _undescribed(stream: StreamFacts) -> Problem | None:
    """Say why a stream has not said what its channels are; None if it has."""
    if stream.trouble:
        return Problem("streams", stream.trouble)
    if not stream.described and stream.header.format != "string":
        return Problem("streams", f"Stream {stream.header.name!r} is being asked for its channels", "wait")
    return None


def _boards(choices: Choices, found: Found) -> Iterator[Problem]:
    for text in choices.boards:
        try:
            parse_board(text)
        except RtaffectError as error:
            yield Problem("boards", in_window(error))
            continue
        if text not in found.boards:
            summary = f"Board {text} is opened when its line is selected: whether it answers and fits is not known yet"
            yield Problem("boards", summary, "note")


def _nobody(choices: Choices, found: Found) -> Iterator[Problem]:
    """Say why no stream is ticked."""
    streams = found.streams_for(choices)
    eeg = [stream for stream in streams if stream.may_be_eeg]
    if choices.mode == "replay":
        if isinstance(found.get(asks_for(choices).recording), RecordingFacts):
            summary = "No stream is ticked" if eeg else "The recording has no stream of numbers that may be EEG"
            yield Problem("streams", f"{summary}: {'tick the EEG' if eeg else 'choose another recording'}")
        return
    if eeg:
        summary = "No EEG stream is ticked" if not queries_of(choices) else "None of the streams is of type EEG"
        yield Problem("streams", f"{summary}: tick the line of each headset that takes part")
    elif found.searched_s < NOBODY_S:
        yield Problem("streams", "Streams are being looked for on the network", "wait")
    else:
        yield Problem(
            "streams",
            "No EEG stream answers: switch the headset on and start streaming in its program; both computers must be "
            "in one network, and a firewall must let LSL through (UDP 16571, TCP and UDP 16572-16604)",
        )


def _bundle(choices: Choices, found: Found, persons: tuple[StreamInfo, ...], fit: BundleFit) -> Iterator[Problem]:
    try:
        threads_in(choices.threads)
    except RtaffectError as error:
        yield refused(error, "threads")
    if choices.mode == "demo":
        yield from _demo(choices, found)
        return
    yield from looked(asks_for(choices).bundle, found, "bundle", "The bundle is being read")
    yield from looked(asks_for(choices).settings, found, "settings", "The settings are being read")
    yield from looked(asks_for(choices).head, found, "head", "The operator is being read")
    for where, text in fit.wrong:
        yield Problem(where, text)
    yield from _featurizer(choices, found)
    facts = found.bundle(choices)
    if facts is not None and facts.demo:
        text = "The demo's bundle is synthetic: its predictions mean nothing for people"
        yield Problem("bundle", text, "note")
    elif facts is not None and facts.bundle.manifest.synthetic:
        yield Problem("bundle", "The bundle is synthetic: its predictions mean nothing for people", "note")
    yield from _compared(choices, found, persons)


def _demo(choices: Choices, found: Found) -> Iterator[Problem]:
    waiting = "The demo's protocol is being looked for; where the demo has not run yet, it is made: half a minute, once"
    waiting = waiting if choices.with_protocol else "The demo is looked for"
    demo = yield from looked(asks_for(choices).demo, found, "mode", waiting)
    if isinstance(demo, DemoFacts) and not demo.made:
        text = "The demo's sound, participant and bundle are made first, once: about half a minute"
        yield Problem("mode", text, "note")


def _featurizer(choices: Choices, found: Found) -> Iterator[Problem]:
    fact = found.get(asks_for(choices).featurizer)
    if isinstance(fact, Trouble) and not isinstance(found.get(asks_for(choices).bundle), Trouble):
        yield Problem("featurizer", fact.text)
    elif isinstance(fact, FeaturizerFacts) and fact.cost_s > TOO_SLOW_S:
        yield Problem("featurizer", fact.text, "note")


def _compared(choices: Choices, found: Found, persons: tuple[StreamInfo, ...]) -> Iterator[Problem]:
    """Say with whom people are compared, where that is impossible or may not be meant."""
    alone, against = len(persons) == 1, choices.against
    if against == "group" and alone:
        yield Problem(
            "against",
            "One headset alone has no others to be compared with: tick another, or compare with the reference",
        )
    elif against == "reference" or choices.sound_kind == "stimulus":
        for line in reference_troubles(choices, found):
            yield Problem("against" if against == "reference" else "stimulus", line)
        if against == "reference" and not choices.bundle.strip() and choices.sound_kind == "none":
            yield Problem("bundle", "No bundle is chosen, so there is no reference to compare with: choose one")
    elif alone and against == "auto":
        yield from _observed(choices, found)


def _observed(choices: Choices, found: Found) -> Iterator[Problem]:
    """Say why nothing will be observed with one headset."""
    # Whatever the field of the sound says, a protocol's own sounds are played.
    known = asks_for(choices).sound is not None or choices.sound_kind == "protocol" or protocol_plays(choices, found)
    if without := reference_troubles(choices, found):
        yield Problem("against", f"Nothing will be observed with one headset: {without[0]}", "note")
    elif not (known and choices.bundle.strip()) and choices.mode == "live":
        text = (
            "Nothing will be observed: one headset is compared with a bundle's reference to a known sound, or with "
            "another headset"
        )
        yield Problem("sound", text, "note")


def _plan(choices: Choices) -> list[Problem]:
    """Say what the plan itself refuses, which nothing above has."""
    try:
        return [refused(error, "mode") for error in conflicts(plan_of(choices))]
    except RtaffectError as error:
        return [refused(error, "mode")]
