"""What ALSA's library says goes to the log."""

from __future__ import annotations

import ctypes
import logging
import sys

import pytest

from rtaffect.sources.alsa_log import quiet_alsa


@pytest.mark.skipif(sys.platform != "linux", reason="ALSA is Linux's")
def test_what_alsa_says_of_a_device_that_is_not_there_is_logged_and_off_the_terminal(capfd, caplog):
    try:
        alsa = ctypes.CDLL("libasound.so.2")
    except OSError:
        pytest.skip("needs libasound2")
    quiet_alsa()
    quiet_alsa()
    with caplog.at_level(logging.DEBUG, "rtaffect.sound"):
        assert alsa.snd_pcm_open(ctypes.byref(ctypes.c_void_p()), b"no_such_device", 0, 0) < 0
    assert "ALSA: " in caplog.text
    assert capfd.readouterr().err == ""
