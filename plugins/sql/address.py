"""Which database is read, and who reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

SQLITE, POSTGRESQL, MYSQL, MSSQL = "sqlite", "postgresql", "mysql", "mssql"
SCHEMES: Final[Mapping[str, str]] = {
    "postgresql": POSTGRESQL,
    "postgres": POSTGRESQL,
    "mysql": MYSQL,
    "mariadb": MYSQL,
    "mssql": MSSQL,
    "sqlserver": MSSQL,
}
EXAMPLE: Final = "postgresql://, mysql://, mariadb:// or mssql:// with user@host/database"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Address:
    """A database; never shown whole, because a password travels in it.

    Attributes:
        kind: One of the four.
        file: The path of an SQLite database; empty for the others.
        host: Its server, likewise.
        port: Where that listens; None: where such servers do.
        user: Who reads.
        password: And the secret for that.
        database: Which of the server's.
        options: What else the driver is given.
    """

    kind: str
    file: str = ""
    host: str = ""
    port: int | None = None
    user: str | None = None
    password: str | None = None
    database: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return what people call it."""
        if self.kind == SQLITE:
            return self.file
        port = f":{self.port}" if self.port else ""
        return f"{self.kind}://{self.host}{port}/{self.database}"


def address_of(params: Any) -> Address:
    """Read the options that say which database is meant.

    Raises:
        ValueError: Says what is wrong with them.
    """
    if (params.file is None) == (params.url is None):
        raise ValueError("file, url: expected one of them, `file` for SQLite")
    options = options_of(params.options)
    if params.file is not None:
        if params.user is not None or params.password is not None:
            raise ValueError("user, password: expected only beside `url`")
        return Address(kind=SQLITE, file=str(params.file), options=options)
    parts, port = parts_of(params.url)
    return Address(
        kind=SCHEMES[parts.scheme],
        host=parts.hostname or "",
        port=port,
        user=text_or(params.user, parts.username),
        password=text_or(params.password, parts.password),
        database=unquote(parts.path.lstrip("/")),
        options={**dict(parse_qsl(parts.query)), **options},
    )


def parts_of(url: Any) -> tuple[SplitResult, int | None]:
    """Return an address in parts, and its port.

    Raises:
        ValueError: It is none. The message has nothing of it but the scheme.
    """
    try:
        parts = urlsplit(str(url))
        port = parts.port
    except ValueError:  # its message may have a part of a password
        raise ValueError(f"url: expected {EXAMPLE}, got no address") from None
    if parts.scheme not in SCHEMES:
        hint = "; `file` is for SQLite" if parts.scheme == SQLITE else ""
        scheme = parts.scheme if "://" in str(url) else ""
        raise ValueError(
            f"url: expected {EXAMPLE}, got {scheme + '://' if scheme else 'none'}{hint}"
        )
    if not parts.path.strip("/"):
        raise ValueError("url: expected the name of a database behind the host")
    return parts, port


def options_of(options: Any) -> Mapping[str, Any]:
    """Return what the driver is given besides.

    Raises:
        ValueError: It is no mapping.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise ValueError("options: expected a mapping of what the driver takes")  # noqa: TRY004 -- the operator's value
    return {str(name): value for name, value in options.items()}


def text_or(said: Any, in_url: str | None) -> str | None:
    """Return what an option says, or else what the address does."""
    if said is not None:
        return str(said)
    return None if in_url is None else unquote(in_url)
