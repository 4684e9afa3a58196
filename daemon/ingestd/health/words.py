"""Durations and names as they stand in a sentence about health."""

from collections.abc import Mapping, Sequence


def span(seconds: float) -> str:
    """Return a duration with two digits or so: ``42ms``, ``7s``, ``90m``, ``36h``, ``12d``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms" if seconds >= 0.001 else "0s"
    for unit, size, most in (("s", 1, 120), ("m", 60, 120), ("h", 3600, 48)):
        if seconds < size * most:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds / 86400:.0f}d"


def series_text(name: str, tags: Sequence[tuple[str, str]] | Mapping[str, str]) -> str:
    """Return a series with its tags."""
    pairs = tags.items() if isinstance(tags, Mapping) else tags
    text = ",".join(f"{tag}={value}" for tag, value in pairs)
    return f"{name} ({text})" if text else name
