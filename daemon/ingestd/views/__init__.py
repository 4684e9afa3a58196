"""What both faces tell, as JSON: the same answer from a running daemon and from its files."""

from ingestd.views.bands import Bands
from ingestd.views.collectors import (
    Activity,
    collector_json,
    plugin_json,
    series_json,
)
from ingestd.views.memories import remembered_json, state_json
from ingestd.views.options import options_json
from ingestd.views.readings import known_json, latest_json, point_json
from ingestd.views.secrets import without_secrets
from ingestd.views.status import Process, status_json
from ingestd.views.stores import (
    OnDisk,
    Traffic,
    held_for,
    held_for_others,
    spool_json,
    store_json,
)

__all__ = [
    "Activity",
    "Bands",
    "OnDisk",
    "Process",
    "Traffic",
    "collector_json",
    "held_for",
    "held_for_others",
    "known_json",
    "latest_json",
    "options_json",
    "plugin_json",
    "point_json",
    "remembered_json",
    "series_json",
    "spool_json",
    "state_json",
    "status_json",
    "store_json",
    "without_secrets",
]
