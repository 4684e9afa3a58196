"""A record of an export of BMON, and what it means."""

from typing import Any

from ingestd.bmon.importing.export import Setup, setups


def setup(**changes: Any) -> Setup:
    """Return what one record means."""
    (found,) = setups([{"id": 3, "script_file_name": "okofen", "period": 3600, **changes}])
    return found
