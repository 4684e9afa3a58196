"""Secrets: recognised by name, and kept out of sight wherever they turn up."""

import html
import json
import re
import threading
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from time import thread_time
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.redaction import Redactor


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


def written(secret: str) -> dict[str, str]:
    """Return a secret in the forms in which libraries print it."""
    octets = secret.encode()
    encoded = quote(secret, safe="")
    return {
        "as it is": secret,
        "in a traceback": repr(secret)[1:-1],
        "as bytes": repr(octets)[2:-1],
        "in JSON": json.dumps(secret)[1:-1],
        "in JSON of Unicode": json.dumps(secret, ensure_ascii=False)[1:-1],
        "in JSON within JSON": json.dumps(json.dumps(secret)[1:-1])[1:-1],
        "in a URL": encoded,
        "in the path of a URL": quote(secret),
        "in a form": quote_plus(secret),
        "in a URL, small": re.sub("%..", lambda each: each[0].lower(), encoded),
        "in a URL within a URL": quote(encoded, safe=""),
        "in a URL that leaves some as it is": quote(secret, safe="/=+"),
        "in HTML": html.escape(secret),
        "in HTML within HTML": html.escape(html.escape(secret)),
        "in hexadecimal": octets.hex(),
        "in capital hexadecimal": octets.hex().upper(),
        "in a Basic header": b64encode(b"user:" + octets).decode(),
        "behind a longer name": b64encode(b"reader:" + octets).decode(),
        "behind an even longer name": b64encode(b"readers!:" + octets).decode(),
        "in Base64 for URLs": urlsafe_b64encode(octets).decode(),
    }


@pytest.mark.parametrize(
    "secret",
    ["hunter2000", "kQ9+zz/T7b1x==", 'it\'s\ta "secret"\\', "pä$$ wörd", "<&a> b\\\\n", "😀 key"],
)
def test_a_secret_is_recognised_however_it_is_written(secret: str) -> None:
    """Tracebacks, JSON, URLs, HTML and headers each write a secret in their own way."""
    redactor = Redactor([secret])

    shown = {form: redactor.text(f"<{text}>") for form, text in written(secret).items()}

    assert shown == dict.fromkeys(shown, "<***>")


TOKEN = "eyJ" + b64encode(bytes(range(1, 251)) * 4).decode().replace("+", "-").strip("=")


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        (TOKEN, f"ValueError: refused {TOKEN[:904]}"),
        (TOKEN, f"{TOKEN[:40]}... (1204 characters) ...{TOKEN[-40:]}"),
        (TOKEN, f"{TOKEN[-100:]} was the end of what was printed"),
        ("f00d-beef-1234-5678", "expected a number, got 'f00d-beef-12'"),
        ("f00d-beef-1234-5678", "got 'f00d-beef-12..."),
    ],
)
def test_a_part_of_a_secret_that_was_cut_is_masked(secret: str, text: str) -> None:
    """A text that was shortened before it was masked shows neither end of a token."""
    shown = Redactor([secret]).text(text)

    assert "***" in shown
    assert not any(secret[at : at + 5] in shown for at in range(len(secret) - 5))


def test_words_that_begin_like_a_secret_stay() -> None:
    """The beginning of a short secret may be any word, and is masked only where a text was cut."""
    redactor = Redactor(["temperature-2024"])

    assert redactor.text("the temperature is 4") == "the temperature is 4"


def test_backslashes_do_not_make_it_slow() -> None:
    """A secret full of backslashes is not looked for in every way to share them out."""
    redactor = Redactor(["\\" * 60 + '"' + "\\" * 60])
    text = "\\" * 5000

    assert redactor.text(text) == text


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


def test_names_and_times_are_no_secrets() -> None:
    """Whatever a plugin hides, the names of values and times that stand by themselves stay."""
    redactor = Redactor(["readings", 2026, "2026-01-31"])
    value = {"readings": 3, "at": "2026-01-31T12:00:00.5Z", "note": "the readings of 2026"}

    assert redactor.value(value) == {**value, "note": "the *** of ***"}


def test_what_a_plugin_hides_is_masked_in_its_own_texts() -> None:
    """The word that one collector hides may be in any text of another; a password may not."""
    redactor = Redactor(["hunter2000"])
    redactor.add([{"token_type": "Bearer", "access": "t0p-s3cret"}], owner="roof")
    text = "hunter2000 Bearer t0p-s3cret"

    assert redactor.text(text, owner="roof") == "*** *** ***"
    assert redactor.text(text, owner="cellar") == redactor.text(text) == "*** Bearer t0p-s3cret"
    assert redactor.text(text, owner=None) == "*** Bearer ***"


def test_overlapping_secrets_are_masked_as_one() -> None:
    """Nothing of either is left where a secret of the configuration overlaps a hidden one."""
    redactor = Redactor(["abcdef"])
    redactor.add(["cdefgh"], owner="roof")

    assert redactor.text("<abcdefgh>", owner="roof") == "<***>"


def test_our_own_words_stay() -> None:
    """A password that is a word hides nothing where we speak; any other is masked."""
    redactor = Redactor(["failed", "hunter2000"])

    assert redactor.phrase("run failed of hunter2000", owner=None) == "run failed of ***"


def test_an_owner_forgets_what_it_no_longer_uses() -> None:
    """A token that is renewed for years does not fill the memory; one in use is kept."""
    redactor = Redactor(["configured"])
    for turn in range(3000):
        redactor.add(["refresh-token", f"token-{turn:04}"], owner="roof")

    shown = redactor.text("configured refresh-token token-2999 token-0001", owner="roof")

    assert shown == "*** *** *** token-0001"


def test_secrets_may_be_added_while_others_redact() -> None:
    """Once add has returned, every thread masks the secret."""
    redactor = Redactor()
    seen: list[str] = []

    def work(worker: int) -> None:
        for turn in range(12):
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
