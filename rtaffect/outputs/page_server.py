"""Serves the page to watch a session: a bounded number of watchers, each on a thread that no step ever waits for.

It answers GET of two places, the page and its events. Nothing that is asked changes anything, and no file is opened
because of what is asked.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import ipaddress
import logging
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer
from typing import Any, Final
from urllib.parse import unquote

from rtaffect.outputs.page_feed import PageFeed, beat

_log = logging.getLogger(__name__)

#: Connections at once, and those of them from one computer.
MOST_CLIENTS: Final = 32
MOST_OF_ONE: Final = 16
#: The head of a request may have so many bytes, and come within so long, s.
MOST_HEAD, HEAD_S = 16 * 1024, 5.0
#: Who does not take in what is sent for so long is let go, s; without anything new a sign of life is sent so often, s.
SEND_S, BEAT_S = 5.0, 1.0
#: Before a wrong token is refused, s.
WRONG_S: Final = 1.0
#: What waits in the system to be sent: more would be of the past when it arrives, bytes.
_SEND_BUFFER: Final = 1 << 16
_LOOK_S: Final = 0.2
_PAGE: Final = Path(__file__).parent / "assets" / "page.html"
_PLAIN: Final = "text/plain; charset=utf-8"


def page_of(path: Path = _PAGE) -> tuple[bytes, str]:
    """Return the page, and the policy by which a browser runs its own script and style alone, and asks nobody else."""
    text = path.read_text(encoding="utf-8")

    def hashes(tag: str) -> str:
        found = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(t.encode()).digest()).decode()}'" for t in found)

    policy = (
        f"default-src 'none'; script-src {hashes('script')}; style-src {hashes('style')}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return text.encode(), policy


class PageServer(TCPServer):
    """Serves the page and the events of a ``feed`` at ``host`` and ``port`` until it is closed.

    Parameters
    ----------
    host, port
        Where.
    feed
        What watchers are sent.
    token
        What opens the events; '' for nothing: then only requests that name this computer are answered.

    Raises
    ------
    OSError
        If nothing can be served there.
    """

    allow_reuse_address = sys.platform != "win32"
    request_queue_size = MOST_CLIENTS

    def __init__(self, host: str, port: int, feed: PageFeed, token: str = "", *, serves: bool = True) -> None:
        self.feed, self.token, self.host = feed, token, host
        self.page, self.policy = page_of()
        self.ending = threading.Event()
        self._clients: dict[Any, tuple[str, threading.Thread | None]] = {}
        self._lock = threading.Lock()
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self.address_family = found[0]
        super().__init__((str(found[4][0]), port), _Watcher, bind_and_activate=serves)
        self._serving = threading.Thread(target=self.serve_forever, args=(_LOOK_S,), name="page", daemon=True)
        if serves:
            self._serving.start()

    @classmethod
    def check(cls, host: str, port: int) -> None:
        """Raise OSError if nothing can be served there; nobody can connect meanwhile."""
        tried = cls(host, port, PageFeed(), serves=False)
        try:
            tried.server_bind()
        finally:
            tried.server_close()

    @property
    def port(self) -> int:
        """The port that it is served at."""
        return int(self.server_address[1])

    def close(self) -> None:
        """Let all watchers go; may be called twice."""
        self.feed.close()
        # Who has all is let go at once, with the last words.
        deadline = time.monotonic() + _LOOK_S
        while self._clients and time.monotonic() < deadline:
            time.sleep(0.01)
        self.ending.set()
        self.shutdown()
        self.server_close()
        self._serving.join()
        with self._lock:
            clients = dict(self._clients)
        for client, (_, thread) in clients.items():
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            if thread is not None:
                thread.join(SEND_S)

    # What TCPServer calls.

    def get_request(self) -> tuple[Any, Any]:
        """Return the next connection."""
        try:
            return super().get_request()
        except OSError:
            # Too many open files, for one: it would be asked again at once.
            self.ending.wait(_LOOK_S)
            raise

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Return whether one more can be served."""
        host = str(client_address[0])
        with self._lock:
            of_one = sum(each == host for each, _ in self._clients.values())
            if len(self._clients) < MOST_CLIENTS and of_one < MOST_OF_ONE:
                self._clients[request] = (host, None)
                return True
        _log.warning("page: %s is one watcher more than can be served", host)
        with suppress(OSError):
            # It fits into the system's buffer, or is left off.
            request.setblocking(False)
            request.send(b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 5\r\n\r\ntoo many are watching\n")
        return False

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer on a thread of its own."""
        thread = threading.Thread(target=self._answer, args=(request, client_address), name="page watcher", daemon=True)
        with self._lock:
            self._clients[request] = (str(client_address[0]), thread)
        thread.start()

    def _answer(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError as error:
            _log.debug("page: %s is gone (%s)", client_address[0], error)
        except Exception:
            # Whatever one watcher finds must not end what serves the others.
            _log.exception("page: %s is let go", client_address[0])
        finally:
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        super().shutdown_request(request)
        with self._lock:
            self._clients.pop(request, None)


class _Watcher(BaseHTTPRequestHandler):
    """One request of a browser's, which may last as long as the session."""

    server: PageServer
    rfile: Any

    def setup(self) -> None:
        """Bound what a watcher can hold and how long."""
        super().setup()
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                # One that is gone without a word is noticed.
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(3000 * SEND_S))

    def handle(self) -> None:
        """Read one head, whole and in time, and answer it."""
        self.close_connection = True
        head = self._read_head()
        self.connection.settimeout(SEND_S)
        if not head:
            return
        self.rfile = io.BytesIO(head)
        self.raw_requestline = self.rfile.readline(MOST_HEAD + 1)
        if len(head) > MOST_HEAD:
            self.command, self.request_version, self.requestline = "", "HTTP/1.0", ""
            self._say(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self.parse_request():
            self._serve()

    def _read_head(self) -> bytes:
        """Return what comes up to an empty line; nothing where that takes too long."""
        head, deadline = b"", time.monotonic() + HEAD_S
        while b"\r\n\r\n" not in head and b"\n\n" not in head and len(head) <= MOST_HEAD:
            left = deadline - time.monotonic()
            if left <= 0 or self.server.ending.is_set():
                return b""
            self.connection.settimeout(min(left, 2 * _LOOK_S))
            try:
                content = self.connection.recv(4096)
            except TimeoutError:
                continue
            if not content:
                return b""
            head += content
        return head

    def _serve(self) -> None:
        if self.command not in ("GET", "HEAD"):
            self._say(HTTPStatus.METHOD_NOT_ALLOWED)
        elif not self.server.token and not self._is_meant():
            self._say(HTTPStatus.FORBIDDEN, "open it by this computer's own address\n")
        else:
            places: dict[str, Callable[[], None]] = {"/": self._send_page, "/events": self._send_events}
            places.get(self.path.partition("?")[0], lambda: self._say(HTTPStatus.NOT_FOUND))()

    def _is_meant(self) -> bool:
        """Return whether a browser asks by this computer's own name, and not a foreign page through it."""
        if self.headers.get("Sec-Fetch-Site", "") == "cross-site" and self.path != "/":
            return False
        asked = self.headers.get("Host", "")
        name = re.sub(r":\d+$", "", asked).strip("[]").casefold() if asked.count(":") < 2 or "[" in asked else asked
        if name in ("", "localhost", self.server.host.casefold()):
            return True
        with suppress(ValueError):
            return ipaddress.ip_address(name).is_loopback
        return False

    def _is_open(self) -> bool:
        """Return whether the token was sent, where one is needed."""
        if not self.server.token:
            return True
        sent = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        return hmac.compare_digest(unquote(sent).encode("utf-8", "replace"), self.server.token.encode())

    def _send_page(self) -> None:
        self._begin(HTTPStatus.OK, "text/html; charset=utf-8", len(self.server.page))
        if self.command == "GET":
            self.wfile.write(self.server.page)

    def _send_events(self) -> None:
        if not self._is_open():
            self.server.ending.wait(WRONG_S)
            self._say(HTTPStatus.UNAUTHORIZED, "the token is needed\n")
            return
        self._begin(HTTPStatus.OK, "text/event-stream")
        if self.command != "GET":
            return
        # First of all, so that the age of what was made before is known.
        self.wfile.write(beat())
        feed, number = self.server.feed, 0
        while not self.server.ending.is_set():
            number, events = feed.after(number, BEAT_S)
            if not events and feed.closed:
                return
            # A write as a whole has SEND_S: who reads too slowly is let go, and the oldest were left out before.
            self.wfile.write(events or beat())

    def _begin(self, status: HTTPStatus, kind: str, length: int | None = None) -> None:
        # Whatever was asked for: the answer is one of HTTP/1.0, whole.
        self.request_version = "HTTP/1.0"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in (
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Content-Security-Policy", self.server.policy),
        ):
            self.send_header(name, value)
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _say(self, status: HTTPStatus, words: str = "") -> None:
        content = (words or f"{status.phrase}\n").encode()
        self._begin(status, _PLAIN, len(content))
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no request, without saying it back."""
        self.command = getattr(self, "command", None) or ""
        self._say(HTTPStatus(code))

    def version_string(self) -> str:
        """Return the name of the program alone."""
        return "rtaffect"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base's name
        """Keep requests out of the terminal."""
        _log.debug("page: %s %s", self.client_address[0], format % args)
