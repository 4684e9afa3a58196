"""What runs inside a worker process, and the words that both of its ends speak."""

from ingestd.worker import wire
from ingestd.worker.failures import load_failure, run_failure
from ingestd.worker.importing import (
    Description,
    Fingerprint,
    Kind,
    Parameters,
    Source,
    call_ordinary,
    describe,
    fingerprint_of,
    import_run,
    plain_generator,
    positional_only,
    read_source,
)

__all__ = [
    "Description",
    "Fingerprint",
    "Kind",
    "Parameters",
    "Source",
    "call_ordinary",
    "describe",
    "fingerprint_of",
    "import_run",
    "load_failure",
    "plain_generator",
    "positional_only",
    "read_source",
    "run_failure",
    "wire",
]
