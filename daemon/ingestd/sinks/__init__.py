"""Adapters, one for each kind of store."""

from ingestd.sinks.identity import Identity, mending
from ingestd.sinks.making import make_sink
from ingestd.sinks.naming import name_problems
from ingestd.sinks.protocol import Encoded, Sink

__all__ = ["Encoded", "Identity", "Sink", "make_sink", "mending", "name_problems"]
