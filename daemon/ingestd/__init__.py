"""Collect readings from meters, sensors and instruments, and never skip one."""

from typing import Final

__version__: Final = "0.1.0"
