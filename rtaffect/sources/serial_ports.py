"""The serial ports of this computer as the operating system lists them; none is opened."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class SerialPort:
    """A serial port: ``port`` is what a board's ``serial_port`` names, ``device`` what the system knows of it."""

    port: str
    device: str = ""


def serial_ports() -> list[SerialPort]:
    """Return the ports that a board or its dongle may be on, by name."""
    if sys.platform == "win32":
        found = _windows()
    elif sys.platform == "darwin":
        found = _macos(Path("/dev"))
    else:
        found = _linux(Path("/dev"))
    return sorted(found, key=lambda port: (len(port.port), port.port))


def _linux(folder: Path) -> list[SerialPort]:
    """Return USB and Bluetooth ports under ``folder``; built-in ones (ttyS) carry no boards."""
    known = {link.resolve(): link.name for link in folder.glob("serial/by-id/*")}
    ports = [port for pattern in ("ttyUSB*", "ttyACM*", "rfcomm*") for port in folder.glob(pattern)]
    return [SerialPort(str(port), known.get(port.resolve(), "")) for port in ports]


def _macos(folder: Path) -> list[SerialPort]:
    """Return call-out ports under ``folder``: BrainFlow asks for these, and not for their twins called tty."""
    own = ("Bluetooth-Incoming-Port", "debug-console", "wlan-debug")
    return [SerialPort(str(port)) for port in folder.glob("cu.*") if port.name.removeprefix("cu.") not in own]


def _windows() -> list[SerialPort]:  # pragma: no cover - the registry exists on Windows alone
    import winreg

    registry: Any = winreg
    try:
        key = registry.OpenKey(registry.HKEY_LOCAL_MACHINE, r"HARDWARE\DEVICEMAP\SERIALCOMM")
    except OSError:
        # The key exists once there has been a port.
        return []
    with key:
        values = (registry.EnumValue(key, number) for number in range(registry.QueryInfoKey(key)[1]))
        return [SerialPort(port, device.rpartition("\\")[2]) for device, port, _ in values]
