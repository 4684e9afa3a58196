"""Asks a server who it is.

It is asked at the address that was configured, and then at the root of its host,
since a wrong path is the commonest mistake. Asking writes nothing.
"""

import re
from typing import Final

from ingestd.errors import StoreUnavailable
from ingestd.sinks.answers import Reply, said_in, titled
from ingestd.sinks.connection import Connection
from ingestd.sinks.identity import INFLUXDB, VICTORIAMETRICS, Identity

# What the metrics of VictoriaMetrics tell of itself; a build of Debian has no version.
VERSION: Final = re.compile(
    r'^vm_app_version\{version="(?P<long>[^"]*)"(?:, ?short_version="(?P<short>[^"]*)")?',
    re.MULTILINE,
)
LONGEST_LIST: Final = 80  # characters
FLAGS: Final = re.compile(r"-\w[\w.]*=\"")


async def identify(connection: Connection) -> Identity:
    """Ask a server who it is; what cannot be found out stays empty."""
    best = Identity()
    for from_root in (False, True):
        for path, read in (("/ping", by_headers), ("/health", by_health), ("/flags", by_flags)):
            try:
                reply = await connection.request("GET", path, from_root=from_root)
            except StoreUnavailable:
                return best
            found = read(reply)
            if found.product == VICTORIAMETRICS:
                return await versioned(connection, found, from_root=from_root)
            if found.product == INFLUXDB:
                return found
            best = best if str(best) else by_server(reply)
    return best


def by_headers(reply: Reply) -> Identity:
    """Recognize InfluxDB, which tells with every answer; some imitate it, but not the build."""
    version, build = (reply.headers.get(f"x-influxdb-{each}", "") for each in ("version", "build"))
    return Identity(INFLUXDB, version[:40]) if version and build else Identity()


def by_health(reply: Reply) -> Identity:
    """Recognize InfluxDB 2 behind a proxy that hides headers."""
    said = said_in(reply.text)
    if said.get("name") == "influxdb":
        return Identity(INFLUXDB, str(said.get("version", ""))[:40])
    return Identity()


def by_flags(reply: Reply) -> Identity:
    """Recognize VictoriaMetrics and its agents by their list of flags."""
    told = reply.status == 200 and not reply.is_page and FLAGS.match(reply.text)
    return Identity(VICTORIAMETRICS) if told else Identity()


def by_server(reply: Reply) -> Identity:
    """Return what an answer tells of any server."""
    page = (titled(reply.text) or " without a title") if reply.is_page else ""
    told = " ".join(reply.headers.get("server", "").split())
    if " " in told:  # several products, the first of which may be but a language
        return Identity(told[:LONGEST_LIST], page=page)
    product, _, version = told.partition("/")
    return Identity(product[:40], version[:40], page)


async def versioned(connection: Connection, found: Identity, *, from_root: bool) -> Identity:
    """Return a VictoriaMetrics with the version that its metrics tell, if they do."""
    try:
        reply = await connection.request("GET", "/metrics", from_root=from_root)
    except StoreUnavailable:
        return found
    told = VERSION.search(reply.text)
    version = (told["short"] or told["long"]) if told else ""
    return Identity(found.product, version[:60])
