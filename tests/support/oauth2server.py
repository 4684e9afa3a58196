"""An OAuth 2 server, made of Authlib's parts, in front of one source; each in a thread.

It rotates refresh tokens: each works once, or until a newer access token is used.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749 import (  # type: ignore[import-untyped]  # ships no types
    AuthorizationServer,
    ClientMixin,
    OAuth2Request,
    TokenMixin,
    grants,
)
from authlib.oauth2.rfc6749.requests import (  # type: ignore[import-untyped]
    BasicOAuth2Payload,
)
from authlib.oauth2.rfc6750 import BearerTokenGenerator  # type: ignore[import-untyped]
from authlib.oauth2.rfc8628 import (  # type: ignore[import-untyped]
    DEVICE_CODE_GRANT_TYPE,
    DeviceAuthorizationEndpoint,
    DeviceCodeGrant,
    DeviceCredentialDict,
)

from tests.support.jsonserver import answer_with, serving

METHODS: Final = ["client_secret_basic", "client_secret_post", "none"]
SECRET: Final = "s3cret: ä+%/ of the client"


@dataclass
class Client(ClientMixin):  # type: ignore[misc]
    """An application that may have tokens.

    Attributes:
        method: How it has to say who it is.
        kinds: The grants that it may use.
    """

    client_id: str = "app"
    secret: str = SECRET
    method: str = "client_secret_basic"
    kinds: tuple[str, ...] = ("client_credentials", "refresh_token", DEVICE_CODE_GRANT_TYPE)

    def get_client_id(self) -> str:
        """Return its name."""
        return self.client_id

    def get_allowed_scope(self, scope: str | None) -> str:
        """Allow what it asks for."""
        return scope or ""

    def check_client_secret(self, secret: str) -> bool:
        """Say whether it is its own."""
        return secret == self.secret

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Say whether it may say who it is in a way."""
        del endpoint
        return method == self.method

    def check_grant_type(self, grant_type: str) -> bool:
        """Say whether it may use a grant."""
        return grant_type in self.kinds


class Token(dict[str, Any], TokenMixin):  # type: ignore[misc]
    """Tokens that were given."""

    def check_client(self, client: Client) -> bool:
        """Say whether they are those of a client."""
        return bool(self["client"] == client.client_id)

    def get_scope(self) -> str:
        """Return what they are good for."""
        return str(self.get("scope", ""))


class Issuer(AuthorizationServer):  # type: ignore[misc]
    """Authlib's server, with what it has given in memory."""

    def __init__(self, client: Client) -> None:
        super().__init__(scopes_supported=["read", "meters"])
        self.client = client
        self.patient = False
        self.tokens: list[Token] = []

    def query_client(self, client_id: str) -> Client | None:
        """Find a client."""
        return self.client if client_id == self.client.client_id else None

    def save_token(self, token: dict[str, Any], request: Any) -> None:
        """Keep tokens."""
        self.tokens.append(Token(token, client=request.client.client_id))

    def create_oauth2_request(self, request: tuple[dict[str, str], Any]) -> Any:
        """Hand over a form and its headers."""
        form, headers = request
        made = Request("POST", "https://localhost/token", headers=headers)
        made.payload = BasicOAuth2Payload(form)
        return made

    def handle_response(self, *answer: Any) -> Any:
        """Return status, document and headers."""
        return answer

    def send_signal(self, *_: Any, **__: Any) -> None:
        """Tell nobody."""


class Request(OAuth2Request):  # type: ignore[misc]
    """A form that was posted."""

    @property
    def form(self) -> Any:
        """The form."""
        return self.payload.data


class Refresh(grants.RefreshTokenGrant):  # type: ignore[misc]
    """A refresh token works once, and brings the next one."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
        """Find the tokens that it belongs to."""
        found = [each for each in self.server.tokens if each.get("refresh_token") == refresh_token]
        return found[0] if found and not found[0].get("revoked") else None

    def authenticate_user(self, _: Token) -> str:
        """Return whose it is."""
        return "owner"

    def revoke_old_credential(self, token: Token) -> None:
        """Let it work no more, nor the access token beside it; or not yet."""
        token["superseded" if self.server.patient else "revoked"] = True


class Credentials(grants.ClientCredentialsGrant):  # type: ignore[misc]
    """A client asks for itself."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS


