"""Collect readings from meters, sensors and instruments, and never skip one."""

__version__ = "0.1.0"
