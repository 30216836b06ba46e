"""A sender of Lab Streaming Layer that says of itself whatever a test wants, be it no description at all.

liblsl's own outlets cannot say most of what is wrong. This one answers discovery (UDP, ``LSL:shortinfo``) and the
question for the whole description (TCP, ``LSL:fullinfo``), as liblsl 1.16 and 1.17 do, with bytes of the test's choice.
"""

from __future__ import annotations

import configparser
import os
import socket
import threading
import uuid
from contextlib import suppress


class LslSender:
    """Answers discovery with ``short``, and who asks for the whole description with ``full``; a context manager.

    Both are templates: ``{port}`` and ``{uid}`` become the port of the second and a fresh identity. It answers only
    those who ask for this process's session, so that parallel tests do not see it.
    """

    def __init__(self, short: bytes, full: bytes | None = None) -> None:
        self.uid = str(uuid.uuid4())
        self._server = socket.create_server(("127.0.0.1", 0))
        settings = configparser.ConfigParser()
        settings.read(os.environ["LSLAPICFG"])
        self._session = settings["lab"]["SessionID"].encode()
        first = settings.getint("ports", "BasePort")
        # Outlets answer discovery at one of these ports.
        self._udp = _free_port(range(first, first + settings.getint("ports", "PortRange")))
        places = {b"{port}": str(self._server.getsockname()[1]).encode(), b"{uid}": self.uid.encode()}
        self._short, self._full = (_filled(text, places) for text in (short, short if full is None else full))
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._answer, self._serve)]
        self._open = True

    def __enter__(self) -> LslSender:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        with suppress(OSError):
            self._udp.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._udp.close()
        self._server.close()
        for thread in self._threads:
            thread.join(2.0)

    def _answer(self) -> None:
        while self._open:
            try:
                asked, (host, _) = self._udp.recvfrom(65536)
                kind, query, rest = asked.split(b"\r\n")[:3]
                port, number = rest.split()[:2]
            except (OSError, TypeError, ValueError):
                continue
            if kind == b"LSL:shortinfo" and self._session in query:
                with suppress(OSError):
                    self._udp.sendto(number + b"\r\n" + self._short, (host, int(port)))

    def _serve(self) -> None:
        while self._open:
            with suppress(OSError):
                connection, _ = self._server.accept()
                with connection:
                    connection.settimeout(5.0)
                    if connection.recv(65536).startswith(b"LSL:fullinfo"):
                        connection.sendall(self._full)


def _filled(text: bytes, places: dict[bytes, bytes]) -> bytes:
    for place, value in places.items():
        text = text.replace(place, value)
    return text


def _free_port(ports: range) -> socket.socket:
    for port in ports:
        found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            found.bind(("127.0.0.1", port))
        except OSError:
            found.close()
            continue
        return found
    raise OSError("every port of LSL is in use")


def description(desc: bytes = b"", **fields: object) -> bytes:
    """Return what an outlet says of itself; ``fields`` replace what it says, None leaves one out."""
    said: dict[str, object] = {
        "name": "Odd", "type": "EEG", "channel_count": 2, "channel_format": "float32", "source_id": "odd",
        "nominal_srate": 250, "version": "1.1", "created_at": 1.0, "uid": "{uid}", "session_id": "default",
        "hostname": "lab", "v4address": "", "v4data_port": "{port}", "v4service_port": "{port}", "v6address": "",
        "v6data_port": 0, "v6service_port": 0,
    }  # fmt: skip
    said |= fields
    parts = [
        b"<%s>%s</%s>" % (key.encode(), value if isinstance(value, bytes) else str(value).encode(), key.encode())
        for key, value in said.items()
        if value is not None
    ]
    return b'<?xml version="1.0"?><info>' + b"".join(parts) + b"<desc>" + desc + b"</desc></info>"
