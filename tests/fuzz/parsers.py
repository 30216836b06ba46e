"""Every parser of files and of texts from the network, with its good files and how it is called."""

from __future__ import annotations

import base64
import contextlib
import ctypes
import functools
import json
import math
import os
import socket
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from rtaffect.common.errors import RtaffectError
from tests.fuzz import seeds
from tests.fuzz.workers import Parser


class _All:
    """Runs one reading after another, and raises at the end the first refusal: the others are tried even so."""

    def __init__(self) -> None:
        self._refused: RtaffectError | None = None

    @contextlib.contextmanager
    def each(self) -> Iterator[None]:
        try:
            yield
        except RtaffectError as error:
            self._refused = self._refused or error

    def end(self) -> None:
        if self._refused is not None:
            raise self._refused


def _xdf(folder: Path) -> None:
    from rtaffect.sources.xdf import XdfRecording

    recording, parts = XdfRecording.open(folder / "recording.xdf"), _All()
    with parts.each():
        recording.eeg_sources()
        for source in recording.settle():
            source.advance(source.last)
            source.buffer.read(0, math.inf)
            source.status(source.last)
    with parts.each():
        sound = recording.audio_source()
        if sound is not None:
            sound.advance(sound.last)
    with parts.each():
        recording.markers()
    parts.end()


def _sounds(folder: Path) -> None:
    from rtaffect.protocol.reading import sound_seconds
    from rtaffect.stream.audio import read_sound

    parts = _All()
    for path in sorted(folder.iterdir()):
        with parts.each():
            read_sound(path)
        with parts.each():
            sound_seconds(path)
    parts.end()


def _films(folder: Path) -> None:
    from rtaffect.sources.film_file import FilmReader, inspect_film

    parts = _All()
    for path in sorted(folder.iterdir()):
        with parts.each():
            inspect_film(path)
        with parts.each(), FilmReader(path, (64, 64)) as reader:
            for _ in zip(range(100), reader, strict=False):
                pass
    parts.end()


def _eeg(folder: Path) -> None:
    from calibration.studies.layout import RecordingFile
    from calibration.studies.recording import open_recording

    (path,) = folder.glob("recording.[!ev]*") if not list(folder.glob("*.vhdr")) else folder.glob("*.vhdr")
    recording = open_recording(RecordingFile("one", path, {"story-1": 1.0}, path))
    for _ in recording.pieces():
        pass
    recording.source(0.0, 1.0)


def _edf(folder: Path) -> None:
    from calibration.studies.layout import RecordingFile
    from calibration.studies.recording import open_recording

    (path,) = folder.iterdir()
    recording = open_recording(RecordingFile("one", path, {"story-1": 1.0}, path))
    for _ in recording.pieces():
        pass


def _bids(folder: Path) -> None:
    from calibration.finished.bids.dataset import Dataset
    from calibration.studies.bids import read_dataset
    from calibration.studies.described import read_channel_table
    from calibration.studies.manifest import read_layout

    parts = _All()
    with parts.each():
        read_dataset(folder)
    with parts.each():
        read_layout(folder)
    for table in sorted(folder.rglob("*_channels.tsv")):
        with parts.each():
            read_channel_table(table, ("Fz", "Cz"))
    with parts.each():
        Dataset.open(folder)
    parts.end()


def _study(folder: Path) -> None:
    from calibration.studies.manifest import read_layout

    read_layout(folder)


def _tables(folder: Path) -> None:
    from calibration.studies.tables import read_series

    parts = _All()
    for path in sorted(folder.iterdir()):
        with parts.each():
            read_series(path, 20, absent=path.stem == "rating")
    parts.end()


def _plans(folder: Path) -> None:
    from rtaffect.plan.session_plan import parse_speed, plan_toml, read_plan
    from rtaffect.start.choices import choices_of

    parts = _All()
    for path in sorted(folder.iterdir()):
        with parts.each():
            plan = read_plan(path)
            parse_speed(plan.speed)
            choices_of(plan)
            plan_toml(plan, folder)
    parts.end()


def _settings(folder: Path) -> None:
    from rtaffect.common.settings import read_settings
    from rtaffect.observed.signal_path import SignalPath

    found = read_settings(folder / "settings.toml")
    SignalPath(found.signal, 250.0, 4)


