"""Sections: typed options, and every problem with its line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.config import nodes, options
from ingestd.config.findings import Findings
from ingestd.config.section import Section
from ingestd.errors import ConfigError
from ingestd.plugins._units import duration


class Read:
    """A section made of text, with what was found while reading it."""

    def __init__(self, text: str, files: dict[str, str] | None = None) -> None:
        def read(path: Path) -> str:
            if files is None or str(path) not in files:
                raise ValueError(f"{path}: cannot be read")
            return files[str(path)]

        self.findings = Findings(read)
        self.section = Section(nodes.compose(text, "/etc/x.yaml"), "", self.findings)

    @property
    def problems(self) -> list[str]:
        """The problems so far, as text."""
        return [str(problem) for problem in self.findings.problems]


def test_options_are_read_as_they_were_written() -> None:
    """YAML's own idea of what a text means does not come into it."""
    section = Read(
        "{a: yes, b: 0123, c: 2024-01-01, d: 1_000, e: 'null', f: 1e3, g: 12:30}"
    ).section

    assert [section.get(name, options.text, None) for name in "abcdefg"] == [
        "yes",
        "0123",
        "2024-01-01",
        "1_000",
        "null",
        "1e3",
        "12:30",
    ]
    assert section.get("b", options.whole, None) == 123
    assert section.get("a", options.flag, None) is True


def test_a_missing_option_is_its_default() -> None:
    """What the operator does not say has a default, and is no problem."""
    read = Read("{}")

    assert read.section.get("grace", duration, 20.0) == 20.0
    assert read.problems == []


def test_a_wrong_value_is_told_with_its_line() -> None:
    """A problem names file, line, option, what was expected and what was got."""
    read = Read("a: 1\n\ngrace: 5 sec\n")

    assert read.section.get("grace", duration, 20.0) == 20.0
    assert read.problems == [
        "/etc/x.yaml:3: grace: expected a duration such as 5s, 2m or 1h, got '5 sec'"
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("{}", "a mapping"),
        ("[5s]", "a list"),
        ("", "nothing"),
        ("~", "nothing"),
        ("!secret x", "a value with a YAML tag"),
        ("''", "''"),
        ("x" * 100, repr("x" * 80 + "...")),
        ("http://u:hunter22@h", "'http://***@h'"),
    ],
)
def test_what_was_got_is_shown_for_people(value: str, shown: str) -> None:
    """Values are quoted, other things are named, and passwords are left out."""
    read = Read(f"grace: {value}")
    read.section.get("grace", duration, None)

    assert read.problems == [
        f"/etc/x.yaml:1: grace: expected a duration such as 5s, 2m or 1h, got {shown}"
    ]


def test_a_missing_option_that_must_be_there_is_a_problem() -> None:
    """The problem points to the section."""
    read = Read("outer:\n  inner: {}\n")

    inner = read.section.section("outer").section("inner")

    assert inner.need("url", options.url, "") == ""
    assert read.problems == ["/etc/x.yaml:2: outer.inner.url: missing, but required"]


def test_unknown_options_get_a_suggestion() -> None:
    """An option that is never asked for is told with those that are, and with the nearest name."""
    read = Read("lingr: 5s\nxyz: 1\n")
    read.section.get("linger", duration, None)
    read.section.get("points", options.whole, None)
    read.section.done()

    assert sorted(read.problems) == [
        "/etc/x.yaml:1: lingr: unknown option; did you mean linger? known here: linger, points",
        "/etc/x.yaml:2: xyz: unknown option; known here: linger, points",
    ]


def test_an_option_that_is_written_twice_is_a_problem() -> None:
    """YAML would let the second win in silence."""
    read = Read("a: 1\nb: 2\na: 3\n")

    assert read.section.get("a", options.whole, 0) == 1
    assert read.problems == ["/etc/x.yaml:3: a: defined twice; first at /etc/x.yaml:1"]


@pytest.mark.parametrize("text", ["sub: 5", "sub: [1]", "sub: hello"])
def test_a_section_must_be_a_mapping(text: str) -> None:
    """Anything else is a problem, and reads as an empty section."""
    read = Read(text)

    assert read.section.section("sub").names() == []
    assert len(read.problems) == 1
    assert read.problems[0].startswith("/etc/x.yaml:1: sub: expected a mapping, got ")


