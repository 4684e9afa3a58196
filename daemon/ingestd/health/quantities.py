"""Times, sizes and numbers as people read them, on pages and on the command line."""

from ingestd.health.words import span


def ago(when: float, now: float) -> str:
    """Return how long ago, or until, a time in Unix seconds is: ``3s ago``, ``in 5m``."""
    seconds = now - when
    if abs(seconds) < 1:
        return "now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(-seconds)}"


def size(count: float) -> str:
    """Return bytes with three digits or so: ``512 B``, ``1.4 MiB``."""
    value, units = float(count), iter(("KiB", "MiB", "GiB", "TiB"))
    if value < 1024:
        return f"{value:.0f} B"
    unit = ""
    while value >= 1024 and unit != "TiB":
        value, unit = value / 1024, next(units)
    return f"{value:.1f} {unit}" if value < 100 else f"{value:,.0f} {unit}"


def number(value: float) -> str:
    """Return a number as people read it: one of many digits with its thousands apart."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if 1e5 <= abs(value) < 1e15 else f"{value:.6g}"


def counted(count: int, noun: str) -> str:
    """Return a number of things: ``1 reading``, ``2 readings``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