def _protocol(folder: Path) -> None:
    from rtaffect.protocol.reading import check_rows, check_window, inspect_protocol, read_protocol

    protocol, _ = inspect_protocol(folder / "protocol.toml")
    if protocol is not None:
        check_rows(protocol, ("Fz", "Cz"))
        check_window(protocol, 10)
    read_protocol(folder / "protocol.toml")


def _session(folder: Path) -> None:
    from calibration.finished.report.data import load_session
    from rtaffect.plan.session_folder import open_session
    from rtaffect.protocol.donors import as_recorded, blocks_that_ran, open_donor, running_lines, shows_its_own
    from rtaffect.protocol.reading import read_protocol

    parts = _All()
    load_session(folder / "session", recording=False)
    session = open_session(folder / "session")
    for name in ("feedback.tsv", "events.tsv", "quality.tsv", "people.tsv", "moments.tsv"):
        with parts.each():
            session.table(name)
    for read in (as_recorded, blocks_that_ran, running_lines):
        with parts.each():
            read(session)
    with parts.each():
        shows_its_own([line for block in running_lines(session).values() for line in block])
    with contextlib.suppress(RtaffectError):
        (file,) = folder.glob("*.toml")
        open_donor(read_protocol(file), folder / "session")
    parts.end()


def _finished(folder: Path) -> None:
    from calibration.finished.bids.events import Disclosure, event_rows, stimulus_files
    from calibration.finished.bids.feedback import time_course_of
    from calibration.finished.bids.recording import SessionRecording, headsets_of
    from calibration.finished.report.data import load_session
    from rtaffect.plan.session_folder import open_session

    parts = _All()
    session = open_session(folder / "session")
    with parts.each():
        load_session(folder / "session")
    with parts.each():
        time_course_of(session, "Muse-1", shown=True)
    with parts.each():
        recording = SessionRecording(session)
        for said in headsets_of(session):
            headset = recording.headset(str(said["name"]))
            event_rows(session, headset.grid, Disclosure({}, {}, notes=True), headset.absent)
        stimulus_files(session)
    parts.end()


def _bundle(folder: Path) -> None:
    from rtaffect.engine.bundle import load_bundle

    bundle = load_bundle(folder / "bundle")
    for number in range(len(bundle.references)):
        bundle.references[number]


def _seal_bundle(folder: Path) -> None:
    path = folder / "bundle" / "bundle.json"
    content = json.loads(path.read_text())
    content["tensors_sha256"] = seeds.sha256(folder / "bundle" / "tensors.safetensors")
    content["manifest_sha256"] = "0" * 64
    text = json.dumps(content)
    path.write_text(text.replace("0" * 64, seeds.hashlib.sha256(text.encode()).hexdigest(), 1))


def _operator(folder: Path) -> None:
    from rtaffect.observed.operator_file import load_operator

    operator = load_operator(folder / "operator.safetensors")
    operator.fit_to(operator.manifest.channels[:-1])


def _seal_operator(folder: Path) -> None:
    """Give a damaged operator the hash of its content, as its own writer makes it."""
    from safetensors.numpy import load, save

    from rtaffect.observed import operator_file

    path = folder / "operator.safetensors"
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    content = json.loads(header["__metadata__"]["rtaffect.space"])
    tensors = load(data)
    content.pop("sha256", None)
    text = json.dumps(content | {"sha256": operator_file._digest(content, tensors)})
    path.write_bytes(save(tensors, metadata={"rtaffect.space": text}))


def _featurizer(folder: Path) -> None:
    from rtaffect.predicted.featurizer import Featurizer

    stream = Featurizer.load(folder / "featurizer.onnx", progress=lambda _: None).stream()
    for _ in range(3):
        stream.step(np.zeros(16_000, np.float32))


class _Said:
    """Stands for the session of onnxruntime, of which only what the file says of itself is asked."""

    def __init__(self, text: str) -> None:
        self.custom_metadata_map = {"rtaffect": text}

    def get_modelmeta(self) -> _Said:
        return self


