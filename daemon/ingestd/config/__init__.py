"""What the operator wrote: read, checked and typed."""

from ingestd.config import file, nodes
from ingestd.config.catalogue import Catalogue, SeriesDescription
from ingestd.config.changes import Plan, changes_of, plan, until_restart
from ingestd.config.cron import CronExpression
from ingestd.config.file import DROP_INS, in_order, load
from ingestd.config.findings import Findings
from ingestd.config.model import (
    DIRECT,
    NEVER,
    BufferConfig,
    CatchUp,
    CollectorConfig,
    Config,
    DaemonConfig,
    EmbeddedStore,
    HttpConfig,
    InfluxStore,
    Quota,
    StoreConfig,
    VictoriaStore,
)
from ingestd.config.nodes import Unknown
from ingestd.config.section import Section
from ingestd.config.variables import Expansion
from ingestd.plugins._units import duration, format_duration

__all__ = [
    "DIRECT",
    "DROP_INS",
    "NEVER",
    "BufferConfig",
    "Catalogue",
    "CatchUp",
    "CollectorConfig",
    "Config",
    "CronExpression",
    "DaemonConfig",
    "EmbeddedStore",
    "Expansion",
    "Findings",
    "HttpConfig",
    "InfluxStore",
    "Plan",
    "Quota",
    "Section",
    "SeriesDescription",
    "StoreConfig",
    "Unknown",
    "VictoriaStore",
    "changes_of",
    "duration",
    "file",
    "format_duration",
    "in_order",
    "load",
    "nodes",
    "plan",
    "until_restart",
]