def test_an_empty_section_is_fine() -> None:
    """A section whose options are all commented out is not an error."""
    read = Read("sub:\n")

    assert read.section.section("sub").names() == []
    assert read.problems == []


def test_merge_keys_bring_in_what_is_not_there() -> None:
    """A mapping's own options win over merged ones, and earlier merges over later ones."""
    read = Read(
        "one: &one {a: 1, b: 1}\ntwo: &two {b: 2, c: 2}\n"
        "all: {a: 0, <<: [*one, *two]}\nbad: {<<: 5}"
    )
    section = read.section.section("all")

    assert [section.get(name, options.whole, None) for name in "abc"] == [0, 1, 2]
    assert read.problems == []

    read.section.section("bad")

    assert read.problems == [
        "/etc/x.yaml:4: bad: expected a mapping after '<<', got a single value"
    ]


def test_secrets_are_noted() -> None:
    """A secret is read from its option, or from the file that its other option names."""
    read = Read("{token: abc, password_file: pw}", files={"/etc/pw": " hunter22\n"})

    assert read.section.secret("token") == "abc"
    assert read.section.secret("password") == "hunter22"
    assert read.section.secret("other") is None
    assert read.findings.secrets == {"abc", "hunter22"}
    assert read.problems == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{token: x, token_file: /etc/t}", "token: expected either token or token_file, got both"),
        ("{token_file: /etc/none}", "token_file: /etc/none: cannot be read"),
        ("{token_file: empty}", "token_file: expected text on one line in /etc/empty"),
        ("{token_file: two}", "token_file: expected text on one line in /etc/two"),
        ("{token: [hunter22]}", "token: expected text on one line, got a list"),
        ('{token: "a\\nhunter22"}', "token: expected text on one line, got ***"),
    ],
)
def test_secrets_that_cannot_be_used_are_problems(text: str, problem: str) -> None:
    """The problem says why, and never what the secret is."""
    read = Read(text, files={"/etc/t": "t", "/etc/empty": "\n", "/etc/two": "a\nhunter22"})
    read.section.secret("token")

    assert read.problems == [f"/etc/x.yaml:1: {problem}"]


def test_relative_paths_start_at_the_file() -> None:
    """An option may be one path or several, and each relative or absolute."""
    section = Read("a: ../x\nb: [y, /z]\nc: y").section

    assert section.path("a", None) == Path("/x")
    assert section.path("none", None) is None
    assert section.paths("b") == [
        (Path("/etc/y"), "/etc/x.yaml:2"),
        (Path("/z"), "/etc/x.yaml:2"),
    ]
    assert section.paths("c") == [(Path("/etc/y"), "/etc/x.yaml:3")]
    assert section.paths("none") == []


def test_texts_check_names_and_values() -> None:
    """Tags are texts under allowed names."""
    read = Read("tags: {site: 5, series: x, e: ''}")

    assert read.section.texts("tags", options.tag_name)["site"] == "5"
    assert read.problems == [
        (
            "/etc/x.yaml:1: tags.series: expected a tag name other than 'series' and 'time', "
            "which are reserved, got 'series'"
        ),
        "/etc/x.yaml:1: tags.e: expected text on one line, got ''",
    ]