@dataclass
class OAuth2Server:
    """What the server is to do, and what it was asked.

    Attributes:
        client: The only one there is.
        lifetime: Of an access token, in seconds.
        patient: Whether a refresh token works until a newer access token is used.
        allowed: What the owner says to a device: None as long as nothing.
        away: What the first questions of a device are answered: a status, or 0 for no answer.
        opens_to_all: Whether every token that it has given opens the source, or none does.
        document: What the source answers.
        asked: The forms that the token server got, with the header of the client.
        read: How often the source was read.
        gave: Set when tokens were given.
        hold: While it is clear, answers of the token server wait, though tokens are rotated.
        url: Where it is.
    """

    client: Client = field(default_factory=Client)
    lifetime: int = 3600
    patient: bool = False
    allowed: bool | None = None
    away: list[int] = field(default_factory=list)
    opens_to_all: bool = True
    document: Any = field(default_factory=lambda: {"v": 1})
    asked: list[dict[str, str]] = field(default_factory=list)
    read: int = 0
    gave: threading.Event = field(default_factory=threading.Event)
    hold: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def __post_init__(self) -> None:
        """Put Authlib's parts together."""
        self.hold.set()
        self.issuer = Issuer(self.client)
        self.issuer.patient = self.patient
        owner, codes = self, dict[str, Any]()

        class Device(DeviceCodeGrant):  # type: ignore[misc]
            TOKEN_ENDPOINT_AUTH_METHODS = METHODS

            def query_device_credential(self, device_code: str) -> Any:
                return codes.get(device_code)

            def query_user_grant(self, _: str) -> Any:
                return None if owner.allowed is None else ("owner", owner.allowed)

            def should_slow_down(self, _: Any) -> bool:
                return False

        class Devices(DeviceAuthorizationEndpoint):  # type: ignore[misc]
            INTERVAL = 0.01

            def get_verification_uri(self) -> str:
                return f"{owner.url}/device"

            def save_device_credential(self, client_id: str, scope: str, data: Any) -> None:
                given = DeviceCredentialDict(data, client_id=client_id, scope=scope)
                codes[data["device_code"]] = given

        for grant in (Credentials, Refresh, Device):
            self.issuer.register_grant(grant)
        self.issuer.register_endpoint(Devices)
        numbers = iter(range(1, 10**6))
        self.issuer.register_token_generator(
            "default",
            BearerTokenGenerator(
                lambda **_: f"access-{next(numbers)}-token",
                lambda **_: f"refresh-{next(numbers)}-token",
                lambda *_: self.lifetime,
            ),
        )

    def refresh_token(self, name: str = "first") -> str:
        """Return a refresh token that the owner has got elsewhere."""
        given = {"access_token": f"{name}-access", "refresh_token": f"{name}-refresh"}
        self.issuer.tokens.append(Token(given, client="app"))
        return given["refresh_token"]

    def revoke(self) -> None:
        """Let no access token work that was given so far."""
        for each in self.issuer.tokens:
            each["ended"] = True

    @property
    def kinds(self) -> list[str]:
        """The kinds of grants that were asked with."""
        return [each["grant_type"] for each in self.asked if "grant_type" in each]

    def opens(self, header: str) -> bool:
        """Say whether the source opens by a header."""
        good = [
            at
            for at, each in enumerate(self.issuer.tokens)
            if header == f"Bearer {each['access_token']}"
            and not each.get("revoked")
            and not each.get("ended")
        ]
        if not good or not self.opens_to_all:
            return False
        for earlier in self.issuer.tokens[: good[0]]:
            earlier["revoked"] = earlier.get("superseded", False) or earlier.get("revoked")
        return True

    def token_answer(self, path: str, form: dict[str, str], headers: Any) -> Any:
        """Answer as the token server: status, document and headers."""
        self.asked.append({**form, "authorization": headers.get("Authorization", "")})
        if path == "/device_authorization":
            return self.issuer.create_endpoint_response("device_authorization", (form, headers))
        answer = self.issuer.create_token_response((form, headers))
        if answer[0] == 200:
            self.gave.set()
        self.hold.wait()
        return answer


@contextmanager
def oauth2_server(server: OAuth2Server) -> Iterator[str]:
    """Run a server; give its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = dict(parse_qsl(body))
            if server.away and "device_code" in form:
                if status := server.away.pop(0):
                    self.answer(status, "away", [])
                return
            status, document, headers = server.token_answer(self.path, form, self.headers)
            self.answer(status, document, headers)

        def do_GET(self) -> None:
            if server.opens(self.headers.get("Authorization", "")):
                server.read += 1
                answer_with(self, server.document)
                return
            said = {"error": "invalid_token", "you sent": self.headers.get("Authorization", "")}
            self.answer(401, said, [("WWW-Authenticate", "Bearer")])

        def answer(self, status: int, document: Any, headers: Any) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    with serving(httpd):
        server.url = f"http://127.0.0.1:{httpd.server_address[1]}"
        yield server.url
        server.hold.set()
