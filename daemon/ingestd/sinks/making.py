"""The one place that knows which kinds of store there are."""

from ingestd.config import EmbeddedStore, InfluxStore, StoreConfig, VictoriaStore
from ingestd.sinks import influxdb
from ingestd.sinks.embedded import EmbeddedSink
from ingestd.sinks.protocol import Sink
from ingestd.sinks.victoriametrics import VictoriaSink


def make_sink(config: StoreConfig) -> Sink:
    """Make the adapter to a store."""
    match config:
        case EmbeddedStore():
            return EmbeddedSink(config)
        case InfluxStore():
            return influxdb.sink(config)
        case VictoriaStore():
            return VictoriaSink(config)
    raise TypeError(f"no sink for {type(config).__name__}")
