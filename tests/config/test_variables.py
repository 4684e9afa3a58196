"""Variables, files and credentials in a configuration."""

from pathlib import Path

import pytest

from tests.support.config import ConfigFolder

COLLECTOR = """
    collectors:
      it:
        plugin: x
        params:
"""


def params(
    folder: ConfigFolder, text: str, environ: dict[str, str] | None = None
) -> dict[str, object]:
    """Load the params of one collector, and return them."""
    config = folder.load(f"collectors: {{it: {{plugin: x, params: {text}}}}}", environ)
    return dict(config.collectors["it"].params)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${HOST}", "meter.example.org"),
        ("https://${HOST}:${PORT}/x", "https://meter.example.org:8443/x"),
        ("${NONE:-else}", "else"),
        ("${EMPTY:-else}", "else"),
        ("${HOST:-else}", "meter.example.org"),
        ("${NONE:-}", ""),
        ("${EMPTY}", ""),
        ("${HOST:?needed}", "meter.example.org"),
        ("$$HOME costs 5$ or $${X}", "$HOME costs 5$ or ${X}"),
        ("$HOST", "$HOST"),
        ("${INJECT}", "a: [b, *c"),
        ("${REFERS}", "${HOST}"),
    ],
)
def test_variables_are_replaced_in_any_value(folder: ConfigFolder, text: str, value: str) -> None:
    """A value stays the one text that it is, with all YAML that the variable holds."""
    environ = {
        "HOST": "meter.example.org",
        "PORT": "8443",
        "EMPTY": "",
        "INJECT": "a: [b, *c",
        "REFERS": "${HOST}",
    }

    assert params(folder, f"{{deep: [{{x: '{text}'}}]}}", environ) == {"deep": [{"x": value}]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("502", 502),
        ("-1.5", -1.5),
        ("true", True),
        ("0123", "0123"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("yes", "yes"),
        ("", ""),
        ("null", "null"),
    ],
)
def test_a_variable_that_stands_alone_may_be_a_number(
    folder: ConfigFolder, value: str, expected: object
) -> None:
    """Only what cannot be meant otherwise becomes a number or a flag."""
    config = folder.load(f"{COLLECTOR}          x: ${{X}}\n", {"X": value})

    assert config.collectors["it"].params == {"x": expected}


def test_secrets_and_quoted_variables_stay_text(folder: ConfigFolder) -> None:
    """A password of digits is a password; quotes mean text."""
    config = folder.load(
        f"""{COLLECTOR}
          password: ${{X}}
          quoted: "${{X}}"
          both: ${{X}}${{X}}
          by_name: ${{X_SECRET}}
        """,
        {"X": "1234", "X_SECRET": "5678"},
    )

    assert config.collectors["it"].params == {
        "password": "1234",
        "quoted": "1234",
        "both": "12341234",
        "by_name": "5678",
    }
    assert {"1234", "5678"} <= config.secrets


def test_typed_options_may_be_variables(folder: ConfigFolder) -> None:
    """A duration from the environment is a duration, and is told as it is if it is not."""
    text = "collectors: {it: {plugin: x, every: '${EVERY}'}}"

    assert folder.load(text, {"EVERY": "5s"}).collectors["it"].every == 5.0
    assert folder.problems(text, {"EVERY": "5 sec"}) == [
        "ingestd.yaml:1: collectors.it.every: expected a duration such as 5s, 2m or 1h, got '5 sec'"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("${X}", "the environment variable X is not set: give it a value or a ${NAME:-default}"),
        ("${X:?ask Ann for it}", "the environment variable X is not set: ask Ann for it"),
        ("${E:?ask Ann for it}", "the environment variable E is empty: ask Ann for it"),
        ("${E:?}", "the environment variable E is empty: give it a value or a ${NAME:-default}"),
        ("${9}", "expected ${NAME}, ${NAME:-default}, ${NAME:?message}, ${file:PATH} or "),
        ("${}", "expected ${NAME}, "),
        ("${X", "or $$ for a dollar sign, got '${X'"),
        ("${X-y}", "or $$ for a dollar sign, got '${X-y}'"),
        ("${A:-${B}}", "or $$ for a dollar sign, got '${A:-$'"),
        ("${file:none}", "none: cannot be read: no such file or directory"),
        ("${file:.}", "cannot be read: is a directory"),
        ("${file:empty}", "empty is empty"),
        ("${file:latin1}", "latin1: not UTF-8 text: line 1 has the byte 0xe9"),
        ("${credential:../etc/passwd}", "expected the name of a credential, got '../etc/passwd'"),
        ("${credential:none}", "none: cannot be read: no such file or directory"),
    ],
)
def test_references_that_lead_nowhere_are_told_once(
    folder: ConfigFolder, text: str, problem: str
) -> None:
    """Each is one problem at its line, with no follow-up about the value that it left out."""
    folder.write("\n", "empty")
    (folder.path / "latin1").write_bytes(b"\xe9")
    environ = {"E": "", "CREDENTIALS_DIRECTORY": str(folder.path)}

    (found,) = folder.problems(f"daemon:\n  listen: '{text}'\n", environ)

    assert found.startswith("ingestd.yaml:2: daemon.listen: ")
    assert problem in found


def test_a_reference_in_a_secret_is_not_quoted(folder: ConfigFolder) -> None:
    """The default in a broken reference may be the secret itself."""
    (found,) = folder.problems("daemon: {token: '${X-hunter22}'}")

    assert found.endswith("dollar sign, got ***")


def test_credentials_need_systemd(folder: ConfigFolder) -> None:
    """Without systemd the problem says what the unit needs."""
    (found,) = folder.problems("daemon: {token: '${credential:api}'}")

    assert found == (
        "ingestd.yaml:1: daemon.token: no credential 'api': CREDENTIALS_DIRECTORY is not set; "
        "the unit needs LoadCredential=api:/path/to/file"
    )


def test_files_and_credentials_are_secrets(folder: ConfigFolder, tmp_path: Path) -> None:
    """Their text is stripped, noted as secret and watched, wherever it stands."""
    folder.write("from-file\n", "secrets/one")
    folder.write("from-credential\n", "credentials/two")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}

    config = folder.load(
        """
        collectors:
          it:
            plugin: x
            params: {a: "id ${file:secrets/one}", b: "${credential:two}"}
        """,
        environ,
    )

    assert config.collectors["it"].params == {"a": "id from-file", "b": "from-credential"}
    assert {"from-file", "from-credential"} <= config.secrets
    assert tmp_path / "secrets/one" in config.files
    assert tmp_path / "credentials/two" in config.files


def test_variables_that_hold_secrets_are_noted(folder: ConfigFolder) -> None:
    """They are known by where they stand or by their own name, and kept from plugins."""
    environ = {"SITE": "north", "METER": "abcd", "MY_TOKEN": "efgh", "UNUSED_TOKEN": "ijkl"}

    config = folder.load(
        """
        collectors:
          it:
            plugin: x
            params: {site: "${SITE}", password: "x${METER}", header: "${MY_TOKEN}"}
        """,
        environ,
    )

    assert config.secret_variables == {"METER", "MY_TOKEN"}


def test_aliases_are_expanded_once(folder: ConfigFolder) -> None:
    """A value that is used twice does not lose its escapes twice."""
    shared = "{one: &x {p: $$$$A}, two: *x}"

    assert params(folder, shared) == {"one": {"p": "$$A"}, "two": {"p": "$$A"}}
