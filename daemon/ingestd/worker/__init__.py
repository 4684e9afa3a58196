"""What runs inside a worker process, and the words that both of its ends speak."""

from pathlib import Path
from typing import Final

from ingestd.worker import wire
from ingestd.worker.description import (
    Description,
    Kind,
    Parameters,
    describe,
    plain_generator,
    positional_only,
)
from ingestd.worker.elsewhere import READY
from ingestd.worker.failures import load_failure, run_failure
from ingestd.worker.importing import call_ordinary, import_plugin, import_run
from ingestd.worker.source import Fingerprint, Source, fingerprint_of, read_source

# Started by its path, in interpreters that do not know this package.
ELSEWHERE: Final = Path(__file__).parent / "elsewhere.py"

__all__ = [
    "ELSEWHERE",
    "READY",
    "Description",
    "Fingerprint",
    "Kind",
    "Parameters",
    "Source",
    "call_ordinary",
    "describe",
    "fingerprint_of",
    "import_plugin",
    "import_run",
    "load_failure",
    "plain_generator",
    "positional_only",
    "read_source",
    "run_failure",
    "wire",
]
