"""A child that plays scripts over real LSL outlets: what is sent, how it is stamped, and when, is all given.

``python -m bench.faulty.sender SCRIPT.json ARRAYS.npz`` plays until the last action, then ends when its input closes.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pylsl

#: What is sent within this time goes out at once, s: as wireless headsets do.
CHUNK_S = 0.02


def outlet_of(about: dict[str, Any]) -> pylsl.StreamOutlet:
    """Return an outlet that declares what ``about`` says."""
    kind, form = about.get("type", "EEG"), about.get("format", "float32")
    info = pylsl.StreamInfo(about["name"], kind, len(about["labels"]), about["rate"], form, about["source_id"])
    channels = info.desc().append_child("channels")
    for label in about["labels"]:
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", about.get("unit", "microvolts"))
        channel.append_child_value("type", kind)
    return pylsl.StreamOutlet(info, max_buffered=60)


def _say(outlet: pylsl.StreamOutlet, texts: list[tuple[str, float]], zero: float) -> None:
    for text, stamp in texts:
        outlet.push_sample([text], zero + stamp)


def play(script: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Do all actions of a script at their times (s after its ``zero`` on the LSL clock)."""
    zero, outlets, markers = float(script["zero"]), {}, {}
    for action in script["actions"]:
        delay = zero + action["at"] - pylsl.local_clock()
        if delay > 0:
            time.sleep(delay)
        key = action["outlet"]
        if action["do"] == "open":
            outlets[key] = outlet_of(action["about"])
        elif action["do"] == "close":
            # The outlet is gone when its last reference is.
            outlets.pop(key, None)
        elif action["do"] == "texts":
            outlet = markers.setdefault(key, outlets[key])
            # So many at once take a while: nobody else waits for them.
            threading.Thread(target=_say, args=(outlet, action["texts"], zero), daemon=True).start()
        elif key in outlets:
            part = slice(action["first"], action["stop"])
            values, stamps = arrays[f"{action['array']}.values"][part], arrays[f"{action['array']}.stamps"][part]
            outlets[key].push_chunk(values.tolist(), (zero + stamps).tolist())
    sys.stdin.read()


if __name__ == "__main__":
    with np.load(sys.argv[2]) as loaded:
        play(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), dict(loaded))
