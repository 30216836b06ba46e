"""Separators: the voice of a mixture, and the background that is left of it.

The elements of a sound are ``mix``, ``voice`` and ``background``, the mixture less the voice, all float32 mono at 16
kHz and at the same place to the sample. A separator of ``streaming`` mode makes them second by second, of any sound;
one of ``spectra`` mode needs the whole sound, at a rate of its own, as a file has it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.signal.windows import hann

from rtaffect.common.arrays import Float32Array
from rtaffect.common.errors import ArtifactError
from rtaffect.common.files import sha256_of
from rtaffect.predicted.featurizer_file import CPU, failures_to_run, featurizer_content, open_inference_session
from rtaffect.predicted.manifest import SAMPLE_RATE
from rtaffect.predicted.separator_file import SeparatorManifest, read_separator_manifest
from rtaffect.predicted.state_rows import StateRows
from rtaffect.stream.audio import SoundResampler, mono_of

#: The U-Nets of spectra halve their frames so often that their number must be a multiple of this.
_TIMES: Final = 64

Done = Callable[[float], None]


class Elements(NamedTuple):
    """A sound and its parts, each float32 (n,), mono at 16 kHz."""

    mix: Float32Array
    voice: Float32Array
    background: Float32Array


class Separator:
    """A loaded separator, from :meth:`load`. Calls keep no state; :meth:`stream` gives what does."""

    def __init__(self, session: Any, manifest: SeparatorManifest, sha256: str) -> None:
        self._session, self.manifest, self.sha256 = session, manifest, sha256

    @classmethod
    def load(cls, path: Path, threads: int = 1) -> Self:
        """Read, check and open the separator file at ``path``; raises ArtifactError if it is anything else."""
        content = featurizer_content(path)
        session = open_inference_session(path, content, threads, CPU)
        return cls(session, read_separator_manifest(session, path), sha256_of(content))

    @property
    def streams(self) -> bool:
        """Whether it can separate sound that nobody knows beforehand."""
        return self.manifest.mode == "streaming"

    @property
    def lookahead_s(self) -> float:
        """How much sound after a second it needs for it, s."""
        return self.manifest.lookahead / self.manifest.sample_rate

    def stream(self) -> SeparatorStream:
        """Return a new pass over a sound; ArtifactError if it needs whole sounds."""
        if not self.streams:
            raise ArtifactError(
                f"separator {self.manifest.name} needs the whole sound; for captured sound take one that streams"
            )
        return SeparatorStream(self._session, self.manifest)

    def elements_of(
        self, mix: Float32Array, samples: Float32Array, rate: float, done: Done = lambda share: None
    ) -> Elements:
        """Return the elements of a whole sound.

        Parameters
        ----------
        mix
            float32 (n,), mono at 16 kHz, as a session hears it.
        samples
            float32 (m, channels), the same sound as its file has it. A streaming separator does without.
        rate
            Of ``samples``, Hz.
        done
            Called now and then with the share that is done, 0 to 1.

        Raises
        ------
        ArtifactError
            If the separator cannot be run, or gives what is no sound.
        """
        voice = self._by_seconds(mix, done) if self.streams else self._by_spectra(samples, rate, done)
        _check_finite(self.manifest, voice)
        # Converters of rates may differ in the last samples.
        voice = np.pad(voice[: len(mix)], (0, max(0, len(mix) - len(voice))))
        return Elements(mix, voice, mix - voice)

    def cost_s(self, turns: int = 3) -> float:
        """Return how long a second of a stream takes here, s: the median of ``turns`` after one to warm up."""
        stream, sound = self.stream(), np.zeros(SAMPLE_RATE + self.manifest.lookahead, np.float32)
        spent = []
        for _ in range(turns + 1):
            begin = time.perf_counter()
            stream.step(sound)
            spent.append(time.perf_counter() - begin)
        return float(np.median(spent[1:]))

    def _by_seconds(self, mix: Float32Array, done: Done) -> Float32Array:
        stream, count = self.stream(), -(-len(mix) // SAMPLE_RATE)
        padded = np.zeros(count * SAMPLE_RATE + self.manifest.lookahead, np.float32)
        padded[: len(mix)] = mix
        voice = np.empty(count * SAMPLE_RATE, np.float32)
        for second in range(count):
            at = second * SAMPLE_RATE
            voice[at : at + SAMPLE_RATE] = stream.step(padded[at : at + SAMPLE_RATE + self.manifest.lookahead])
            done((second + 1) / count)
        return voice

    def _by_spectra(self, samples: Float32Array, rate: float, done: Done) -> Float32Array:
        """Return the voice, block by block, of the sound as its file has it."""
        about = self.manifest
        sound = _channels(samples, about.channels)
        if rate != about.sample_rate:
            sound = soxr.resample(sound, rate, about.sample_rate)
        resampler = SoundResampler(about.sample_rate)
        parts = [resampler.push(block) for block in self._blocks(sound, done)]
        return np.concatenate([*parts, resampler.flush()])

    def _blocks(self, sound: Float32Array, done: Done) -> Iterator[Float32Array]:
        """Yield the voice of ``sound`` (n, channels) in pieces (m, channels): overlapping spectra, masked, added up."""
        about = self.manifest
        window = hann(about.frame, sym=False).astype(np.float32)
        # Squares of the window, one hop apart, add up to this.
        gain = np.float32(about.hop / float((window**2).sum()))
        lead = about.frame
        frames = -(-(lead + len(sound)) // about.hop)
        padded = np.zeros((lead + (frames + about.block) * about.hop + about.frame, about.channels), np.float32)
        padded[lead : lead + len(sound)] = sound
        ends, given, wanted = np.zeros((about.frame - about.hop, about.channels), np.float32), -lead, len(sound)
        for first in range(0, frames, about.block):
            count = min(about.block, -(-(frames - first) // _TIMES) * _TIMES)
            view = np.lib.stride_tricks.sliding_window_view(padded, about.frame, axis=0)[:: about.hop]
            spectra = rfft(view[first : first + count].transpose(1, 0, 2) * window, axis=2)
            mask = self._mask(np.abs(spectra[:, :, : about.bins]))
            spectra[:, :, : about.bins] *= mask
            spectra[:, :, about.bins :] = 0
            left = irfft(spectra, about.frame, axis=2).astype(np.float32) * (window * gain)
            out = np.zeros((count * about.hop + about.frame - about.hop, about.channels), np.float32)
            out[: len(ends)] += ends
            for number in range(count):
                out[number * about.hop : number * about.hop + about.frame] += left[:, number].T
            piece, ends = out[: count * about.hop], out[count * about.hop :]
            begin = max(0, -given)
            yield piece[begin : max(begin, wanted - given)]
            given += len(piece)
            done(min(1.0, (first + count) / frames))

    def _mask(self, magnitudes: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            (mask,) = self._session.run(["voice"], {"magnitudes": magnitudes[None].astype(np.float32)})
        except failures_to_run() as error:
            raise _not_run(self.manifest, error) from error
        if mask.shape[1:] != magnitudes.shape:
            raise ArtifactError(
                f"separator {self.manifest.name} gives masks {mask.shape[1:]} for magnitudes {magnitudes.shape}, "
                "expected the same: its file is damaged; build it again"
            )
        _check_finite(self.manifest, mask)
        return np.asarray(mask[0])


class SeparatorStream:
    """One pass of a streaming separator over a sound, second by second."""

    def __init__(self, session: Any, manifest: SeparatorManifest) -> None:
        self._session, self._manifest = session, manifest
        self._parts = {part.name: StateRows(part, "cpu") for part in manifest.state}
        self._begun = False

    def reset(self) -> None:
        """Forget all sound, as after a gap."""
        self._begun = False
        for part in self._parts.values():
            part.clear()

    def step(self, sound: Float32Array) -> Float32Array:
        """Return the voice (16000,) of the first second of ``sound`` (16000 + lookahead,), mono at 16 kHz, finite."""
        ahead = self._manifest.lookahead
        if sound.shape != (SAMPLE_RATE + ahead,) or sound.dtype != np.float32:
            raise ValueError(f"the sound is {sound.dtype} {sound.shape}, expected float32 ({SAMPLE_RATE + ahead},)")
        if not self._begun:
            self._parts["audio"].begin(sound[:ahead])
        voice = np.empty(SAMPLE_RATE, np.float32)
        binding = self._session.io_binding()
        binding.bind_cpu_input("audio", np.ascontiguousarray(sound[ahead:]))
        binding.bind_output("voice", "cpu", 0, np.float32, voice.shape, voice.ctypes.data)
        for part in self._parts.values():
            part.bind(binding, first=not self._begun)
        try:
            self._session.run_with_iobinding(binding)
        except failures_to_run() as error:
            raise _not_run(self._manifest, error) from error
        self._begun = True
        return voice


def _channels(samples: Float32Array, channels: int) -> Float32Array:
    """Return ``samples`` (n, channels) with so many channels: as they are, else the mean of all in each."""
    if samples.ndim == 2 and samples.shape[1] == channels:
        return np.ascontiguousarray(samples, np.float32)
    return np.ascontiguousarray(np.repeat(mono_of(samples)[:, None], channels, axis=1))


def _check_finite(manifest: SeparatorManifest, found: NDArray[np.float32]) -> None:
    if not np.isfinite(found).all():
        raise ArtifactError(
            f"separator {manifest.name} gives values that are no numbers: its file is damaged; build it again"
        )


def _not_run(manifest: SeparatorManifest, error: Exception) -> ArtifactError:
    why = " ".join(str(error).split()) or type(error).__name__
    return ArtifactError(
        f"separator {manifest.name} cannot be run ({why:.600}): its file is damaged, or memory lacks; build it again"
    )
