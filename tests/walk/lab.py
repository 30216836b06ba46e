"""What stands for a lab: headsets, other streams, a sound server, and files that only a lab has."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np

from bench.faulty.sound_server import SoundServer, absent
from rtaffect.common.files import sha256_of
from rtaffect.protocol.seal import unseal
from rtaffect.simulation.head import CHANNELS
from rtaffect.simulation.headset import SimulatedHeadset
from tests.support.session_files import FakeBlock, write_allocation, write_session
from tests.walk.pages import ROOT, Step

RATE, SECONDS = 256, 600
MUSE = ("TP9", "AF7", "AF8", "TP10")


def words_after(option: str, words: Sequence[str]) -> list[str]:
    """Return what is given to an option, each time that it is."""
    return [after for word, after in pairwise(words) if word == option]


@contextmanager
def sound_server() -> Iterator[dict[str, str]]:
    """Give the environment of a private sound server whose microphone hears its speaker; empty where there is none."""
    if absent():
        yield {}
        return
    folder = Path(tempfile.mkdtemp(prefix="walk-"))
    server = SoundServer(folder, ROOT)
    try:
        server.start()
        yield {key: server.env[key] for key in ("PULSE_SERVER", "PULSE_SINK", "PULSE_SOURCE", "ALSA_CONFIG_PATH")}
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def there(step: Step, folder: Path) -> Iterator[None]:
    """Send what a command names: headsets (two where it names none), streams beside them, and a marker."""
    words = step.words
    with ExitStack() as stack:
        if words[:1] in (["live"], ["contact"]):
            named = [*words_after("--eeg", words), *words_after("--expect", words)] or ["Muse-A", "Muse-B"]
            channels = CHANNELS if "--affect" in words else MUSE
            for name in named:
                stack.enter_context(headset(name, channels, described="--channels" not in words))
            for name in (text.rpartition("=")[2] for text in words_after("--peripheral", words)):
                stack.enter_context(band(name))
            for name in words_after("--audio-stream", words):
                stack.enter_context(heard(name, folder / words_after("--stimulus", words)[0]))
            for text in words_after("--onset-marker", words):
                stack.enter_context(marked(text))
        yield


def headset(name: str, channels: Sequence[str], *, described: bool) -> SimulatedHeadset:
    """Return a headset; all of them share half of their power."""
    from tests.support.helpers import brain_noise

    shared, own = (np.random.default_rng(seed) for seed in (0, sum(map(ord, name))))
    noise = sum(brain_noise(rng, SECONDS * RATE // 4, len(channels), RATE) for rng in (shared, own))
    samples = 1e-5 * np.tile(noise, (4, 1))
    return SimulatedHeadset(
        name, f"{name.lower()}-{uuid.uuid4().hex[:6]}", samples, RATE, channels, with_description=described
    )


def band(name: str) -> SimulatedHeadset:
    """Return a band around the wrist that sends EDA."""
    from rtaffect.simulation.body import electrodermal

    eda = 4.0 + electrodermal(np.random.default_rng(len(name)), SECONDS * 32, 32.0)[:, None]
    return SimulatedHeadset(
        name, name.lower(), eda, 32.0, ("GSR",), stream_type="GSR", types=("GSR",), units=("uS",), unit="uS"
    )


def heard(name: str, path: Path) -> SimulatedHeadset:
    """Return a stream of the sound of a room in which a file is played from its third second on."""
    from rtaffect.stream.sound_reading import read_samples

    samples, rate = read_samples(path)
    sound = np.concatenate([np.zeros((int(3 * rate), 1)), samples[:, :1]])
    return SimulatedHeadset(name, name.lower(), sound, rate, ("mono",), stream_type="Audio", unit="")


@contextmanager
def marked(text: str) -> Iterator[None]:
    """Send a marker again and again: a session takes its first one."""
    import pylsl

    outlet = pylsl.StreamOutlet(
        pylsl.StreamInfo("stimuli", "Markers", 1, 0, "string", f"stimuli-{uuid.uuid4().hex[:6]}")
    )
    over = threading.Event()

    def send() -> None:
        while not outlet.have_consumers() and not over.wait(0.2):
            pass
        if not over.wait(6.0):
            outlet.push_sample([text])

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def steps_sent(count: int, alive: threading.Event, limit_s: float) -> bool:
    """Wait until a session here has sent ``count`` steps over LSL; False once ``alive`` is not set or time is over."""
    import pylsl

    deadline, resolver, inlet, seen = (
        time.monotonic() + limit_s,
        pylsl.ContinuousResolver("name", "rtaffect-feedback"),
        None,
        0,
    )
    while alive.is_set() and time.monotonic() < deadline:
        if inlet is None:
            found = resolver.results()
            inlet = pylsl.StreamInlet(found[0], recover=False) if found else None
            time.sleep(0.2)
            continue
        try:
            sample, _ = inlet.pull_sample(timeout=0.5)
        except pylsl.LostError:
            inlet = None
            continue
        seen += sample is not None
        if seen >= count:
            return True
    return False


def bring(step: Step, folder: Path) -> None:
    """Put what only a lab has, and a step uses, into the folder: a film, a token, weights, participants' sessions."""
    for begin, make in _LABS.items():
        if begin in step.text and begin not in step.made:
            place = folder / begin
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                make(place)


def film(path: Path) -> None:
    """Write a film of 20 s."""
    from tests.support.films import film as write

    rng = np.random.default_rng(0)
    write(path, rng.uniform(-0.1, 0.1, (20 * 16_000, 1)))


def weights(folder: Path) -> None:
    """Write a small HuBERT with random weights, as the hub has large ones."""
    from tests.models.test_checkpoint import save, seeded

    save(seeded("hubert", num_hidden_layers=9, num_conv_pos_embeddings=128), folder)


def token(path: Path) -> None:
    """Write the secret of a remote control."""
    path.write_text("a-token-of-some-letters\n", encoding="utf-8")


def sessions(first: Path) -> None:
    """Write the sessions of P01, P02 and P03, who ran the protocol that they were allocated for.

    The allocation is the one that is there, else one is made.
    """
    made = first.parent
    sealed = made.parent / "allocation.sealed"
    tracks = ("tale", "story", "journey")
    blocks = tuple(
        FakeBlock(kind, name.title(), 75, f"{name}.wav", effect)
        for name, kind, effect in zip(tracks, ("baseline", "feedback", "transfer"), (0.0, 0.1, 0.05), strict=True)
    )
    write_session(made / "P01", arm="real", blocks=blocks, with_recording=False)
    (protocol,) = made.glob("*.toml")
    if not sealed.exists():
        write_allocation(sealed, protocol, {"P01": "real", "P02": "sham", "P03": "real"})
    allocation, _ = unseal(sealed)
    shutil.rmtree(made)
    for number, one in enumerate(allocation.assigned[:3], start=1):
        folder = write_session(
            made / one.participant, participant=one.participant, arm=one.arm, blocks=blocks, seed=number,
            allocation=sealed, people=(f"Muse-{number}",),
        )  # fmt: skip
        plan = folder / "session.toml"
        ran_with = sha256_of(protocol.read_bytes())
        plan.write_text(
            plan.read_text(encoding="utf-8").replace(ran_with, allocation.protocol_sha256), encoding="utf-8"
        )


#: What only a lab has, by the begin of its path.
_LABS: Mapping[str, Callable[[Path], None]] = {
    "films/bunny.mp4": film,
    "weights/hubert-base": weights,
    "lab-token.txt": token,
    "sessions/P01": sessions,
}
