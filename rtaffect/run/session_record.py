"""All that is written of a session while it runs: its folder, and in it the recording of what came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console

from rtaffect.common.errors import NotKeptError
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.timing import Timings
from rtaffect.outputs.affect_outlet import AFFECT_STREAM, AFFECT_TYPE, affect_channels, affect_values
from rtaffect.outputs.element_outlet import ELEMENT_STREAM, ELEMENT_TYPE, element_channels, element_values
from rtaffect.outputs.measure_outlet import MEASURE_STREAM, MEASURE_TYPE, measure_channels, measure_values
from rtaffect.outputs.outlet import (
    FEEDBACK_STREAM,
    FEEDBACK_TYPE,
    MARKER_STREAM,
    MARKER_TYPE,
    feedback_channels,
    feedback_values,
)
from rtaffect.plan.session_folder import BASELINE_FILE, FRAMES_FILE
from rtaffect.protocol.event import SessionEvent
from rtaffect.protocol.protocol_step import ProtocolStep
from rtaffect.protocol.shown_frame import ShownFrame
from rtaffect.record.affect_table import BASELINE_COLUMNS, baseline_lines
from rtaffect.record.recorder import RecordingStatus, Track
from rtaffect.record.session_writer import SessionWriter
from rtaffect.record.table import FRAME_COLUMNS, frame_line
from rtaffect.run.contact_record import ContactRecord
from rtaffect.run.session_sources import Run
from rtaffect.run.stage import StageSound
from rtaffect.stream.source import StreamHeader

SHOWN_STREAM: Final = "rtaffect-shown"
FRAMES_STREAM: Final = "rtaffect-frames"
FRAME_CHANNELS: Final = ("block", "frame", "time", "error", "dropped", "square")
SHOWN_CHANNELS: Final = ("block", "level", "success", "value", "low", "high", "threshold")


class SessionRecord:
    """What is written of a session: ``writer`` has its folder, without which nothing is.

    ``recording`` is None for a replay, too, whose data are recorded already.
    """

    def __init__(self, run: Run, writer: SessionWriter | None, console: Console | None = None) -> None:
        self._run, self._writer, self._console = run, writer, console
        self._ended = False
        self.recording = run.sources.recorder if writer is not None else None
        #: When steps were made, sent and seen; of a replay that says nothing.
        self.timings = Timings()
        self._timed = run.sources.plan.mode != "replay"
        self._stimulus_noted = False
        self._files: dict[Path, str] = {}
        self._stimuli: list[dict[str, str]] = []
        self._feedback, self._shown, self._markers = self._own_tracks()
        self._frames = self._frames_track()
        self._measures = self._measure_track()
        self._affect = self._affect_track()
        self._rests: set[str] = set()
        self._elements = self._element_track()
        self._contact: ContactRecord | None = None

    @classmethod
    def open(cls, run: Run, cleanup: ExitStack, console: Console) -> SessionRecord:
        """Make the session's folder and begin to record; raises SettingsError if that is impossible."""
        sources = run.sources
        out = sources.plan.results.out
        if out is None:
            return cls(run, None, console)
        writer = SessionWriter(out, sources.plan, run.ran)
        # Last of all, after the recording is closed: nothing is written then.
        records = cls(run, writer, console)
        cleanup.callback(records.seal)
        try:
            records._begin(cleanup, console)
        except BaseException:
            # What is left of a session that cannot begin would be in the way of the next try.
            if sources.recorder is not None:
                sources.recorder.discard()
            writer.discard()
            raise
        return records

    def _begin(self, cleanup: ExitStack, console: Console) -> None:
        """Begin to record, and keep what the session needs."""
        sources, writer = self._run.sources, self._writer
        assert writer is not None
        if sources.recorder is not None:
            sources.recorder.refuge = writer.refuge
            cleanup.callback(sources.recorder.close)
            sources.recorder.start()
            console.print(f"recording into {writer.folder}", style="dim", highlight=False)
        if sources.setup.projector is not None:
            writer.add_table(FRAMES_FILE, FRAME_COLUMNS)
        if self._run.engine.affect.wants_rest:
            writer.add_table(BASELINE_FILE, BASELINE_COLUMNS)
        self._contact = ContactRecord(self._run.engine, writer, sources.checked)
        if sources.setup.protocol is not None and sources.setup.protocol.path is not None:
            writer.keep_protocol(sources.setup.protocol.path)
        for path, sha256 in sources.stimuli.items():
            self._keep(path, sha256)

    def _keep(self, path: Path, sha256: str) -> str:
        """Copy a stimulus into the session's folder and return its place there."""
        assert self._writer is not None
        self._files[path] = file = self._writer.keep_stimulus(path)
        self._stimuli.append({"file": file, "sha256": sha256})
        self._writer.note(stimuli=self._stimuli)
        return file

    def _own_tracks(self) -> tuple[Track | None, Track | None, Track | None]:
        recorder = self.recording
        if recorder is None:
            return None, None, None
        channels = feedback_channels(self._run.engine.space)
        labels, units, quantities = zip(*((c.label, c.unit, c.quantity) for c in channels), strict=True)
        headers = (
            StreamHeader(FEEDBACK_STREAM, FEEDBACK_TYPE, 0.0, "double64", labels, units, quantities),
            StreamHeader(SHOWN_STREAM, "Shown", 0.0, "double64", SHOWN_CHANNELS),
            StreamHeader(MARKER_STREAM, MARKER_TYPE, 0.0, "string", ("marker",)),
        )
        feedback, shown, markers = (recorder.track(replace(each, source_id=each.name)) for each in headers)
        return feedback, shown, markers

    def _frames_track(self) -> Track | None:
        if self.recording is None or self._run.sources.setup.projector is None:
            return None
        return self.recording.track(
            StreamHeader(FRAMES_STREAM, "Frames", 0.0, "double64", FRAME_CHANNELS, source_id=FRAMES_STREAM)
        )

    def _measure_track(self) -> Track | None:
        """Return where the values of own measures are recorded; None without any."""
        channels = measure_channels(self._run.engine.measures.described)
        if self.recording is None or not channels:
            return None
        labels, units, kinds = (tuple(each[key] for each in channels) for key in ("label", "unit", "type"))
        return self.recording.track(
            StreamHeader(MEASURE_STREAM, MEASURE_TYPE, 0.0, "double64", labels, units, kinds, source_id=MEASURE_STREAM)
        )

    def _affect_track(self) -> Track | None:
        """Return where valence and arousal are recorded; None without a bundle of affect."""
        described = self._run.engine.affect.described
        if self.recording is None or described is None:
            return None
        channels = affect_channels(described.people)
        labels, units, kinds = (tuple(each[key] for each in channels) for key in ("label", "unit", "type"))
        return self.recording.track(
            StreamHeader(AFFECT_STREAM, AFFECT_TYPE, 0.0, "double64", labels, units, kinds, source_id=AFFECT_STREAM)
        )

    def _keep_rests(self) -> None:
        """Write people's rests, each once nothing can change it any more."""
        affect = self._run.engine.affect
        if self._writer is None or affect.reader is None or not affect.wants_rest:
            return
        found = {name: rest for name, rest in affect.baselines().items() if name not in self._rests}
        bands = [band.name for band in affect.reader.settings.bands]
        self._writer.lines(BASELINE_FILE, baseline_lines(found, affect.reader.channels, bands))
        self._rests |= set(found)

    def _element_track(self) -> Track | None:
        """Return where predictions of elements are recorded; None without any."""
        stage = self._run.engine.elements
        if self.recording is None or stage is None:
            return None
        channels = element_channels(self._run.engine.space, stage.elements)
        labels, units, kinds = (tuple(each[key] for each in channels) for key in ("label", "unit", "type"))
        return self.recording.track(
            StreamHeader(ELEMENT_STREAM, ELEMENT_TYPE, 0.0, "double64", labels, units, kinds, source_id=ELEMENT_STREAM)
        )

    def with_files(self, sounds: Mapping[Path, StageSound]) -> dict[Path, StageSound]:
        """Return the protocol's sounds with their places in the session's folder, into which they are copied."""
        if self._writer is None:
            return dict(sounds)
        return {path: replace(sound, file=self._keep(path, sound.sha256)) for path, sound in sounds.items()}

    def feedback(self, feedback: Feedback) -> None:
        """Write one step."""
        if self._writer is not None:
            self._writer(feedback)
            self._tell_stimulus(feedback)
            self._keep_rests()
            if self._contact is not None:
                self._contact.step(feedback.step)
            if self._timed:
                # The newest is still to be sent and seen.
                self._writer.timing(self.timings.take(before=feedback.step))
        if self._feedback is not None:
            self._feedback.samples(np.array([feedback.lsl_time]), feedback_values(feedback)[None])
        if self._measures is not None:
            self._measures.samples(np.array([feedback.lsl_time]), measure_values(feedback)[None])
        if self._affect is not None:
            self._affect.samples(np.array([feedback.lsl_time]), affect_values(feedback)[None])
        if self._elements is not None:
            self._elements.samples(np.array([feedback.lsl_time]), element_values(feedback)[None])

    def _tell_stimulus(self, feedback: Feedback) -> None:
        """Note once when a stimulus that no protocol plays began, as soon as that is known."""
        alignment = feedback.alignment
        if self._stimulus_noted or alignment is None or alignment.state != "locked":
            return
        self._stimulus_noted = True
        origin, onset = self._run.engine.origin, alignment.offset_s
        for path in self._run.sources.stimuli:
            file = self._files[path]
            self.event(SessionEvent(onset, origin + onset, "stimulus", path.name, stim_file=file))
            self.event(SessionEvent(onset, origin + onset, "marker", f"stimulus/{path.name}/begin"))

    def protocol_step(self, step: ProtocolStep) -> None:
        """Write one step of the protocol."""
        if self._writer is not None:
            self._writer.protocol_step(step)
        if self._shown is not None:
            level = np.nan if step.shown.level is None else step.shown.level
            values = (step.block, level, step.shown.success, step.value, step.low, step.high, step.threshold)
            when = np.array([self._run.engine.end_of(step.step)])
            self._shown.samples(when, np.array([values], np.float64))

    def frames(self, frames: Sequence[ShownFrame]) -> None:
        """Write which frames of films were seen."""
        if not frames:
            return
        if self._writer is not None:
            self._writer.lines(FRAMES_FILE, [frame_line(frame) for frame in frames])
        if self._frames is not None:
            white = [np.nan if f.white is None else float(f.white) for f in frames]
            values = [(f.block, f.frame, f.time, f.error_s, f.dropped) for f in frames]
            self._frames.samples(
                np.array([f.painted for f in frames]), np.column_stack([np.array(values, float), white])
            )

    def event(self, event: SessionEvent) -> None:
        """Write an event; from any thread."""
        if self._writer is not None:
            self._writer.event(event)
        if self._markers is not None and (text := event.marker) is not None:
            self._markers.texts([event.lsl_time], [text])

    def status(self) -> RecordingStatus:
        """Return how the recording is, with what is wrong with the tables."""
        assert self.recording is not None
        assert self._writer is not None
        status = self.recording.status()
        return replace(status, trouble=self.trouble)

    @property
    def folder(self) -> Path | None:
        """Where the session is written now; None where nothing is kept."""
        return self._writer.folder if self._writer is not None else None

    @property
    def trouble(self) -> str:
        """What is wrong with the folder, its tables and the recording now, in words; empty if nothing is."""
        recording = self.recording.status().trouble if self.recording is not None else ""
        tables = self._writer.trouble if self._writer is not None else ""
        return "; ".join(dict.fromkeys(part for each in (recording, tables) if each for part in each.split("; ")))

    def note(self, **known: object) -> None:
        """Add what is known of the run to ``session.toml``, once it is closed."""
        if self._writer is not None:
            self._writer.learn(**known)

    def close(self, outcome: str) -> None:
        """Note how the session ended."""
        self._ended = True
        if self._writer is not None:
            if self._contact is not None:
                self._contact.close()
            if self._timed:
                self._writer.timing(self.timings.take())
            self._writer.close(outcome)

    def require_kept(self) -> None:
        """Raise NotKeptError if the session that has ended is not whole, or not where it was to be."""
        if self._writer is None:
            return
        lost = self.recording.status().lost if self.recording is not None else 0
        if self._writer.refuge.left or self.trouble or lost:
            raise NotKeptError(f"the session has ended, but {self.trouble or f'{lost} samples are not recorded'}")

    def seal(self) -> None:
        """Take the hashes of the session's files, if it came to its end."""
        if self._writer is not None and self._ended:
            self._writer.seal()
            if self._writer.trouble and self._console is not None:
                self._console.print(self._writer.trouble, style="yellow")
