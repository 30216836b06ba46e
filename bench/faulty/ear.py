"""Captures what a sound server's monitor gives, with times on the LSL clock, until its input closes.

``python -m bench.faulty.ear FILE.npz``
"""

from __future__ import annotations

import sys
import threading

import numpy as np

from rtaffect.sources.sound_card import SoundCardSource

#: Hz.
EAR_RATE = 48_000

if __name__ == "__main__":
    source, over = SoundCardSource("default", rate=EAR_RATE), threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    samples, times, cursor = [np.zeros(0)], [np.zeros(0)], 0
    source.start()
    while not over.wait(1.0):
        block = source.buffer.read(cursor, np.inf)
        samples.append(block.samples[:, 0])
        times.append(block.times)
        cursor = block.stop
    source.stop()
    np.savez(sys.argv[1], samples=np.concatenate(samples), times=np.concatenate(times))
