"""Devices and files become streams."""
