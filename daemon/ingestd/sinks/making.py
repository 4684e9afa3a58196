"""The one place that knows which kinds of store there are."""

from ingestd.config import EmbeddedStore, InfluxStore, StoreConfig, VictoriaStore
from ingestd.sinks.protocol import Sink

# ruff: noqa: PLC0415 -- only what is configured is imported: the HTTP client takes its time


def make_sink(config: StoreConfig) -> Sink:
    """Make the adapter to a store."""
    match config:
        case EmbeddedStore():
            from ingestd.sinks.embedded import EmbeddedSink

            return EmbeddedSink(config)
        case InfluxStore():
            from ingestd.sinks.influxdb import sink

            return sink(config)
        case VictoriaStore():
            from ingestd.sinks.victoriametrics import VictoriaSink

            return VictoriaSink(config)
    raise TypeError(f"no sink for {type(config).__name__}")
