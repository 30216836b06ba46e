"""Why something cannot be served at an address of this computer, and what to do about it."""

from __future__ import annotations

import errno
import socket
from typing import Final

from rtaffect.common.errors import SettingsError, setting
from rtaffect.plan.programs_plan import Address

#: Ports below this belong to the system on most computers.
_OWN_PORTS: Final = 1024


def cannot_serve(option: str, address: Address, error: Exception, beside: str = "") -> SettingsError:
    """Return the error that tells why ``option`` cannot be served at an address, by what the system said.

    ``beside`` is what else is known of who may hold the port.
    """
    why, remedy = _why(address, error, beside)
    return SettingsError(f"{setting(option, address)} cannot be served: {why}", remedy=remedy)


def _why(address: Address, error: Exception, beside: str) -> tuple[str, str]:
    number = error.errno if isinstance(error, OSError) else None
    own = (
        f"give an address of this computer, 0.0.0.0:{address.port} for all that it has, or {address.port} alone for "
        "programs on it"
    )
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"{address.host!r} is no computer that is known here", own
    if number == errno.EADDRNOTAVAIL:
        return f"{address.host} is not an address of this computer", own
    if number == errno.EADDRINUSE:
        return f"port {address.port} is in use", f"close the program that serves there{beside}, or give another port"
    if number in (errno.EACCES, errno.EPERM):
        below = f": ports below {_OWN_PORTS} are the system's" if address.port < _OWN_PORTS else ""
        return f"the system does not allow it{below}", "give another port, as in 22350"
    return str(error), f"close the program that serves there{beside}, or give another port or {own}"
