"""Sessions that other programs start and stop: by sockets alone, with what is hostile or half gone beside them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import pyxdf
from click.testing import Result
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import ThreadingOSCUDPServer
from pythonosc.udp_client import SimpleUDPClient

from rtaffect.common.errors import SettingsError
from rtaffect.plan.programs_plan import Address
from rtaffect.plan.session_folder import open_session
from rtaffect.run import remote_server
from rtaffect.run.remote_server import RemoteServer
from rtaffect.run.remote_talk import Talk
from rtaffect.simulation.headset import SimulatedHeadset
from rtaffect.sources.osc_markers import OSC_MARKERS
from tests.cli.test_commands import ROOT, run
from tests.run.test_remote_words import FakeDesk
from tests.support.waiting import wait_for

EXAMPLE = ROOT / "docs" / "examples" / "remote_control.py"
PROTOCOL = """
format = 1
name = "Two"
[[block]]
kind = "rest"
name = "first"
duration_s = 60
start = "operator"
[[block]]
kind = "rest"
name = "second"
duration_s = 60
start = "operator"
"""


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=60.0) as made:
        yield made


def read_to_end(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65536), b""))


def send_for_ever(client: socket.socket) -> None:
    while True:
        client.sendall(b"status\n" * 500)


@pytest.fixture(scope="module")
def headset() -> Iterator[str]:
    name = f"cap-{uuid.uuid4().hex[:6]}"
    samples = np.random.default_rng(3).normal(0, 1e-5, (250 * 120, 4))
    with SimulatedHeadset(name, name, samples, 250.0, ("Fz", "Cz", "Pz", "Oz")):
        yield name


class Script(threading.Thread):
    """Does something beside the sessions, which have this thread, and ends them by Ctrl-C."""

    def __init__(self, port: int, act) -> None:
        super().__init__(daemon=True)
        self.port, self._act = port, act
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            wait_for(self._is_served, 60.0)
            self._act()
        except BaseException as error:
            self.failure = error
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    def _is_served(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def controlled(headset: str, act, out: Path, *options: str | Path) -> Result:
    """Run sessions in ``out`` while ``act(port)`` controls them from another thread."""
    port = free_port()
    script = Script(port, lambda: act(port))
    script.start()
    result = run(
        "live", "--eeg", headset, "--no-outlet", "--out", out, "--remote", str(port), *options
    )  # fmt: skip
    script.join(60.0)
    if script.failure is not None:
        raise script.failure
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result


@pytest.mark.skipif(sys.platform == "win32", reason="ends by SIGINT")
def test_a_script_leads_a_session_in_a_window_and_osc_goes_both_ways(headset: str, tmp_path: Path) -> None:
    heard: list[tuple[str, object]] = []
    dispatcher = Dispatcher()
    dispatcher.set_default_handler(lambda address, *values: heard.append((address, values)))
    marks, printed = free_port(socket.SOCK_DGRAM), []
    (tmp_path / "protocol.toml").write_text(PROTOCOL)

    def act(port: int) -> None:
        command = [sys.executable, EXAMPLE, "--port", str(port), "--seconds", "3.5", "--participant", "P07"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={}) as script:
            wait_for(lambda: ("/rtaffect/marker", ("mark/story begins",)) in heard, 60.0)
            with SimpleUDPClient("127.0.0.1", marks) as client:
                client.send_message("/rtaffect/mark", "light on")
            printed.append(script.communicate(timeout=60)[0])
        assert script.returncode == 0, printed

    with ThreadingOSCUDPServer(("127.0.0.1", 0), dispatcher) as osc:
        threading.Thread(target=osc.serve_forever, daemon=True).start()
        controlled(
            headset, act, tmp_path / "out", "--protocol", tmp_path / "protocol.toml", "--osc-markers", str(marks),
            "--osc", str(osc.server_address[1]),
        )  # fmt: skip
        osc.shutdown()
    folder = tmp_path / "out/sub-P07/ses-S001/eeg/sub-P07_ses-S001_task-story_run-001_eeg"
    assert f"recording into {folder}" in printed[0]
    assert "'outcome': 'stopped by the user'" in printed[0]
    session = open_session(folder)
    assert (session.ran["outcome"], session.ran["participant"]) == ("stopped by the user", "P07")
    events = [(each["trial_type"], each["name"]) for each in session.table("events.tsv")]
    assert ("marker", "mark/story begins") in events
    assert ("block", "first") in events, "`block next` began the block that waits for the operator"
    assert events.index(("marker", "mark/story ends")) > events.index(("block", "first"))
    addresses = [address for address, _ in heard]
    assert addresses.count("/rtaffect/end") == session.ran["steps"] >= 2
    assert {"/rtaffect/trusted/Cz", "/rtaffect/reason", "/rtaffect/quality/" + headset} <= set(addresses)
    assert not [each for each in addresses if each.startswith("/rtaffect/observed")], "the window is not full"
    assert ("/rtaffect/marker", ("block/1/rest/begin",)) in heard
    streams = {each["info"]["name"][0]: each for each in pyxdf.load_xdf(folder / "recording.xdf")[0]}
    assert streams[OSC_MARKERS]["time_series"] == [["light on"]]
    begun = session.ran["origin"]
    assert begun < streams[OSC_MARKERS]["time_stamps"][0] < begun + 20
    assert streams["rtaffect-markers"]["footer"]


@pytest.mark.skipif(sys.platform == "win32", reason="ends by SIGINT")
def test_labrecorders_words_make_one_session_after_another(headset: str, tmp_path: Path) -> None:
    told: dict[str, object] = {}
    (tmp_path / "out/exp001").mkdir(parents=True)

    def act(port: int) -> None:
        # A script that does not read, and closes before it is answered, as many do.
        with connected(port) as client:
            client.sendall(b"select all\nfilename {root:C:\\Data\\} {template:exp%n\\%p.xdf} {participant:P1}\nstart\n")
        with connected(port) as client, client.makefile("r", encoding="utf-8") as answers:

            def ask(line: str) -> dict:
                client.sendall(f"{line}\n".encode())
                return json.loads(answers.readline())

            ask("json")
            # Not so often that a mark would be refused.
            wait_for(lambda: time.sleep(0.05) or ask("status")["state"] == "running", 60.0)
            told["second start"] = ask("start")
            told["mark"] = ask("mark one")
            told["no protocol"] = ask("block next")
        with connected(port) as client:
            client.sendall(b"stop\n")
            assert client.recv(64) == b"OK"
            assert open_session(tmp_path / "out/exp001/P1").ran["outcome"] == "stopped by the user", "it is whole"
            client.sendall(b"start\n")
            assert client.recv(64) == b"OK"
            client.sendall(b"stop\nmark late\n")
            assert b'{"ok": false, "error": "mark: no session runs' in client.recv(64) + client.recv(4096)

    result = controlled(headset, act, tmp_path / "out", "--headless")
    assert f"ready with {headset}: waiting for `start`" in result.output.replace("\n", " ")
    assert (told["second start"]["ok"], told["mark"]["ok"], told["no protocol"]["ok"]) == (False, True, False)
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["exp001", "exp002"]
    first, second = (open_session(tmp_path / "out" / name / "P1") for name in ("exp001", "exp002"))
    (mark,) = [each for each in first.table("events.tsv") if each["name"] == "mark/one"]
    assert float(mark["lsl_time"]) == pytest.approx(told["mark"]["lsl_time"], abs=1e-5)
    assert second.ran["outcome"] == "stopped by the user"
    for session in (first, second):
        assert all(each["footer"] for each in pyxdf.load_xdf(session.recording)[0])


@pytest.mark.skipif(sys.platform == "win32", reason="ends by SIGINT")
def test_what_is_missing_is_told_to_who_starts(tmp_path: Path) -> None:
    told: list[dict] = []

    def act(port: int) -> None:
        with connected(port) as client, client.makefile("r", encoding="utf-8") as answers:
            client.sendall(b"json\nstart\nstatus\n")
            told.extend(json.loads(answers.readline()) for _ in range(3))

    controlled("nobody-here", act, tmp_path / "out", "--headless", "--wait", "0.3")
    assert "nobody-here" in told[1]["error"]
    assert told[2]["state"] == "not ready"
    assert "nobody-here" in told[2]["words"]
    assert not (tmp_path / "out").exists()


class TestServer:
    @pytest.fixture
    def desk(self) -> FakeDesk:
        return FakeDesk()

    @pytest.fixture
    def port(self, desk: FakeDesk) -> Iterator[int]:
        port = free_port()
        with RemoteServer(Address("127.0.0.1", port), lambda: Talk(desk)):
            yield port

    def test_lines_come_in_any_pieces_and_only_whole_ones_count(self, port: int, desk: FakeDesk) -> None:
        with connected(port) as client:
            for piece in (b"sto", b"p\r\nup", b"date\n", b"start"):
                client.sendall(piece)
                wait_for(lambda: True)
            client.shutdown(socket.SHUT_WR)
            assert read_to_end(client) == b"OKOK"
        assert desk.asked == [("stop",), ("look",)]

    @pytest.mark.parametrize(
        "sent", [b"x" * 100_000, b"\0\xff" * 4000 + b"\n", b"GET / HTTP/1.1\r\nHost: x\r\nstart\r\n"]
    )
    def test_garbage_ends_its_own_connection_alone(self, port: int, desk: FakeDesk, sent: bytes) -> None:
        with connected(port) as other, connected(port) as client:
            try:
                client.sendall(sent)
                answer = read_to_end(client)
            except ConnectionError:
                answer = b""
            assert b"OK" not in answer
            other.sendall(b"stop\n")
            assert other.recv(16) == b"OK"
        assert desk.asked == [("stop",)]

    def test_who_never_reads_is_left(self, port: int, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(remote_server, "_SEND_S", 0.2)
        desk.said = "x" * 1_000_000
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.connect(("127.0.0.1", port))
            client.settimeout(20.0)
            with pytest.raises(ConnectionError):
                send_for_ever(client)

    def test_no_more_programs_than_can_be_served(self, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(remote_server, "MOST_CLIENTS", 2)
        with connected(port) as first, connected(port) as second:
            for client in (first, second):
                client.sendall(b"update\n")
                assert client.recv(16) == b"OK"
            with connected(port) as third:
                assert read_to_end(third) == b"ERROR: too many programs are connected\n"

        def is_served() -> bool:
            with connected(port) as again:
                again.sendall(b"update\n")
                return again.recv(16) == b"OK"

        wait_for(is_served)

    def test_without_its_token_a_program_is_let_go(self, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("_TOKEN_S", "_WRONG_S", "_LOOK_S"):
            monkeypatch.setattr(remote_server, name, 0.1)
        port = free_port()
        with RemoteServer(Address("127.0.0.1", port), lambda: Talk(desk, "0123456789abcdef")):
            with connected(port) as silent:
                assert read_to_end(silent) == b""
            with connected(port) as wrong:
                wrong.sendall(b"token x\nstart\n")
                assert b"the first line has to be" in read_to_end(wrong)
            with connected(port) as right:
                right.sendall(b"token 0123456789abcdef\nstop\n")
                wait_for(lambda: desk.asked == [("stop",)])

    def test_a_taken_port_is_told(self, port: int) -> None:
        with (
            pytest.raises(SettingsError, match=f"--remote 127.0.0.1:{port} cannot be served"),
            RemoteServer(Address("127.0.0.1", port), lambda: Talk(FakeDesk())),
        ):
            pass
