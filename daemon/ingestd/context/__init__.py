"""`ctx`: what a run may ask of the daemon."""

from ingestd.context.context import Context, Receipts, Shared
from ingestd.context.http import Http, LazySession
from ingestd.context.httplimits import HttpLimits
from ingestd.context.lent import Reader, RunningProgram, StartProgram
from ingestd.context.mounts import Handler

__all__ = [
    "Context",
    "Handler",
    "Http",
    "HttpLimits",
    "LazySession",
    "Reader",
    "Receipts",
    "RunningProgram",
    "Shared",
    "StartProgram",
]
