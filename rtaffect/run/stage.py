"""Leads a session through its protocol beside the engine: sounds that begin in time, events, and what is shown."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.engine.feedback import Feedback
from rtaffect.outputs.cue import Cue
from rtaffect.outputs.film_projector import Projector
from rtaffect.outputs.programme_player import ProgrammePlayer
from rtaffect.protocol.conductor import Conductor
from rtaffect.protocol.event import EventType, SessionEvent
from rtaffect.protocol.model import Block
from rtaffect.protocol.protocol_step import ProtocolStep
from rtaffect.run.told import Due, Told
from rtaffect.sources.programme import ProgrammeSource
from rtaffect.stream.audio import SAMPLE_RATE, read_sound, sound_sha256
from rtaffect.stream.sound_reading import read_samples
from rtaffect.timelock.stimulus import PlannedOnsets

#: Blocks that begin within this time are made ready, s.
_AHEAD_S: Final = 5.0
#: A sound that begins this much later than planned is told, s.
_LATE_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class StageSound:
    """A sound of the protocol: 16 kHz mono (n,) for the analysis, the file's own (m, channels) at ``rate`` to be heard.

    ``file`` is its path in the session's folder, empty without one.
    """

    path: Path
    samples: NDArray[np.float32]
    sha256: str
    stereo: NDArray[np.float32]
    rate: float
    file: str = ""

    @classmethod
    def read(cls, path: Path, file: str = "") -> StageSound:
        """Read a sound file; raises SoundError."""
        samples, _ = read_sound(path)
        return cls(path, samples, sound_sha256(samples), *read_samples(path), file)


class Stage:
    """A sink of Feedback that leads the protocol, whose blocks ``conductor`` knows, from ``origin`` (LSL time, s) on.

    Its own sinks get each ProtocolStep, on the engine's thread, and each event, from any. ``programme`` brings the
    protocol's ``sounds`` (by path) to the engine, and ``lock`` tells it where in them the session is; ``player`` lets
    them be heard, None where something else does, and ``projector`` shows the films among them. ``now`` gives the
    present time on the LSL clock, s, and ``stop`` is set when the protocol is over. ``told`` are marks and notes of the
    recorded session that this one is a replay of.
    """

    def __init__(
        self,
        conductor: Conductor,
        origin: float,
        *,
        sounds: Mapping[Path, StageSound],
        programme: ProgrammeSource,
        lock: PlannedOnsets,
        player: ProgrammePlayer | None,
        on_protocol_step: Sequence[Callable[[ProtocolStep], None]],
        on_event: Sequence[Callable[[SessionEvent], None]],
        now: Callable[[], float],
        stop: threading.Event,
        projector: Projector | None = None,
        told: Sequence[Due] = (),
    ) -> None:
        self.conductor, self._origin, self._sounds = conductor, origin, sounds
        self._programme, self._lock, self._player, self._projector = programme, lock, player, projector
        self._on_protocol_step, self._on_event, self._now = on_protocol_step, on_event, now
        self._seen = self._spent = 0
        self._ready: tuple[int, float] | None = None
        self._playing: tuple[Block, StageSound, float] | None = None
        self._cues: list[Cue] = []
        self._stop = stop
        self._told = Told(told)

    def begin(self) -> None:
        """Make ready what begins soon after the session's zero."""
        self._send("session/begin", 0.0)
        self._prepare(0.0)

    def end(self, at: float | None = None) -> None:
        """Note the session's end, at ``at`` s of session time or now."""
        self._send("session/end", self._now() - self._origin if at is None else at)

    def mark(self, text: str) -> None:
        """Note a marker of the operator's, now; from any thread."""
        self._tell("key", text, self._now() - self._origin)

    def note(self, text: str, at: float) -> bool:
        """Note a marker of another program's, which came at ``at`` (s, LSL clock); from any thread.

        One that says what a mark of the protocol is for is that mark, and True is returned.
        """
        known = next((mark.name for mark in self.conductor.protocol.marks if mark.is_said_by(text)), None)
        if known is not None:
            self.mark_as(known, at)
        else:
            self._send(f"mark/{text}", at - self._origin)
        return known is not None

    def mark_as(self, name: str, at: float) -> None:
        """Note one of the protocol's marks, which was set at ``at`` (s, LSL clock); from any thread."""
        self._tell("mark", name, at - self._origin)

    def remark(self, text: str, at: float) -> None:
        """Note what the operator says of the time ``at`` (s, LSL clock); from any thread."""
        self._tell("note", text, at - self._origin)

    def __call__(self, feedback: Feedback) -> None:
        """Take one step."""
        self._tell_again(feedback.time)
        protocol_step = self.conductor.step(feedback)
        self._happen()
        self._sound_may_end(feedback.time)
        self._prepare(feedback.time)
        self._look_at_cues()
        if self._projector is not None:
            for words, at in self._projector.look(self._now()):
                self.fault(words, at)
        for sink in self._on_protocol_step:
            sink(protocol_step)
        if protocol_step.phase == "done":
            self._stop.set()

    def _tell_again(self, time: float) -> None:
        """Tell the marks and notes of the recorded session that were told before the step that ends at ``time``, s."""
        for event in self._told.until(time):
            for sink in self._on_event:
                sink(event)

    def _happen(self) -> None:
        """Do and tell what has happened in the protocol since the last step."""
        for event in self.conductor.events_since(self._seen):
            self._seen += 1
            block = self.conductor.protocol.blocks[event.block - 1]
            if event.what == "block-begin":
                self._block_begins(block, event.onset)
            elif event.what == "block-end":
                self._block_ends(block, event.onset)
            elif event.what == "block-pause":
                self._block_pauses(block, event.onset)
            elif event.what == "block-resume":
                self._block_goes_on(block, event.onset)
            else:
                self._tell("key", event.what, event.onset, block)
            if event.what in ("skip", "pause", "repeat"):
                self._silence(event.onset)

    def _prepare(self, now_s: float) -> None:
        """Place the sound of the block that begins next, if it begins soon."""
        for start, block in self.conductor.upcoming(now_s)[:1]:
            if start > now_s + _AHEAD_S or block.sound is None or self._ready == (block.number, start):
                continue
            sound, seconds, spent = self._sounds[block.sound], _seconds_of(block), self.conductor.spent_of(block)
            self._ready = block.number, start
            length = min(seconds, len(sound.samples) / SAMPLE_RATE)
            self._place_picture(block, start, spent, max(length, block.picture_s))
            if spent >= length:
                continue
            self._programme.place(_part(sound.samples, SAMPLE_RATE, spent, seconds), self._origin + start)
            self._lock.place(sound.sha256, start, start + length - spent, spent=spent)
            if self._player is not None:
                heard = _part(sound.stereo, sound.rate, spent, seconds)
                self._cues.append(self._player.place(sound.path.name, heard, sound.rate, self._origin + start))

    def _place_picture(self, block: Block, start: float, spent: int, length: float) -> None:
        """Place the picture of a block, if it has one, from ``start`` on, after ``spent`` s of its ``length``."""
        if self._projector is None or block.picture is None:
            return
        begin, left = self._origin + start, min(_seconds_of(block), length) - spent
        if left > 0:
            self._projector.place(
                block.picture, block.number, begin, begin + left, spent=float(spent), aside=self._aside(block)
            )

    def _aside(self, block: Block) -> bool:
        """Return whether feedback is to be seen beside a block's film."""
        return block.kind == "feedback" and self.conductor.protocol.feedback.show != "tone"

    def _silence(self, at: float) -> None:
        """End what is heard, and what was to be, at ``at`` s of session time."""
        self._programme.cut(self._origin + at)
        self._lock.cut(at)
        self._ready = None
        if self._player is not None:
            self._player.cut()
        if self._projector is not None:
            self._projector.cut(self._origin + at)

    def _block_begins(self, block: Block, onset: float) -> None:
        self._tell("practice" if block.practice else "block", block.name, onset, block, duration=_seconds_of(block))
        self._send(f"{_called(block)}/begin", onset)
        self._sound_begins(block, onset, 0.0)

    def _sound_begins(self, block: Block, onset: float, spent: float) -> None:
        """Tell that a block's sound begins, or goes on after ``spent`` s of it."""
        if block.sound is None:
            return
        sound = self._sounds[block.sound]
        length = min(_seconds_of(block), len(sound.samples) / SAMPLE_RATE) - spent
        if length <= 0:
            return
        self._playing = block, sound, onset + length
        what: EventType = "stimulus-resume" if spent else "stimulus"
        self._tell(what, sound.path.name, onset, block, duration=length, stim_file=sound.file)
        self._send(f"stimulus/{sound.path.name}/{'resume' if spent else 'begin'}", onset)

    def _block_pauses(self, block: Block, onset: float) -> None:
        self._sound_may_end(onset, whatever=True)
        self._tell("block-pause", block.name, onset, block)
        self._send(f"{_called(block)}/pause", onset)
        self._spent = self.conductor.spent_of(block)

    def _block_goes_on(self, block: Block, onset: float) -> None:
        self._tell("block-resume", block.name, onset, block)
        self._send(f"{_called(block)}/resume", onset)
        self._sound_begins(block, onset, self._spent)

    def _block_ends(self, block: Block, onset: float) -> None:
        self._sound_may_end(onset, whatever=True)
        self._tell("practice-end" if block.practice else "block-end", block.name, onset, block)
        self._send(f"{_called(block)}/end", onset)

    def _sound_may_end(self, now_s: float, *, whatever: bool = False) -> None:
        if self._playing is None or (self._playing[2] > now_s and not whatever):
            return
        block, sound, end = self._playing
        self._playing = None
        self._tell("stimulus-end", sound.path.name, min(end, now_s), block, stim_file=sound.file)
        self._send(f"stimulus/{sound.path.name}/end", min(end, now_s))

    def _look_at_cues(self) -> None:
        """Tell of sounds that began late; the player has joined them where they should be, and told the doubt."""
        for cue in [cue for cue in self._cues if cue.begun]:
            self._cues.remove(cue)
            if abs(cue.late_s) > _LATE_S:
                self._tell("fault", f"{cue.name} was heard {cue.late_s:+.3f} s from its time", cue.onset - self._origin)

    def fault(self, words: str, at: float) -> None:
        """Note what went wrong with sound or picture, at ``at`` (s, LSL clock); from any thread."""
        self._tell("fault", words, at - self._origin)

    def _send(self, text: str, onset: float) -> None:
        self._tell("marker", text, onset)

    def _tell(
        self,
        what: EventType,
        name: str,
        onset: float,
        block: Block | None = None,
        *,
        duration: float = math.nan,
        stim_file: str = "",
    ) -> None:
        number, kind = (block.number, block.kind) if block is not None else (0, "")
        event = SessionEvent(onset, self._origin + onset, what, name, duration, number, kind, stim_file)
        for sink in self._on_event:
            sink(event)


def _part(samples: NDArray[np.float32], rate: float, spent: float, seconds: float) -> NDArray[np.float32]:
    """Return what of a sound is heard in a block of so many seconds, after ``spent`` s of it."""
    return samples[round(spent * rate) : None if math.isinf(seconds) else round(seconds * rate)]


def _seconds_of(block: Block) -> float:
    return float(block.seconds or math.inf)


def _called(block: Block) -> str:
    """Return how a block is called in markers."""
    return f"{'practice' if block.practice else 'block'}/{block.number}/{block.kind}"
