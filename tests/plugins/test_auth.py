"""What is wrong with the ``auth`` option is told by ``check``, without a secret."""

from typing import Any, Final

import pytest

from ingestd.plugins.http_json import check

COMMON: Final = {"url": "http://x/", "values": {"a": "v"}}
OAUTH2: Final = {"token_url": "https://x/token", "client_id": "app", "client_secret": "hush-hush"}
LOGIN: Final = {"url": "https://x/login", "form": {"user": "me", "password": "hush-hush"}}


def without(options: dict[str, Any], name: str) -> dict[str, Any]:
    """Return options but for one."""
    return {key: value for key, value in options.items() if key != name}


@pytest.mark.parametrize(
    "auth",
    [
        None,
        {"username": "me", "password": ""},
        {"username": "me", "password": "hush-hush", "digest": True},
        {"token": "hush-hush"},
        {"oauth2": OAUTH2},
        {"oauth2": {**OAUTH2, "scope": ["a", "b"], "audience": "c", "client_auth": "body"}},
        {"oauth2": {**without(OAUTH2, "client_secret"), "refresh_token": "hush-hush"}},
        {"oauth2": {**OAUTH2, "device_url": "https://x/device", "extra": {"prompt": 1}}},
        {"login": LOGIN},
        {"login": {**without(LOGIN, "form"), "json": {"a": {"b": 1}}, "token": "a.b"}},
        {"login": {**LOGIN, "token": "t", "header": "X-Auth: {token}", "headers": {"X-A": 1}}},
    ],
)
def test_good_options(auth: Any) -> None:
    """There is nothing to tell."""
    assert check(**COMMON, auth=auth) == []


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ("hush-hush", "auth: expected a mapping, got a text"),
        ({"user": "me"}, "auth.user: unknown option; known here: username, password, "),
        ({"username": "me"}, "auth: expected `username` with `password`, each a text"),
        ({"username": "me", "password": 1234}, "auth: expected `username` with `password`, each"),
        ({"password": "hush-hush"}, "auth: expected `username` with `password`, `token`, "),
        ({"username": "a:b", "password": "hush-hush"}, "auth.username: expected a name without"),
        ({"username": "me", "password": "x", "digest": "yes"}, "auth.digest: expected true or"),
        ({"token": "x", "digest": True}, "auth: expected `username` with `password`, `token`, "),
        ({"token": "hush-hush", "oauth2": OAUTH2}, "auth: expected `username` with `password`, "),
        ({"token": ""}, "auth.token: expected a text, got nothing"),
        ({"oauth2": "hush-hush"}, "auth.oauth2: expected a mapping of token_url, client_id, "),
        ({"oauth2": {**OAUTH2, "tokenurl": 1}}, "auth.oauth2.tokenurl: unknown option; known"),
        ({"oauth2": without(OAUTH2, "token_url")}, "auth.oauth2.token_url: expected a text, got"),
        ({"oauth2": {**OAUTH2, "token_url": "x"}}, "auth.oauth2.token_url: expected http://... or"),
        ({"oauth2": without(OAUTH2, "client_id")}, "auth.oauth2.client_id: expected a text, got"),
        ({"oauth2": without(OAUTH2, "client_secret")}, "auth.oauth2: expected `client_secret`, or"),
        (
            {"oauth2": {**OAUTH2, "client_secret": [1]}},
            "auth.oauth2.client_secret: expected a text",
        ),
        ({"oauth2": {**OAUTH2, "client_auth": "url"}}, "auth.oauth2.client_auth: expected header"),
        ({"oauth2": {**OAUTH2, "scope": 7}}, "auth.oauth2.scope: expected a text or a list"),
        ({"oauth2": {**OAUTH2, "extra": "a=b"}}, "auth.oauth2.extra: expected a mapping of texts"),
        (
            {"oauth2": {**OAUTH2, "refresh_token": "x", "device_url": "https://x/"}},
            "auth.oauth2: expected `refresh_token` or `device_url`, got both",
        ),
        ({"login": without(LOGIN, "url")}, "auth.login.url: expected a text, got nothing"),
        ({"login": {**LOGIN, "url": "/login"}}, "auth.login.url: expected http://... or https://"),
        (
            {"login": without(LOGIN, "form")},
            "auth.login: expected the fields in `form` or in `json",
        ),
        ({"login": {**LOGIN, "json": {}}}, "auth.login: expected the fields in `form` or in `json"),
        ({"login": {**LOGIN, "form": "a=b"}}, "auth.login.form: expected a mapping of texts"),
        ({"login": {**LOGIN, "form": {"a": [1]}}}, "auth.login.form: expected a mapping of texts"),
        ({"login": {**without(LOGIN, "form"), "json": "x"}}, "auth.login.json: expected a mapping"),
        ({"login": {**LOGIN, "method": "HEAD"}}, "auth.login.method: expected POST or PUT or GET"),
        ({"login": {**LOGIN, "token": "a..b"}}, "auth.login.token: "),
        ({"login": {**LOGIN, "expired": "a..b"}}, "auth.login.expired: "),
        ({"login": {**LOGIN, "token_header": 5}}, "auth.login.token_header: expected a text"),
        (
            {"login": {**LOGIN, "token": "t", "token_header": "X-T"}},
            "auth.login: expected `token` or `token_header`, got both",
        ),
        (
            {"login": {**LOGIN, "header": "X: {token}"}},
            "auth.login.header: expected `token` beside",
        ),
        ({"login": {**LOGIN, "token": "t", "header": "X-A"}}, "auth.login.header: expected a text"),
    ],
)
def test_wrong_options(auth: Any, expected: str) -> None:
    """One line says where, and what would be right."""
    (problem,) = check(**COMMON, auth=auth)

    assert problem.startswith(expected)
    assert "hush-hush" not in problem
