"""Of a session plan: which other programs control or watch the session, get its results by OSC, and send markers."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pydantic import Field, field_validator

from rtaffect.common.errors import setting
from rtaffect.plan.plan_part import PlanPart
from rtaffect.plan.setting import Setting

#: The port of LabRecorder's remote control, which scripts know.
REMOTE_PORT: Final = 22345
#: The port of the page that others watch.
PAGE_PORT: Final = 22350
_LOOPBACK: Final = "127.0.0.1"
_MOST_PORT: Final = 65_535
_MOST_HOST: Final = 255


class Address(NamedTuple):
    """Where something is served or sent to."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Return the address in ``PORT`` (of this computer), ``HOST:PORT`` or ``[HOST]:PORT``.

        Raises
        ------
        ValueError
            If it is none of them.
        """
        host, _, port = text.strip().rpartition(":")
        whole = ":" not in host or (host.startswith("[") and host.endswith("]"))
        host = host.removeprefix("[").removesuffix("]").strip()
        number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0
        fits = len(host) <= _MOST_HOST and host.isprintable() and " " not in host
        named = ":" not in text or (whole and fits and host)
        if not 0 < number <= _MOST_PORT or not named:
            raise ValueError(
                f"{text[:80]!r} is no address; expected a port from 1 to {_MOST_PORT}, or HOST:PORT, as in "
                f"{REMOTE_PORT} or 192.168.1.20:{REMOTE_PORT}"
            )
        return cls(host or _LOOPBACK, number)

    @property
    def is_here(self) -> bool:
        """Whether only this computer can reach it."""
        if self.host.casefold() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        """Return it as it is given."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class ProgramsPlan(PlanPart):
    """Other programs: remote control, OSC out and in, and a page to watch."""

    remote: Annotated[
        str | None, Setting("remote", modes=("live",), metavar="[ADDRESS:]PORT", bare=str(REMOTE_PORT))
    ] = Field(
        None,
        description="Let other programs start, mark and stop sessions, as LabRecorder's remote control does; without "
        f"a value at 127.0.0.1:{REMOTE_PORT}. Each `start` begins a session with a folder of its own in "
        f"{setting('out', metavar='FOLDER')} [default: sessions]",
    )
    remote_token: Annotated[Path | None, Setting("remote-token", modes=("live",), metavar="FILE")] = Field(
        None,
        description=f"File whose first line a program has to send first to {setting('remote')}, at least 16 letters; "
        "or the environment variable RTAFFECT_REMOTE_TOKEN. Needed where other computers can connect",
    )
    at_once: Annotated[bool, Setting("at-once", modes=("live",))] = Field(
        False, description=f"With {setting('remote')}: begin the first session without waiting for `start`"
    )
    osc: Annotated[tuple[str, ...], Setting("osc", modes=("live", "demo"), metavar="[HOST:]PORT", multiple=True)] = (
        Field(
            (),
            description="Send each step by OSC (UDP) to a program here, or on HOST; may be given several times",
        )
    )
    osc_markers: Annotated[
        int | None, Setting("osc-markers", modes=("live",), metavar="PORT", expected="a port, as in 9001")
    ] = Field(
        None,
        ge=1,
        le=_MOST_PORT,
        description="Take OSC messages (UDP) that programs on this computer send to PORT as markers; "
        f"{setting('onset-marker')} is then one of them, unless {setting('markers')} names an LSL stream",
    )

    page: Annotated[
        str | None,
        Setting("page", modes=("live", "replay", "demo"), metavar="[ADDRESS:]PORT", bare=str(PAGE_PORT)),
    ] = Field(
        None,
        description="Serve a page that shows the session to whoever opens it in a browser, and controls nothing; "
        f"without a value at 127.0.0.1:{PAGE_PORT}",
    )
    page_token: Annotated[Path | None, Setting("page-token", modes=("live", "replay", "demo"), metavar="FILE")] = Field(
        None,
        description=f"File whose first line opens the {setting('page')}, at least 16 letters; or the environment "
        "variable RTAFFECT_PAGE_TOKEN. Needed where other computers can connect",
    )

    @field_validator("remote", "osc", "page")
    @classmethod
    def _is_an_address(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        for text in (value,) if isinstance(value, str) else value or ():
            Address.parse(text)
        return value
