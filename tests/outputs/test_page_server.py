"""The page to watch, by a plain HTTP client: what is served, what is refused, and what a watcher costs."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from rtaffect.outputs import page_feed, page_server
from rtaffect.outputs.page_feed import MOST_STEPS, PageFeed, event
from rtaffect.outputs.page_server import PageServer, page_of
from tests.support.waiting import wait_for

TOKEN = "a token of letters ä %"


@pytest.fixture
def feed() -> PageFeed:
    return PageFeed()


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(page_server, "_LOOK_S", 0.02)
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.fixture
def server(feed: PageFeed) -> Iterator[PageServer]:
    yield from serving(feed)


def serving(feed: PageFeed, token: str = "") -> Iterator[PageServer]:
    made = PageServer("127.0.0.1", 0, feed, token)
    yield made
    made.close()


def ask(server: PageServer, path: str = "/", method: str = "GET", **headers: str) -> tuple[int, bytes]:
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        client.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        reply = client.getresponse()
        return reply.status, reply.read()
    finally:
        client.close()


@contextmanager
def sent(server: PageServer, content: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as made:
        made.sendall(content)
        yield made


def read_to_end(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65536), b""))


class Watcher:
    """Reads events as a browser does."""

    def __init__(self, server: PageServer, **headers: str) -> None:
        self.client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        self.client.request("GET", "/events", headers=headers)
        self.reply = self.client.getresponse()

    def events(self, beats: bool = False) -> Iterator[tuple[str, dict]]:
        kind = ""
        for line in self.reply:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            kind = value if name == "event" else kind
            if name == "data" and (beats or kind != "beat"):
                yield kind, json.loads(value)

    def close(self) -> None:
        self.reply.close()
        self.client.close()


class TestWhatIsServed:
    def test_the_page_needs_nothing_else(self, server: PageServer) -> None:
        status, page = ask(server)
        text = page.decode()
        assert (status, text) == (200, page_of()[0].decode())
        assert not re.search(r"(src|href)=\"(?!data:)|@import|https?://|url\(", text), "it asks nobody else"
        assert re.findall(r"fetch\(\"([^\"]+)\"", text) == ["/events"]

    def test_its_policy_lets_its_own_script_run_alone(self, server: PageServer) -> None:
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        client.request("GET", "/")
        reply = client.getresponse()
        policy = reply.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'sha256-" in policy
        assert "unsafe" not in policy
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Server"] == "rtaffect"
        assert "Access-Control-Allow-Origin" not in reply.headers
        reply.read()
        client.close()

    def test_events_come_in_order_and_who_comes_later_gets_what_was(self, server: PageServer, feed: PageFeed) -> None:
        feed.put("about", {"title": "ä"})
        for step in range(3):
            feed.put("step", {"step": step}, keep=True)
            feed.put("now", {"step": step})
        watcher = Watcher(server)
        assert watcher.reply.headers["Content-Type"] == "text/event-stream"
        found = watcher.events()
        assert [next(found) for _ in range(5)] == [
            ("about", {"title": "ä"}), *(("step", {"step": step}) for step in range(3)), ("now", {"step": 2}),
        ]  # fmt: skip
        feed.put("step", {"step": 3}, keep=True)
        assert next(found) == ("step", {"step": 3})
        feed.put("end", {"words": "over"})
        feed.close()
        assert list(found) == [("end", {"words": "over"})]
        watcher.close()

    def test_a_sign_of_life_comes_first_and_while_nothing_happens(
        self, server: PageServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(page_server, "BEAT_S", 0.05)
        watcher = Watcher(server)
        found = watcher.events(beats=True)
        times = [next(found) for _ in range(3)]
        assert {kind for kind, _ in times} == {"beat"}
        assert times[0][1]["made"] < times[2][1]["made"] <= time.monotonic()
        watcher.close()

    def test_what_json_cannot_say_is_never_sent(self) -> None:
        with pytest.raises(ValueError, match="JSON compliant"):
            event("step", {"value": float("nan")})
        assert event("now", {"why": "a\nb\n\nevent: x"}).count(b"\n") == 3


class TestRefusals:
    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "start", "CONNECT"])
    @pytest.mark.parametrize("path", ["/", "/events", "/stop"])
    def test_nothing_can_be_sent(self, server: PageServer, method: str, path: str) -> None:
        with sent(
            server, f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nstop".encode()
        ) as c:
            assert read_to_end(c).startswith(b"HTTP/1.0 405 ")

    @pytest.mark.parametrize(
        "path",
        [
            "/../../etc/passwd", "/..%2f..%2fetc/passwd", "//etc/passwd", "/page.html", "/assets/page.html",
            "/events/../page_server.py", "/%00", "/C:\\x", "http://elsewhere/", "/favicon.ico",
        ],
    )  # fmt: skip
    def test_no_file_is_opened(self, server: PageServer, path: str) -> None:
        with sent(server, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()) as client:
            reply = read_to_end(client)
        assert reply.startswith(b"HTTP/1.0 404 ")
        assert b"root:" not in reply

    @pytest.mark.parametrize(
        ("content", "status"),
        [
            (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n\r\n", b"431"),
            (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5_000 + b"\r\n", b"431"),
            (b"GET / HTTP/1.1\r\nA: " + b"y" * 100_000, b"431"),
            (b"\0\xff" * 100 + b"\r\n\r\n", b"400"),
            (b"GET / HTTP/9.9\r\n\r\n", b"505"),
            (b"GET / <script> HTTP/1.1\r\n\r\n", b"400"),
            (b"\r\n\r\n", b""),
        ],
    )
    def test_what_is_no_request_ends_its_own_connection_alone(
        self, server: PageServer, content: bytes, status: bytes
    ) -> None:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
            try:
                client.sendall(content)
                reply = read_to_end(client)
            except ConnectionError:
                # What was not read yet is reset with its connection.
                reply = b"HTTP/1.0 431 "
        assert reply.split(b"\r\n")[0][9:12] == status
        assert b"<script>" not in reply
        assert ask(server)[0] == 200

    def test_who_sends_a_letter_now_and_then_is_let_go(
        self, server: PageServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(page_server, "HEAD_S", 0.6)
        begun = time.monotonic()
        with sent(server, b"GET / HT") as client:
            client.settimeout(0.05)
            gone = False
            while not gone and time.monotonic() - begun < 20:
                try:
                    client.sendall(b"T")
                    gone = client.recv(1) == b""
                except TimeoutError:
                    continue
                except ConnectionError:
                    gone = True
        assert gone
        assert 0.5 < time.monotonic() - begun < 10

    def test_no_more_watchers_than_can_be_served(self, server: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(page_server, "MOST_OF_ONE", 3)
        watchers = [Watcher(server) for _ in range(3)]
        with sent(server, b"GET / HTTP/1.1\r\n\r\n") as client, suppress(ConnectionError):
            assert read_to_end(client).startswith(b"HTTP/1.0 503 ")
        watchers.pop().close()
        for watcher in watchers:
            watcher.close()

        def served() -> bool:
            try:
                return ask(server)[0] == 200
            except (ConnectionError, http.client.HTTPException):
                return False

        # That they are gone is found out with the next sign of life.
        wait_for(served)

    @pytest.mark.parametrize(
        ("host", "status"),
        [("localhost:1", 200), ("127.0.0.1", 200), ("[::1]:22350", 200), ("evil.example", 403),
         ("evil.example:22350", 403), ("127.0.0.1.evil.example:22350", 403), ("10.0.0.5", 403)],
    )  # fmt: skip
    def test_a_foreign_page_cannot_read_through_a_browser_here(
        self, server: PageServer, host: str, status: int
    ) -> None:
        assert ask(server, Host=host)[0] == status

    def test_a_foreign_page_cannot_open_streams(self, server: PageServer) -> None:
        assert ask(server, "/events", Sec_Fetch_Site="cross-site")[0] == 403


class TestToken:
    @pytest.fixture
    def closed(self, feed: PageFeed, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageServer]:
        monkeypatch.setattr(page_server, "WRONG_S", 0.01)
        yield from serving(feed, TOKEN)

    def test_events_are_opened_by_it_alone(self, closed: PageServer, feed: PageFeed) -> None:
        feed.put("about", {"title": "secret"})
        for wrong in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer "}, {"Authorization": "Basic eDp5"}):
            status, said = ask(closed, "/events", **wrong)
            assert (status, b"secret" in said) == (401, False)
        assert ask(closed, "/events?token=a%20token%20of%20letters%20%C3%A4%20%25")[0] == 401, "never in an address"
        watcher = Watcher(closed, Authorization="Bearer a%20token%20of%20letters%20%C3%A4%20%25")
        assert next(watcher.events()) == ("about", {"title": "secret"})
        watcher.close()
        assert ask(closed, Host="lab-computer")[0] == 200, "the page itself says nothing of the session"


class TestBounds:
    def test_the_newest_steps_are_kept_and_no_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        feed = PageFeed()
        for step in range(MOST_STEPS + 50):
            feed.put("step", {"step": step}, keep=True)
        steps = re.findall(rb'"step":(\d+)', feed.after(0, 0.0)[1])
        assert (len(steps), int(steps[0])) == (MOST_STEPS, 50)
        monkeypatch.setattr(page_feed, "MOST_BYTES", 10_000)
        feed.put("step", {"step": 9, "values": "x" * 1_000}, keep=True)
        assert len(feed.after(0, 0.0)[1]) <= 10_000
        feed.put("step", {"step": 10, "values": "x" * 20_000}, keep=True)
        assert feed.after(0, 0.0)[1].count(b"event: ") == 1, "the newest is there, however large"

    def test_one_gets_so_much_at_once_and_then_the_rest(self) -> None:
        feed, number, parts = PageFeed(), 0, []
        for step in range(100):
            feed.put("step", {"step": step, "values": "x" * 2_000}, keep=True)
        while (found := feed.after(number, 0.0))[1]:
            number = found[0]
            parts.append(found[1])
        assert max(map(len, parts)) <= 1 << 16
        assert [int(n) for n in re.findall(rb'"step":(\d+)', b"".join(parts))] == list(range(100))

    def test_who_does_not_read_holds_nobody_up_and_is_let_go(
        self, server: PageServer, feed: PageFeed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(page_server, "SEND_S", 0.3)
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            slow.connect(("127.0.0.1", server.port))
            slow.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_for(lambda: len(server._clients) == 1)
            longest = 0.0
            for step in range(400):
                begun = time.perf_counter()
                feed.put("step", {"step": step, "values": "x" * 20_000}, keep=True)
                longest = max(longest, time.perf_counter() - begun)
            quick = Watcher(server)
            assert next(quick.events())[0] == "step"
            quick.close()
            wait_for(lambda: not server._clients, 20.0)
        assert longest < 0.25, "putting a step waits for no watcher"
        assert feed._bytes <= page_feed.MOST_BYTES
