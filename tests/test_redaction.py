"""Secrets: recognised by name, and kept out of sight wherever they turn up."""

import json
import re
import threading
from collections.abc import Callable
from hashlib import sha256
from time import thread_time
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.redaction import Redactor, find_secrets, looks_secret

SECRET_NAMES = """
    password PASSWD db_password clientSecret token access_token api_key apikey X-Api-Key APIKey key
    authorization Authorization credential private_key cookie Set-Cookie storeKey DCS_PASSWORD
    passphrase pwd
"""
OTHER_NAMES = """
    user username keyboard series_key key_columns author keys token_file token_url password_file
    token_ttl url
    monkey 1 passenger registers
"""


@pytest.mark.parametrize("key", SECRET_NAMES.split())
def test_names_that_sound_secret(key: str) -> None:
    """Common names of secrets are recognised in any spelling."""
    assert looks_secret(key)


@pytest.mark.parametrize("key", ["", *OTHER_NAMES.split()])
def test_names_that_do_not(key: str) -> None:
    """Other names are left alone, also those that say something about a secret."""
    assert not looks_secret(key)


def test_secrets_are_found_by_name_at_any_depth() -> None:
    """Everything below a name that sounds secret is one, except flags and fractions."""
    params = {
        "url": "https://example.org",
        "headers": {"Authorization": "Bearer abc.def", "Accept": "text/plain"},
        "accounts": [{"user": "reader", "password": 12345}],
        "cookies": {"session": ["s1", b"s2"], "secure": True},
    }

    assert find_secrets(params) == {"Bearer abc.def", "abc.def", "12345", "s1", "s2"}


def test_secrets_are_found_in_urls() -> None:
    """Passwords and query values that sound secret are found, also where they are encoded."""
    assert find_secrets({"url": "https://reader:p%40ss@h/x?api_key=k3y&site=roof"}) == {
        "reader:p%40ss",
        "p%40ss",
        "p@ss",
        "k3y",
    }
    assert find_secrets(["mqtt://t0ken@h", "no url", "http://[broken@"]) == {"t0ken"}


def test_text_is_redacted_longest_secret_first() -> None:
    """A secret that contains another is masked as a whole."""
    redactor = Redactor(["hunter", "hunter2000"])

    assert redactor.text("hunter2000 and hunter, not hunt") == "*** and ***, not hunt"


def test_short_secrets_do_not_blank_out_messages() -> None:
    """Texts of less than four characters stay."""
    assert Redactor(["abc", "", 12]).text("abc 12") == "abc 12"


def test_nothing_is_redacted_before_a_secret_is_known() -> None:
    """An empty redactor changes nothing."""
    assert Redactor().text("some text") == "some text"


def test_containers_of_hidden_state_are_learned() -> None:
    """Leaves are learned as deep as they go."""
    redactor = Redactor()
    redactor.add([{"session": {"id": "s3ssion", "pin": 4711, "raw": b"bytes!"}, "ok": True}])

    assert redactor.text("s3ssion 4711 bytes! True") == "*** *** *** True"


@pytest.mark.parametrize("secret", ['it\'s\ta "secret"\\', "pä$$ wörd", "a+b/c=="])
def test_a_secret_is_recognised_however_it_is_written(secret: str) -> None:
    """Tracebacks, JSON and URLs each escape a secret in their own way."""
    redactor = Redactor([secret])

    for written in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe="")):
        assert redactor.text(f"<{written}>") == "<***>"


def test_values_are_copied_without_secrets() -> None:
    """Values are masked by name and redacted by content; the original stays as it is."""
    redactor = Redactor(["hunter22"])
    value = {
        "token": "anything",
        "retries": 3,
        "note": "sent hunter22",
        "list": ["hunter22", ("x hunter22", None)],
        "raw": b"\xffhunter22",
        "nested": {"password": {"a": 1}, "cookie": None, "private": True},
        22: {"hunter22"},
    }

    assert redactor.value(value) == {
        "token": "***",
        "retries": 3,
        "note": "sent ***",
        "list": ["***", ("x ***", None)],
        "raw": b"\xff***",
        "nested": {"password": "***", "cookie": None, "private": True},
        22: {"***"},
    }
    assert value["list"] == ["hunter22", ("x hunter22", None)]


def test_numbers_that_are_secrets_are_masked() -> None:
    """A secret number is masked as a value too, and others stay numbers."""
    assert Redactor([4711]).value([4711, 47110, 4.5]) == ["***", 47110, 4.5]


def test_an_owner_forgets_what_it_no_longer_uses() -> None:
    """A token that is renewed for years does not fill the memory; one in use is kept."""
    redactor = Redactor(["configured"])
    for turn in range(3000):
        redactor.add(["refresh-token", f"token-{turn:04}"], owner="roof")

    shown = redactor.text("configured refresh-token token-2999 token-0001")

    assert shown == "*** *** *** token-0001"


def test_secrets_may_be_added_while_others_redact() -> None:
    """Once add has returned, every thread masks the secret."""
    redactor = Redactor()
    seen: list[str] = []

    def work(worker: int) -> None:
        for turn in range(50):
            secret = f"secret-{worker}-{turn}-end"
            redactor.add([secret])
            seen.append(redactor.text(secret))

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(seen) == {"***"}


def test_many_secrets_do_not_slow_down_the_log() -> None:
    """A line is searched in a fraction of the processor time that a plain list of secrets takes."""
    secrets = [sha256(bytes([n % 256, n // 256])).hexdigest()[: 4 + n % 30] for n in range(1000)]
    redactor, listed = Redactor(secrets), re.compile("|".join(map(re.escape, secrets)))
    line = "run finished collector=library-meters points=1234 seconds=0.52 " * 3

    assert cost(redactor.text, line) < cost(lambda text: listed.sub("***", text), line) / 4


def cost(redact: Callable[[str], str], line: str) -> float:
    """Return the least processor time of some attempts, in seconds."""
    redact(line)
    costs = []
    for _ in range(5):
        start = thread_time()
        for _ in range(20):
            redact(line)
        costs.append(thread_time() - start)
    return min(costs)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.lists(st.text() | st.binary() | st.integers()),
)
def test_no_secret_survives_in_any_value(value: Any, secrets: list[Any]) -> None:
    """A copy of a value of any kind holds no secret that can be read from it."""
    redactor = Redactor(secrets)
    texts = [text for text in secrets if isinstance(text, str) and len(text) >= 4]

    shown = redactor.value([value, texts])

    assert not any(text in each for text in texts for each in shown[1] if "*" not in text)
