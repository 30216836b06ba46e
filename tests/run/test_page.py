"""Sessions that serve a page to watch: by a plain HTTP client and by a browser, and nobody who watches delays them."""

from __future__ import annotations

import errno
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from rtaffect.common.errors import SettingsError
from rtaffect.plan.conflicts import check_plan
from rtaffect.plan.programs_plan import Address, ProgramsPlan
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.run.page import TOKEN_VARIABLE, check_page, page_token
from rtaffect.run.serving import cannot_serve
from tests.cli.test_commands import fine, run
from tests.outputs.test_page_server import Watcher
from tests.run.test_remote import free_port
from tests.support.waiting import wait_for
from tests.support.xdf_writer import FakeStream, image


class Served:
    """What a watcher has to know of a server."""

    def __init__(self, port: int) -> None:
        self.port = port


def is_served(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A recording of two headsets with a common signal."""
    rng, stamps = np.random.default_rng(0), 50 + np.arange(128 * 60) / 128
    shared = rng.standard_normal((len(stamps), 3))
    streams = [
        FakeStream(
            20 * (shared + rng.standard_normal(shared.shape)), stamps, name=f"cap {i}", rate=128.0,
            labels=("Fz", "Cz", "Pz"), source_id=f"cap{i}", offsets=((50.0, 0.0), (110.0, 0.0)),
        )
        for i in range(2)
    ]  # fmt: skip
    path = tmp_path / "pair.xdf"
    path.write_bytes(image(streams).data)
    return path


def watched(port: int, found: list[tuple[str, dict]]) -> threading.Thread:
    """Read all that a page is sent, on a thread of its own."""

    def read() -> None:
        wait_for(lambda: is_served(port))
        watcher = Watcher(Served(port))
        found.extend(watcher.events())
        watcher.close()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def test_a_replay_is_watched_to_its_end(pair: Path, tmp_path: Path) -> None:
    port, found = free_port(), list[tuple[str, dict]]()
    reader = watched(port, found)
    output = fine(
        "replay", pair, "--speed", "20", "--headless", "--page", str(port), "--out", tmp_path / "out", "--seconds", "50"
    )
    reader.join(20.0)
    assert f"a page to watch: http://127.0.0.1:{port}/" in output
    kinds = [kind for kind, _ in found]
    assert (kinds[0], kinds[-1]) == ("about", "end")
    steps = [content for kind, content in found if kind == "step"]
    assert [each["step"] for each in steps] == list(range(1, 51))
    names, *lines = (line.split("\t") for line in (tmp_path / "out" / "feedback.tsv").read_text().splitlines())
    means = [each for each in (dict(zip(names, line, strict=True)) for line in lines) if each["row"] == "mean"]
    for told, kept in zip(steps, means, strict=True):
        assert (told["mean"]["observed"] is None) == (kept["trusted"] == "false"), kept
        if told["mean"]["observed"] is not None:
            assert told["mean"]["observed"] == pytest.approx(float(kept["observed"]), abs=1e-4)
    assert sum(each["mean"]["observed"] is not None for each in steps) > 20
    assert not is_served(port)
    assert not [each for each in threading.enumerate() if each.name.startswith("page")]


def test_who_does_not_read_costs_a_session_no_time(pair: Path, tmp_path: Path) -> None:
    port = free_port()
    slow: list[socket.socket] = []

    def hold() -> None:
        wait_for(lambda: is_served(port))
        for request in (b"GET /events HTTP/1.1\r\n\r\n", b"GET /", b"") * 4:
            one = socket.create_connection(("127.0.0.1", port))
            one.sendall(request)
            slow.append(one)

    holding = threading.Thread(target=hold, daemon=True)
    holding.start()
    begun = time.monotonic()
    fine("replay", pair, "--speed", "max", "--headless", "--page", str(port), "--out", tmp_path / "out")
    took = time.monotonic() - begun
    holding.join(10.0)
    for one in slow:
        one.close()
    lines = (tmp_path / "out" / "feedback.tsv").read_text().splitlines()
    assert len([line for line in lines if line.startswith("59\t")]) == 4, "every step is there"
    assert took < 30


class TestRefused:
    def test_other_computers_need_a_token(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for address in ("0.0.0.0:22350", "[::]:22350", "lab.example:22350"):
            with pytest.raises(
                SettingsError, match="everybody on the network could watch; give a token --page-token FILE"
            ):
                page_token(ProgramsPlan(page=address))
        assert page_token(ProgramsPlan(page="22350")) == ""
        assert page_token(ProgramsPlan(page="[::1]:22350")) == ""
        assert page_token(ProgramsPlan()) == ""
        short, good = tmp_path / "short.txt", tmp_path / "good.txt"
        short.write_text("secret\n")
        good.write_text("0123456789abcdef\nanother line\n")
        with pytest.raises(SettingsError, match=f"--page-token {short} has 6 letters; expected 16 or more letters"):
            page_token(ProgramsPlan(page="22350", page_token=short))
        assert page_token(ProgramsPlan(page="0.0.0.0:22350", page_token=good)) == "0123456789abcdef"
        monkeypatch.setenv(TOKEN_VARIABLE, "fedcba9876543210")
        assert page_token(ProgramsPlan(page="0.0.0.0:22350")) == "fedcba9876543210"

    def test_a_taken_port_is_told_before_any_work(self, pair: Path, tmp_path: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            result = run("replay", pair, "--headless", "--page", str(port), "--out", tmp_path / "out")
        told = f"--page 127.0.0.1:{port} cannot be served: port {port} is in use; close the program that serves there"
        assert told in str(result.exception)
        assert not (tmp_path / "out").exists()

    def test_an_address_of_another_computer_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "token.txt").write_text("0123456789abcdef")
        for address, why in (
            ("192.0.2.1:22350", "192.0.2.1 is not an address of this computer"),
            ("no-such-host.invalid:22350", "'no-such-host.invalid' is no computer that is known here"),
        ):
            with pytest.raises(SettingsError, match=f"cannot be served: {why}; give an address of this computer"):
                check_page(ProgramsPlan(page=address, page_token=tmp_path / "token.txt"))
        with pytest.raises(SettingsError, match="does not allow it: ports below 1024 are the system's; give"):
            raise cannot_serve("page", Address.parse("80"), PermissionError(errno.EACCES, "Permission denied"))

    def test_a_file_that_is_no_token_says_so(self, tmp_path: Path) -> None:
        file = tmp_path / "token.txt"
        for content, said in (("", "is empty, or its first line is; expected 16"), ("x" * 70_000, "larger than 66 kB")):
            file.write_text(content)
            with pytest.raises(SettingsError, match=said):
                page_token(ProgramsPlan(page="22350", page_token=file))


@pytest.mark.parametrize("mode", ["live", "demo", "replay"])
def test_a_token_without_a_page_is_refused_in_every_kind_of_session(mode: str, tmp_path: Path) -> None:
    content = {"mode": mode, "programs": {"page_token": tmp_path / "token"}}
    plan = SessionPlan.model_validate(content | ({"recording": tmp_path / "x.xdf"} if mode == "replay" else {}))
    with pytest.raises(SettingsError, match="opens a page, and none is served"):
        check_plan(plan)
