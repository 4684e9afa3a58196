"""The lines on which devices are reached: connections to hosts, and serial lines."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingestd.plugins._clienttls import client_context
from ingestd.plugins._problems import Gathering

from .options import Options

TRANSPORTS: Final = ("tcp", "udp", "tls")
FRAMINGS: Final = ("tcp", "rtu", "ascii")
PORT: Final = 502
TLS_PORT: Final = 802
PARITIES: Final = ("none", "even", "odd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """How to encrypt.

    Attributes:
        ca_file: The authority that signed the device's certificate; None for those of the system.
        cert_file: Our own certificate, or None.
        key_file: Its key, or None if that stands in the same file.
        insecure: Whether any certificate is taken.
    """

    ca_file: str | None
    cert_file: str | None
    key_file: str | None
    insecure: bool

    def context(self) -> ssl.SSLContext:
        """Read the files.

        Raises:
            OSError: One of them cannot be read, or is of another kind.
        """
        return client_context(
            ca_file=self.ca_file,
            cert_file=self.cert_file,
            key_file=self.key_file,
            insecure=self.insecure,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What carries one request at a time: a connection to a host, or a serial line.

    Attributes:
        address: The host and port, or the serial device; what tells lines apart.
        host: Name or address; None for a serial line.
        port: Of the host.
        transport: ``tcp``, ``udp`` or ``tls``.
        framing: ``tcp``, or ``rtu`` or ``ascii``, which have no numbers to tell answers apart by.
        tls: How to encrypt.
        baudrate: Bits per second of a serial line.
        parity: ``none``, ``even`` or ``odd``.
        stopbits: 1 or 2.
    """

    address: str
    host: str | None = None
    port: int = 0
    transport: str = "tcp"
    framing: str = "rtu"
    tls: Encryption | None = None
    baudrate: int = 0
    parity: str = "none"
    stopbits: int = 1

    @property
    def place(self) -> str:
        """What tells it apart from all lines of the daemon, whichever link names its file."""
        return str(Path(self.address).resolve()) if self.host is None else self.address

    @property
    def numbered(self) -> bool:
        """Whether an answer says which request it answers."""
        return self.framing == "tcp"


def line(options: Options) -> Line:
    """Read how to reach a device.

    Raises:
        ValueError: Says what is wrong.
    """
    place = options
    while place.outer is not None and not (place.has("host") or place.has("serial")):
        place = place.outer
    if place.has("host") == place.has("serial"):
        got = "both" if place.has("host") else "neither"
        raise ValueError(f"{options.path('host')}: expected `host` or `serial`, got {got}")
    return network(place, options) if place.has("host") else serial(place, options)


def network(place: Options, options: Options) -> Line:
    """Read how to reach a device over a network.

    Raises:
        ValueError: Says what is wrong.
    """
    with Gathering() as wrong:
        read = wrong.read
        host = read(lambda: place.text("host"))
        transport = read(lambda: options.choice("transport", TRANSPORTS))
        encrypted = transport == "tls"
        framings = FRAMINGS[:1] if encrypted else FRAMINGS
        default = TLS_PORT if encrypted else PORT
        port = read(lambda: options.whole("port", least=1, most=65_535, default=default))
        address = f"[{host}]:{port}" if ":" in f"{host}" else f"{host}:{port}"
        return Line(
            address=address if transport == "tcp" else f"{transport}://{address}",
            host=host,
            port=port,
            transport=transport,
            framing=read(lambda: options.choice("framing", framings, default="tcp")),
            tls=read(lambda: encryption(options)) if encrypted else None,
        )


def encryption(options: Options) -> Encryption:
    """Read how to encrypt, and see whether that is possible.

    Raises:
        ValueError: It is not.
    """
    paths = {
        name: options.text(name) if options.find(name)[0] is not None else None
        for name in ("ca_file", "cert_file", "key_file")
    }
    found = Encryption(**paths, insecure=options.truth("insecure"))
    try:
        found.context()
    except OSError as error:
        where = next((name for name in paths if paths[name]), "ca_file")
        raise ValueError(f"{options.path(where)}: expected a certificate, got {error}") from None
    return found


def serial(place: Options, options: Options) -> Line:
    """Read how to reach a device over a serial line.

    Raises:
        ValueError: Says what is wrong.
    """
    with Gathering() as wrong:
        read = wrong.read
        return Line(
            address=read(lambda: place.text("serial")),
            framing=read(lambda: options.choice("framing", FRAMINGS[1:], default="rtu")),
            baudrate=read(lambda: options.whole("baudrate", least=50, most=4_000_000)),
            parity=read(lambda: options.choice("parity", PARITIES)),
            stopbits=read(lambda: options.whole("stopbits", least=1, most=2)),
        )