def _manifest(folder: Path) -> None:
    from rtaffect.predicted.featurizer_file import read_manifest

    path = folder / "manifest.json"
    read_manifest(_Said(path.read_bytes().decode("utf-8", errors="replace")), path)


def _features(folder: Path) -> None:
    from rtaffect.predicted.feature_cache import FeatureKey, read_features

    read_features(folder, FeatureKey("a" * 64, "layer-2", "b" * 64))


def _seal_features(folder: Path) -> None:
    (path,) = folder.glob("*.npy")
    body = path.read_bytes()[:-32]
    path.write_bytes(body + seeds.hashlib.sha256(body).digest())


def _allocation(folder: Path) -> None:
    from rtaffect.protocol.seal import unseal

    unseal(folder / "sealed.txt")


def _seal_allocation(folder: Path) -> None:
    path = folder / "sealed.txt"
    good = path.read_bytes()
    head, _, code = good.partition(b"\n")
    try:
        content = zlib.decompress(base64.b64decode(code)[32:])
    except (ValueError, zlib.error):
        content = b'{"format": 1}'
    dice = __import__("random").Random(good)
    from tests.fuzz.mutation import damaged

    packed = zlib.compress(damaged(content, ".json", dice))
    hashed = seeds.hashlib.sha256(packed).digest()
    path.write_bytes(head + b"\n" + base64.encodebytes(hashed + packed))


def _choices(folder: Path) -> None:
    from rtaffect.start.device_memory import DeviceMemory
    from rtaffect.start.memory import recall

    os.environ["RTAFFECT_CONFIG"] = str(folder)
    recall()
    DeviceMemory()


def _checkpoint(folder: Path) -> None:
    from models.checkpoint import _config
    from models.weights import find_tensors, is_untrained, read_tensor, sha256_of_all, weight_files

    parts = _All()
    with parts.each():
        _config(folder)
    with parts.each():
        files = weight_files(folder)
        sha256_of_all(files)
        entries = find_tensors(files)
        for entry in entries.values():
            read_tensor(entry)
        is_untrained(entries)
    parts.end()


def _montage(folder: Path) -> None:
    from calibration.head.positions import montage_for

    parts = _All()
    for path in sorted(folder.iterdir()):
        with parts.each():
            montage_for(str(path))
    parts.end()


def _fieldtrip(folder: Path) -> None:
    from rtaffect.sources.fieldtrip_client import BufferClient, BufferLostError

    listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        client = BufferClient("127.0.0.1", listener.getsockname()[1])
        answering, _ = listener.accept()
        with answering:
            answering.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                answering.send((folder / "answers.bin").read_bytes())
            answering.shutdown(socket.SHUT_WR)
            try:
                client.header()
                client.wait(0, 0.01)
                client.data(0, 40)
            except BufferLostError as error:
                raise RtaffectError("the buffer is lost") from error
            finally:
                client.close()


def _description(folder: Path) -> None:
    import pylsl

    from rtaffect.sources import lsl_streams

    text = (folder / "stream.xml").read_bytes()
    from_xml = pylsl.lib.lib.lsl_streaminfo_from_xml
    # pylsl does not declare it, and ctypes would cut the pointer to an int.
    from_xml.restype, from_xml.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    handle = from_xml(text.partition(b"\0")[0])
    if not handle:
        raise RtaffectError("liblsl refuses it")
    info = pylsl.StreamInfo(handle=handle)
    kept, lsl_streams.read_info = lsl_streams.read_info, lambda *_args, **_kwargs: info
    try:
        lsl_streams.read_header(lsl_streams._found(info))
    finally:
        lsl_streams.read_info = kept


def _markers(folder: Path) -> None:
    from rtaffect.stream.markers import Marker, onset_from

    texts = (folder / "markers.txt").read_bytes().decode("utf-8", errors="replace").splitlines()
    onset_from([Marker(text, float(i)) for i, text in enumerate(texts)], "story")


def _of_eeg(name: str, *suffixes: str, read: Callable[[Path], None] = _eeg) -> Parser:
    patterns = tuple(f"*{suffix}" for suffix in suffixes)
    return Parser(name, functools.partial(seeds.eeg, suffix=suffixes[0]), patterns, read)


