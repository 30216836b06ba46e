"""Lets the participant hear sounds, each from a wanted time on the LSL clock, and keeps them in their place."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import soxr
from numpy.typing import NDArray
from pylsl import local_clock

from rtaffect.common.errors import SoundError
from rtaffect.common.words import often
from rtaffect.outputs.cue import Cue
from rtaffect.outputs.dac_clock import DacClock
from rtaffect.outputs.in_place import InPlace
from rtaffect.sources.sound_devices import SoundDevice, choose_sound_device, portaudio, supported_rates
from rtaffect.sources.stream_clock import StreamClock
from rtaffect.sources.stream_keeper import Kept, StreamKeeper
from rtaffect.stream.doubt import Doubts
from rtaffect.stream.sound_reading import read_samples

PlayerState = Literal["waiting", "playing", "finished", "stopped", "lost"]
#: Takes what is wrong with the sound, in words, and when that was, s on the LSL clock.
Tell = Callable[[str, float], None]

#: Silence that follows the sound, s beyond the declared latency: some hosts drop what is still in the device.
TAIL_S: Final = 0.1
#: Silence that goes first, s: the DAC times of the blocks that fill an empty device are not yet right.
SETTLE_S: Final = 0.5
#: What the device is asked to hold, s: it plays on where this program is held up for less. What is heard is placed by
#: the DAC times, however long it waits there; with less, sound servers are often empty, and their times jitter.
LATENCY_S: Final = 0.12


def describe_counts(counts: Mapping[str, float]) -> str:
    """Return in words what :attr:`CuePlayer.counts` say went wrong; empty where nothing did."""
    if not counts["breaks"] and not counts["underflows"]:
        return ""
    causes = (("ran dry", counts["underflows"]), ("was lost", counts["losses"]))
    why = ", ".join(f"{what} {often(count)}" for what, count in causes if count)
    return (
        f"the sound was out of its place {often(counts['breaks'])}, for {counts['displaced_s']:.1f} s in all"
        f"{f' (its device {why})' if why else ''}; what rests on that is withheld"
    )


class CuePlayer:
    """Plays silence on an output device, and in it each cue from its own time on, to the very frame.

    The plan is kept: each block of the device's frames gets what should be heard when that block leaves the converter.
    So a drifting device is followed frame by frame; after the device ran dry, the process was stopped or the device was
    gone, the sound goes on where it should be by then, and what was heard, or not, until then is in doubt.

    Parameters
    ----------
    device
        Index or part of the name of the device; None takes the system's default output, and, when that is gone, what
        is the default by then.
    channels
        How many are played.
    rate
        Hz; the device's own where it does not support it.

    Raises
    ------
    SoundError
        If PortAudio or the device is missing or ambiguous.

    Attributes
    ----------
    doubts : Doubts
        Gets the times at which the sound is not heard where it should be; to be set before :meth:`start`.
    tell : callable or None
        Gets what is wrong, in words and with its time, from a thread of the player's.
    underflows : int
        How often the device ran dry.
    gain_db : float
        How loud it plays, dB against the sounds' own level; a change is faded over one block. What is planned, kept
        and recorded of a sound is the sound itself.
    """

    def __init__(self, device: int | str | None, channels: int, rate: float) -> None:
        self.device = choose_sound_device(device, "output")
        self._channels = channels
        self.rate = float(rate)
        if not supported_rates(self.device, "output", channels, (self.rate,)):
            self.rate = self.device.rate
        # Replaced as a whole, so that the callback needs no lock.
        self._cues: tuple[Cue, ...] = ()
        self._in_place = InPlace()
        self.tell: Tell | None = None
        self.gain_db = self._played_db = 0.0
        self.underflows = self.losses = self._told_underflows = 0
        self._done = threading.Event()
        self._ended = self._stopping = False
        kept = Kept(self._make, f"at {self.rate:g} Hz", "device", self._on_loss, self._on_return, self._look)
        self._keeper = StreamKeeper(self.device, "output", kept, any_default=device is None)
        self._begin_stream()

    @property
    def doubts(self) -> Doubts:
        """Where doubts about the place of the sound are told."""
        return self._in_place.ledger

    @doubts.setter
    def doubts(self, ledger: Doubts) -> None:
        self._in_place.ledger = ledger

    @property
    def lag_s(self) -> float:
        """How far the newest sound lay last behind where it should be, s, before that was taken back; NaN before."""
        heard = [cue.lag_s for cue in self._cues[-1:] if cue.begun]
        return heard[0] if heard else math.nan

    @property
    def device_zero(self) -> float:
        """When the first frame given to the device left it, at even playing since, s on the LSL clock; NaN before.

        It grows with the drift of the device's clock, and when the device runs dry or is opened anew.
        """
        return self._clock.origin

    @property
    def counts(self) -> dict[str, float]:
        """How often the device ran dry or was lost, and how often and how long, s, the sound was not in its place."""
        return {
            "underflows": self.underflows,
            "losses": self.losses,
            "breaks": self._in_place.breaks,
            "displaced_s": round(self._in_place.displaced_s, 3),
        }

    @property
    def state(self) -> PlayerState:
        """Where the player stands; 'lost' while its device is gone."""
        if self._done.is_set():
            return "finished" if self._ended else "stopped"
        if self._keeper.lost:
            return "lost"
        return "playing" if any(cue.begun for cue in self._cues) else "waiting"

    def _start(self) -> None:
        if self._keeper.stream is not None or self._done.is_set():
            raise RuntimeError("a player starts once; make a new one")
        try:
            self._keeper.start()
        except SoundError:
            self.stop()
            raise

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most ``timeout`` s until the sound has ended or was stopped; return whether it has."""
        return self._done.wait(timeout)

    def stop(self) -> None:
        """Be silent at once and release the device; may be called twice."""
        self._stopping = True
        self._keeper.stop()
        self._look()
        self._in_place.end()
        self._done.set()

    def _add(self, name: str, columns: NDArray[np.float32], onset: float) -> Cue:
        cue = Cue(name, np.ascontiguousarray(columns, np.float32), onset, self.rate)
        self._cues = (*(c for c in self._cues if not c.done), cue)
        self._in_place.expect(self._cues)
        return cue

    # -- the device --------------------------------------------------------------------------------------------------

    def _begin_stream(self) -> None:
        self._clock, self._stream_clock, self._written = DacClock(self.rate), StreamClock(), 0
        for cue in self._cues:
            cue.pause()

    def _make(self, sd: Any, device: SoundDevice, finished: Callable[[], None]) -> Any:
        self._begin_stream()
        return sd.OutputStream(
            samplerate=self.rate,
            device=device.index,
            channels=self._channels,
            dtype="float32",
            latency=LATENCY_S,
            callback=self._on_block,
            finished_callback=lambda: self._done.set() if self._ended else finished(),
        )

    def _on_loss(self, words: str) -> None:
        self.losses += 1
        self._in_place.lose(f"{words}; until then nobody hears the sound", self._cues)
        self._tell(words, local_clock())

    def _on_return(self) -> None:
        self.device = self._keeper.device
        self._tell(f"sound device {self.device.describe()} plays again", local_clock())

    def _look(self) -> None:
        """Tell what the callback noticed; on the keeper's thread."""
        if self._ended:
            self._keeper.stop()
        if self.underflows > self._told_underflows:
            more = self.underflows - self._told_underflows
            self._told_underflows = self.underflows
            self._tell(f"the sound device ran dry {more} time{'s' if more > 1 else ''} (underflow)", local_clock())
        for words, since in self._in_place.news():
            self._tell(words, since)

    def _tell(self, words: str, at: float) -> None:
        if self.tell is not None:
            self.tell(words, at)

    # -- its callback ------------------------------------------------------------------------------------------------

    def _on_block(self, out: NDArray[np.float32], frames: int, time_info: Any, status: Any) -> None:
        now, underflow = local_clock(), bool(status.output_underflow)
        self._keeper.beat()
        self.underflows += underflow
        interrupted = self._clock.note(self._written, self._leaves(time_info, now), underflow=underflow)
        leaves = self._clock.leaves(self._written)
        out[:] = 0.0
        if self._written >= SETTLE_S * self.rate:
            cues = self._cues
            moved = [cue.mix(out, leaves) for cue in cues if not cue.done]
            self._make_loud(out)
            torn = interrupted or any(moved)
            self._in_place.handed(cues, now, (leaves, leaves + frames / self.rate), self._clock.agrees, torn=torn)
        self._written += frames
        self._after(frames)

    def _make_loud(self, out: NDArray[np.float32]) -> None:
        """Give a block its loudness; at 0 dB it is as it is, bit for bit."""
        before, self._played_db = self._played_db, self.gain_db
        if before == self._played_db == 0.0:
            return
        first, last = 10 ** (before / 20), 10 ** (self._played_db / 20)
        out *= np.linspace(first, last, len(out), dtype=np.float32)[:, None]

    def _leaves(self, time_info: Any, now: float) -> float:
        """Return when the block's first frame leaves the converter, s on the LSL clock."""
        self._stream_clock.note(time_info.currentTime, now)
        if time_info.outputBufferDacTime > 0:
            return self._stream_clock.to_lsl(time_info.outputBufferDacTime)
        return now + float(self._keeper.stream.latency)

    def _after(self, frames: int) -> None:
        """Do what is to be done after a block; nothing."""