def test_params_are_ordinary_yaml() -> None:
    """A plugin gets what any YAML file would give it."""
    read = Read("params: {a: 1, b: 1.5, c: yes, d: [x, {1: y}], e: ~, f: '1', password: hunter22}")

    assert read.section.mapping("params") == {
        "a": 1,
        "b": 1.5,
        "c": True,
        "d": ["x", {1: "y"}],
        "e": None,
        "f": "1",
        "password": "hunter22",
    }
    assert read.findings.secrets == {"hunter22"}
    assert read.problems == []


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ("{1: x}", "params: expected text as a name, got 1; put it in quotes"),
        ("{a: [{b: !mine c}]}", "YAML tags are not understood here; quote a value that begins"),
        ("{a: !!python/name:os.system x}", "params.a: not a value YAML can read"),
        ("{a: 2024-99-99}", "params.a: not a value YAML can read; put it in quotes"),
        ("{a: !!int x}", "params.a: not a value YAML can read; put it in quotes"),
        ("{a: !!set {b}}", "params.a: YAML tags are not understood here"),
        ("{a: {b: 1, b: 2}}", "params.a.b: defined twice"),
        ("{? [a] : 1}", "params: expected text as the name of an option"),
        ("[a]", "params: expected a mapping, got a list"),
        ("!!set {a}", "params: YAML tags are not understood here"),
    ],
)
def test_params_that_yaml_cannot_read_are_problems(params: str, problem: str) -> None:
    """Nothing but plain data gets through, and the rest is told at its place."""
    read = Read(f"params: {params}")
    read.section.mapping("params")

    assert len(read.problems) == 1
    assert problem in read.problems[0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a:\n  [1\n", " that begins at line 2"),
        ("a: b\n\tc: d", "/etc/x.yaml:2: not valid YAML at column 1: "),
        ("a:\n\tc: d", "indent with spaces, not tabs"),
        ("a: b: c", "/etc/x.yaml:1: not valid YAML at column 5: "),
        ("a: {b: ${C}}", "quote ${...} inside { } and [ ]"),
        ("password: *hunter22", "quote a value that begins with '*'"),
        ("password: !hun!ter22 x", "quote a value that begins with"),
        ("a: [b, *hunter22]", "quote a value that begins with '*'"),
        ("a: 1\n---\nb: 2", "/etc/x.yaml:2: not valid YAML"),
        ("- a", "/etc/x.yaml:1: expected a mapping such as 'collectors:', got a list"),
        ("hello", "/etc/x.yaml:1: expected a mapping such as 'collectors:', got a single value"),
        ("a: 1\nb: \x07", "/etc/x.yaml:2: the character U+0007 cannot stand in a YAML file"),
        ("a: &a [*a]", "/etc/x.yaml:1: an alias that contains itself"),
        ("a: &a {<<: *a}", "/etc/x.yaml:1: an alias that contains itself"),
        ("[" * 60 + "]" * 60, "/etc/x.yaml:1: expected at most 50 levels of nesting"),
        # So many end in the parser already, or here, depending on its version.
        ("[" * 100_000, "/etc/x.yaml:1: "),
    ],
)
def test_broken_yaml_is_told_with_line_and_column(text: str, problem: str) -> None:
    """Every way to break YAML ends in an error that says where, and quotes no secret."""
    with pytest.raises(ConfigError) as caught:
        Read(text)

    assert problem in str(caught.value)
    assert "ter22" not in str(caught.value)


def test_aliases_that_multiply_are_refused() -> None:
    """A few lines of aliases of aliases do not eat the memory."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    with pytest.raises(ConfigError, match="expected at most 2000000 values"):
        Read("\n".join(lines))


@pytest.mark.parametrize("link", ["[*{}]", "{{x: *{}}}", "{{<<: *{}}}"])
def test_aliases_that_nest_deeply_are_refused(link: str) -> None:
    """Each line is flat, and what they make of each other would overflow the stack."""
    lines = ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {link.format(f'a{n - 1}')}" for n in range(1, 900))]

    with pytest.raises(ConfigError, match=r"^/etc/x\.yaml:51: expected at most 50 levels"):
        Read("\n".join(lines))


def _read_everything(section: Section) -> None:
    readers: list[Callable[[str], Any]] = [options.text, options.flag, duration]
    for name in section.names():
        for reader in readers:
            section.get(name, reader, None)
        section.secret(name)
        section.paths(name)
        section.mapping(name)
        section.texts(name, options.tag_name)
        _read_everything(section.section(name))
    section.done()


YAML_PIECES = [*"a&*<{}[],'\"|>#~%@\t=\u00e9$!", "- ", ": ", "? ", "\n", "  ", "&x ", "*x", "<<: "]
YAML_PIECES += ["!!int ", "!!set ", "!t ", "2024-99-99", "0x", "---\n", "${"]


@given(st.text() | st.lists(st.sampled_from(YAML_PIECES), max_size=30).map("".join))
def test_arbitrary_text_is_read_or_refused(text: str) -> None:
    """Every text can be read, or ends in a ConfigError."""
    try:
        read = Read(text)
    except ConfigError as exc:
        assert exc.problems  # noqa: PT017 - either way is fine
    else:
        _read_everything(read.section)
