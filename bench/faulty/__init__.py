"""Faults of headsets as they are injected into real LSL outlets, and what became of a session that met them."""