def _osc(folder: Path) -> None:
    from rtaffect.sources.osc_markers import marker_text
    from rtaffect.sources.osc_packet import OscError, read_packet

    try:
        for message in read_packet((folder / "packet.bin").read_bytes()):
            marker_text(message)
    except OscError as error:
        raise RtaffectError(f"left out: {error}") from None


def _remote(folder: Path) -> None:
    from rtaffect.run.remote_desk import RemoteDesk
    from rtaffect.run.remote_talk import Talk

    desk = RemoteDesk(folder / "sessions", None)
    talk = Talk(desk)
    for line in (folder / "lines.txt").read_bytes().split(b"\n"):
        # What waits for a session would wait for ever.
        if not line.strip().startswith(b"start"):
            reply = talk.answer(line, 0.0)
            reply.text.encode("utf-8", "replace")
    found = desk.folder()
    assert found.resolve().is_relative_to(folder.resolve())


def _page(folder: Path) -> None:
    from rtaffect.outputs.page_feed import PageFeed
    from rtaffect.outputs.page_server import PageServer

    feed = PageFeed()
    feed.put("end", {"words": "over"})
    feed.close()
    server = PageServer("127.0.0.1", 0, feed, "0123456789abcdef")
    try:
        with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", server.port), 20) as client:
            client.sendall((folder / "request.bin").read_bytes())
            client.shutdown(socket.SHUT_WR)
            reply = b"".join(iter(lambda: client.recv(65536), b""))
            assert not reply or reply.startswith(b"HTTP/1.0 "), reply[:80]
        with socket.create_connection(("127.0.0.1", server.port), 20) as client:
            client.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            assert client.recv(16).startswith(b"HTTP/1.0 200"), "it serves the next one"
    finally:
        server.close()


PARSERS = {
    each.name: each
    for each in (
        Parser("xdf", seeds.xdf, ("*.xdf",), _xdf),
        Parser("sound", seeds.sounds, ("*",), _sounds),
        Parser("film", seeds.films, ("*",), _films),
        _of_eeg("edf", ".edf", read=_edf),
        _of_eeg("bdf", ".bdf", read=_edf),
        _of_eeg("brainvision", ".vhdr", ".vmrk", ".eeg"),
        _of_eeg("eeglab", ".set"),
        _of_eeg("fif", ".fif"),
        Parser("bids", seeds.bids, ("*.json", "*.toml", "*.tsv", "sub-*/eeg/*.tsv"), _bids),
        Parser("study", seeds.study, ("study.toml",), _study),
        Parser("table", seeds.tables, ("*.tsv",), _tables),
        Parser("plan", seeds.plans, ("*.toml",), _plans),
        Parser("settings", seeds.settings, ("*.toml",), _settings),
        Parser("protocol", seeds.protocol, ("*.toml",), _protocol),
        Parser("session", seeds.session, ("session/*.tsv", "session/*.toml", "session/*.json", "*.toml"), _session),
        Parser("finished", seeds.session, ("session/*.tsv", "session/*.toml", "session/*.xdf"), _finished),
        Parser("bundle", seeds.bundle, ("bundle/*",), _bundle, _seal_bundle),
        Parser("operator", seeds.operator, ("*",), _operator, _seal_operator),
        Parser("featurizer", seeds.featurizer, ("*",), _featurizer, light=False),
        Parser("manifest", seeds.manifest, ("*.json",), _manifest),
        Parser("features", seeds.features, ("*.npy",), _features, _seal_features),
        Parser("allocation", seeds.allocation, ("sealed.txt",), _allocation, _seal_allocation),
        Parser("choices", seeds.choices, ("*.toml",), _choices),
        Parser("checkpoint", seeds.checkpoint, ("*",), _checkpoint),
        Parser("montage", seeds.montage, ("*",), _montage),
        Parser("fieldtrip", seeds.fieldtrip, ("*.bin",), _fieldtrip),
        Parser("lsl-description", seeds.description, ("*.xml",), _description, light=False),
        Parser("markers", seeds.markers, ("*.txt",), _markers),
        Parser("osc", seeds.osc, ("*.bin",), _osc),
        Parser("remote", seeds.remote, ("*.txt",), _remote),
        Parser("page", seeds.page, ("*.bin",), _page),
    )
}