class SoundPlayer(CuePlayer):
    """Plays a sound once on an output device and reports when it really started.

    Silence is played from :meth:`start` on, while DAC times are watched; the sound then begins at the very frame
    that leaves the converter at the wanted onset.

    Parameters
    ----------
    samples
        float32 (n,) or (n, channels), full scale +-1. One channel goes to both ears; more channels than the device
        has are averaged.
    rate
        Rate of ``samples``, Hz. A device that does not support it gets the sound resampled to its own.
    device
        Index or part of the name of the device; None takes the system's default output.

    Raises
    ------
    SoundError
        If PortAudio or the device is missing or ambiguous, or there is nothing to play.
    """

    def __init__(self, samples: NDArray[np.float32], rate: float, device: int | str | None = None) -> None:
        if samples.ndim not in (1, 2) or not samples.size:
            raise SoundError(
                f"a sound of shape {samples.shape} cannot be played; expected (n,) or (n, channels), n > 0"
            )
        outputs = choose_sound_device(device, "output").outputs
        columns = np.asarray(samples, np.float32).reshape(len(samples), -1)
        if columns.shape[1] > outputs:
            columns = columns.mean(axis=1, keepdims=True)
        super().__init__(device, max(columns.shape[1], min(2, outputs)), rate)
        if self.rate != rate:
            columns = soxr.resample(columns, rate, self.rate)
        self._samples = columns
        self._tail = 0

    @classmethod
    def open(cls, path: Path, device: int | str | None = None) -> SoundPlayer:
        """Return a player of the sound file at ``path`` with its own rate and channels; raises SoundError."""
        samples, rate = read_samples(path)
        return cls(samples, rate, device)

    @property
    def duration_s(self) -> float:
        """Length of the sound, s."""
        return len(self._samples) / self.rate

    @property
    def actual_onset(self) -> float:
        """When the sound was first heard, s on the LSL clock; NaN before."""
        return self._cues[0].actual_onset if self._cues else math.nan

    def start(self, onset: float) -> None:
        """Open the device and let the first sample leave it at ``onset``, s on the LSL clock.

        An onset less than about a second ahead is missed: the sound is then joined where it should be by then, and
        ``actual_onset`` says when. Raises SoundError if the device cannot be opened.
        """
        if not self._cues:
            self._add("sound", self._samples, onset)
        self._start()

    def _after(self, frames: int) -> None:
        if not self._cues[0].done:
            return
        self._tail += frames
        if self._tail >= (float(self._keeper.stream.latency) + TAIL_S) * self.rate + frames:
            self._ended = True
            raise portaudio().CallbackStop
