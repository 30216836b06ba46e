"""Serves the remote control to other programs: one thread for each, none of which a step ever waits for."""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from pylsl import local_clock

from rtaffect.plan.programs_plan import Address
from rtaffect.run import token
from rtaffect.run.remote_talk import MOST_LINE, Reply, Talk
from rtaffect.run.serving import cannot_serve

_log = logging.getLogger(__name__)

#: Programs that are connected at once.
MOST_CLIENTS: Final = 16
#: Where a token stands that is not in a file.
TOKEN_VARIABLE: Final = "RTAFFECT_REMOTE_TOKEN"
#: It is looked so often whether to end, s; a program that does not read has so long, and one without its token, s.
_LOOK_S, _SEND_S, _TOKEN_S = 0.5, 2.0, 10.0
#: Between two lines of a program that sends too many, and after a wrong token, s.
_PAUSE_S, _WRONG_S = 0.02, 1.0
#: A connection whose other side is silently gone is noticed after about these times, s.
_ALIVE: Final = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}


def read_token(address: Address, file: Path | None) -> str:
    """Return the token that programs have to send; '' where none is needed.

    Raises
    ------
    SettingsError
        As :func:`rtaffect.run.token.read_token`.
    """
    return token.read_token(address, file, "remote", TOKEN_VARIABLE, "other computers could start and stop sessions")


class RemoteServer:
    """Serves while it lasts: a context manager.

    Parameters
    ----------
    address
        Where.
    talk
        Makes what each program talks with.

    Raises
    ------
    SettingsError
        When it begins, if nothing can be served there.
    """

    def __init__(self, address: Address, talk: Callable[[], Talk]) -> None:
        self.address, self._talk = address, talk
        self._clients: dict[socket.socket, threading.Thread] = {}
        self._lock, self._ending = threading.Lock(), threading.Event()
        self._listening: socket.socket | None = None
        self._accepting = threading.Thread(target=self._accept, name="remote control", daemon=True)

    def __enter__(self) -> Self:
        """Begin to serve."""
        try:
            self._listening = _listen(self.address)
        except (OSError, UnicodeError) as error:
            held = " (LabRecorder's own remote control has 22345, too)"
            raise cannot_serve("remote", self.address, error, held) from None
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let all programs go."""
        self._ending.set()
        self._accepting.join()
        if self._listening is not None:
            self._listening.close()
        with self._lock:
            clients = dict(self._clients)
        for client in clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in clients.values():
            thread.join(_SEND_S + _LOOK_S)

    def _accept(self) -> None:
        assert self._listening is not None
        self._listening.settimeout(_LOOK_S)
        while not self._ending.is_set():
            try:
                client, place = self._listening.accept()
            except TimeoutError:
                continue
            except OSError as error:
                # Too many open files, for one: others may close theirs.
                _log.warning("remote control: a program cannot connect (%s)", error)
                self._ending.wait(_LOOK_S)
                continue
            with self._lock:
                full = len(self._clients) >= MOST_CLIENTS
                if not full:
                    thread = threading.Thread(target=self._serve, args=(client, str(place[0])), daemon=True)
                    self._clients[client] = thread
                    thread.start()
            if full:
                _log.warning("remote control: %s is one program more than %d; not listened to", place[0], MOST_CLIENTS)
                _send(client, Reply("ERROR: too many programs are connected\n"))
                client.close()

    def _serve(self, client: socket.socket, place: str) -> None:
        """Answer one program until it goes."""
        try:
            with client:
                _watch(client)
                self._listen_to(client, self._talk(), place)
        except OSError as error:
            _log.info("remote control: %s is gone (%s)", place, error)
        except Exception:
            # Whatever one program finds must not end what serves the others.
            _log.exception("remote control: %s is let go", place)
        finally:
            with self._lock:
                self._clients.pop(client, None)

    def _listen_to(self, client: socket.socket, talk: Talk, place: str) -> None:
        buffer, begun = b"", time.monotonic()
        while not self._ending.is_set():
            if not talk.known and time.monotonic() - begun > _TOKEN_S:
                return
            client.settimeout(_LOOK_S)
            try:
                content = client.recv(MOST_LINE)
            except TimeoutError:
                continue
            arrived = float(local_clock())
            if not content:
                return
            *lines, buffer = (buffer + content).split(b"\n")
            for line in lines:
                reply = talk.too_long() if len(line) > MOST_LINE else talk.answer(line, arrived)
                if not self._answer(client, talk, reply, place):
                    return
            if len(buffer) > MOST_LINE:
                _send(client, talk.too_long())
                return

    def _answer(self, client: socket.socket, talk: Talk, reply: Reply, place: str) -> bool:
        """Send an answer; return whether the program is listened to further."""
        if not talk.known:
            _log.warning("remote control: %s did not send the right token", place)
            self._ending.wait(_WRONG_S)
        elif talk.floods:
            self._ending.wait(_PAUSE_S)
        return _send(client, reply) and not reply.ends and not self._ending.is_set()


def _send(client: socket.socket, reply: Reply) -> bool:
    """Send an answer; return whether it was taken in time. A program that has closed its side need not read it."""
    try:
        client.settimeout(_SEND_S)
        client.sendall(reply.text.encode("utf-8", "replace"))
    except (BrokenPipeError, ConnectionResetError):
        return True
    except OSError as error:
        _log.warning("remote control: a program does not read its answers (%s), and is left", error)
        return False
    return True


def _listen(address: Address) -> socket.socket:
    family, _, _, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        # There it would let another program take the port over, and here a port that was just given back be taken.
        if sys.platform != "win32":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen(MOST_CLIENTS)
    except OSError:
        listening.close()
        raise
    return listening


def _watch(client: socket.socket) -> None:
    """Let the system find out when the other side is gone without a word."""
    with suppress(OSError):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for name, seconds in _ALIVE.items():
            if hasattr(socket, name):
                client.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), seconds)
