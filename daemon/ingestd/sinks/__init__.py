"""Adapters, one for each kind of store."""

from ingestd.sinks.making import make_sink
from ingestd.sinks.protocol import Encoded, Sink

__all__ = ["Encoded", "Sink", "make_sink"]
