"""Reading the configuration: several files, what is wrong with them, where they are."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestd.config import file as configfile
from ingestd.errors import ConfigError
from tests.support.config import ConfigFolder


@pytest.mark.parametrize("text", ["", " \n\n", "\ufeff"])
@pytest.mark.parametrize("name", ["ingestd.yaml", "conf.d/a.yaml", "x.csv"])
def test_an_empty_file_is_never_a_configuration(folder: ConfigFolder, name: str, text: str) -> None:
    """An editor that writes a file anew leaves it empty for a moment."""
    main = "series_file: x.csv\n"
    folder.write("series,unit\n", "x.csv")
    folder.write("collectors: {}\n", "conf.d/a.yaml")
    folder.write(text, name)

    (problem,) = folder.problems(text if name == "ingestd.yaml" else main)

    assert problem.startswith(f"{name}: the file is empty, expected ")


def test_a_file_of_comments_is_a_configuration(folder: ConfigFolder) -> None:
    """Everything has a default; readings go to the embedded store."""
    config = folder.load("# nothing yet\n", {"STATE_DIRECTORY": "/var/lib/x"})

    assert list(config.stores) == ["embedded"]
    assert config.collectors == {}
    assert config.daemon.state_dir == Path("/var/lib/x")


def test_every_problem_is_told_at_once_in_order(folder: ConfigFolder) -> None:
    """Problems are sorted by file and line, however they were found."""
    folder.write("collectors:\n  b: {plugin: x, every: 5}\n", "conf.d/b.yaml")
    folder.write("collectors:\n  c: {plugin: x, cron: x}\n", "conf.d/a.yaml")

    problems = folder.problems(
        """\
        collectors:
          a: {plugin: x, evry: 5s}









        buffer: {spool: 5}
        daemon: {timezone: '${NONE}'}
        """
    )

    assert [problem.split(": ")[0:2] for problem in problems] == [
        ["conf.d/a.yaml:2", "collectors.c.cron"],
        ["conf.d/b.yaml:2", "collectors.b.every"],
        ["ingestd.yaml:2", "collectors.a.evry"],
        ["ingestd.yaml:12", "buffer.spool"],
        ["ingestd.yaml:13", "daemon.timezone"],
    ]


def test_drop_ins_add_to_the_main_file(folder: ConfigFolder) -> None:
    """Sections are spread over files, read in the order of their names."""
    folder.write("name,x\n", "conf.d/notes.txt")
    folder.write("{", "conf.d/.#editing.yaml")
    folder.write("series\nfrom-main\n", "main.csv")
    folder.write("series\nfrom-drop-in\n", "conf.d/drop-in.csv")
    folder.write(
        """
        daemon: {workers: 2}
        buffer: {points: 5000}
        stores: {two: {type: embedded, path: two.db}}
        collectors: {b: {plugin: ./b.py}}
        series: {two: {unit: W}}
        series_file: drop-in.csv
        """,
        "conf.d/20-b.yaml",
    )
    folder.write("collectors: {c: {plugin: x}}\nstores:\n", "conf.d/10-c.yaml")

    config = folder.load(
        """
        daemon: {grace: 5s}
        buffer:
        stores: {one: {type: embedded}}
        collectors: {a: {plugin: x}}
        series: {one: {unit: V}}
        series_file: [main.csv]
        """
    )

    assert (config.daemon.grace, config.daemon.workers, config.buffer.points) == (5.0, 2, 5000)
    assert list(config.stores) == ["one", "two"]
    assert list(config.collectors) == ["a", "c", "b"]
    assert config.collectors["b"].plugin == str(folder.path / "conf.d/b.py")
    assert list(config.catalogue.entries) == ["one", "two", "from-main", "from-drop-in"]
    assert [str(path.relative_to(folder.path)) for path in config.files] == [
        "ingestd.yaml",
        "conf.d/10-c.yaml",
        "conf.d/20-b.yaml",
        "main.csv",
        "conf.d/drop-in.csv",
    ]


def test_a_name_that_two_files_define_is_a_problem_with_both_places(folder: ConfigFolder) -> None:
    """No file can change what another one says."""
    folder.write(
        """\
        daemon: {listen: "127.0.0.1:2"}
        buffer: {points: 3000}
        stores: {main: {type: embedded}}
        collectors: {a: {plugin: y}}
        series: {s: {}}
        """,
        "conf.d/x.yaml",
    )

    problems = folder.problems(
        """\
        daemon: {listen: "127.0.0.1:1"}
        buffer: {points: 2000}
        stores: {main: {type: embedded}}
        collectors: {a: {plugin: x}}
        series: {s: {}}
        """
    )

    assert problems == [
        f"conf.d/x.yaml:{line}: {key}: defined twice; first at {folder.main}:{line}".replace(
            f"{folder.path}/", ""
        )
        for line, key in [
            (1, "daemon.listen"),
            (2, "buffer.points"),
            (3, "stores.main"),
            (4, "collectors.a"),
            (5, "series.s"),
        ]
    ]


def test_sections_of_one_file_are_not_merged(folder: ConfigFolder) -> None:
    """The same section twice in one file is a mistake, as with any option."""
    folder.write("collectors: {a: {plugin: x}}\ncollectors: {b: {plugin: x}}", "conf.d/x.yaml")
    twice = "collectors: {c: {plugin: x}}\ncollectors: {d: {plugin: x}}\n"

    assert "ingestd.yaml:2: collectors: defined twice; first at ingestd.yaml:1" in folder.problems(
        twice
    )
    assert folder.problems("{}") == [
        "conf.d/x.yaml:2: collectors: defined twice; first at conf.d/x.yaml:1"
    ]


@pytest.mark.parametrize(
    ("main", "drop_in", "problem"),
    [
        ("stores: {}", "stores: 5", "conf.d/x.yaml:1: stores: expected a mapping, got a single"),
        ("stores: [a]", "stores: {}", "ingestd.yaml:1: stores: expected a mapping, got a list"),
        ("stores: 5", "stores: 6", "stores: expected a mapping, got "),
        ("storse: {}", "storse: {}", "storse: unknown option; did you mean stores?"),
    ],
)
def test_sections_that_cannot_be_merged_are_problems(
    folder: ConfigFolder, main: str, drop_in: str, problem: str
) -> None:
    """What is not a section is told where it stands."""
    folder.write(drop_in, "conf.d/x.yaml")

    assert any(problem in each for each in folder.problems(main))


def test_syntax_errors_are_told_alone(folder: ConfigFolder) -> None:
    """Half of a configuration would seem wrong in ways that it is not."""
    folder.write("a: b: c", "conf.d/x.yaml")
    folder.write("daemon: {token: abcdefgh", "conf.d/y.yaml")

    problems = folder.problems("daemon: {listen: '0.0.0.0:1'}")

    assert [problem.split(": ")[0] for problem in problems] == [
        "conf.d/x.yaml:1",
        "conf.d/y.yaml:2",
    ]


def test_files_that_cannot_be_read_are_problems(folder: ConfigFolder) -> None:
    """Missing, a directory, or not UTF-8: each says so, also for files of the series."""
    assert folder.problems() == ["ingestd.yaml: cannot be read: no such file or directory"]

    folder.main.write_bytes(b"daemon: {}\n# \xe9\n")
    assert folder.problems() == ["ingestd.yaml: not UTF-8 text: line 2 has the byte 0xe9"]

    folder.main.unlink()
    folder.main.mkdir()
    assert folder.problems() == ["ingestd.yaml: cannot be read: is a directory"]

    folder.main.rmdir()
    assert folder.problems("\n\nseries_file: [none.csv]") == [
        "ingestd.yaml:3: series_file: none.csv: cannot be read: no such file or directory"
    ]

    folder.write("", "conf.d/site.yml")
    assert folder.problems("{}") == [
        "conf.d/site.yml: expected a name that ends with .yaml; it would not be read"
    ]


def test_a_conf_d_that_is_no_folder_is_a_problem(folder: ConfigFolder) -> None:
    """It is not passed over in silence."""
    folder.write("", "conf.d")

    assert folder.problems("{}") == ["conf.d: cannot be read: not a directory"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_a_problem(folder: ConfigFolder) -> None:
    """The reason is the system's."""
    folder.write("").chmod(0)

    assert folder.problems() == ["ingestd.yaml: cannot be read: permission denied"]


def test_a_byte_order_mark_is_no_trouble(folder: ConfigFolder) -> None:
    """Some editors on Windows leave one."""
    folder.main.write_bytes(b"\xef\xbb\xbfdaemon: {grace: 5s}\r\n")

    assert folder.load().daemon.grace == 5.0


def test_a_relative_path_is_fine(folder: ConfigFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths in the file do not depend on where the command was called."""
    folder.write("daemon: {state_dir: state}")
    monkeypatch.chdir(folder.path)

    config = configfile.load(Path("ingestd.yaml"), {})

    assert config.daemon.state_dir == folder.path / "state"


def test_messages_hold_no_secrets(folder: ConfigFolder) -> None:
    """A secret that the operator put in the wrong place is masked there too."""
    problems = folder.problems(
        """
        daemon: {timezone: hunter2000}
        stores:
          main:
            type: influxdb
            url: ftp://admin:letmein99@host
            token: hunter2000
            password: [hunter2000]
            orgg: hunter2000
            org: x
            bucket: hunter2000
            database: "${NONE:?hunter2000}"
        """
    )

    assert len(problems) >= 5
    assert not any("hunter" in problem or "letmein" in problem for problem in problems)


@pytest.mark.parametrize(
    ("environ", "root", "path"),
    [
        ({"INGESTD_CONFIG": "/a.yaml", "CONFIGURATION_DIRECTORY": "/b"}, True, "/a.yaml"),
        ({"CONFIGURATION_DIRECTORY": "/b:/c", "HOME": "/h"}, False, "/b/ingestd.yaml"),
        ({"XDG_CONFIG_HOME": "/x", "HOME": "/h"}, True, "/etc/ingestd/ingestd.yaml"),
        ({"XDG_CONFIG_HOME": "/x", "HOME": "/h"}, False, "/x/ingestd/ingestd.yaml"),
        ({"HOME": "/h"}, False, "/h/.config/ingestd/ingestd.yaml"),
    ],
)
def test_where_the_configuration_is(environ: Mapping[str, str], *, root: bool, path: str) -> None:
    """The variable decides, else systemd's directory, else whether it is root or a user."""
    assert configfile.default_path(environ, root=root) == Path(path)


@pytest.mark.parametrize(
    ("environ", "root", "path"),
    [
        ({"STATE_DIRECTORY": "/a:/b"}, True, "/a"),
        ({}, True, "/var/lib/ingestd"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, False, "/x/ingestd"),
        ({"HOME": "/h"}, False, "/h/.local/state/ingestd"),
        ({}, False, "/.local/state/ingestd"),
    ],
)
def test_where_the_state_is(environ: Mapping[str, str], *, root: bool, path: str) -> None:
    """Systemd's directory decides, else whether it is root or a user."""
    assert configfile.default_state_dir(environ, root=root) == Path(path)


LINES = st.sampled_from(
    """\
daemon:
stores:
collectors:
buffer:
series:
series_file: x.csv
series_file: [., 5]
  a:
  a: 5
  b: {type: influxdb, url: "http://h"}
  grace: 5s
    plugin: x
    plugin: [x]
    every: ${X}
    tags: {a: 1, series: x}
    params: {password: ${X}, "y": [1]}
    type: embedded
    min: 5
    max: 1
  <<: &a {}
  <<: *a
- x
${X}: 1""".splitlines()
)


@given(st.lists(LINES, max_size=12).map("\n".join) | st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_arbitrary_files_are_read_or_refused(folder: ConfigFolder, text: str) -> None:
    """Every text in the file is a configuration, or ends in a ConfigError."""
    folder.main.write_text(text, encoding="utf-8")
    try:
        configfile.load(folder.main, {"X": "5"})
    except ConfigError as exc:
        assert exc.problems  # noqa: PT017 - either way is fine


def test_a_user_without_a_file_gets_the_one_of_the_machine(tmp_path: Path) -> None:
    """With its state, so that what the service keeps can be looked at as its user."""
    system, home = tmp_path / "etc" / "ingestd.yaml", tmp_path / "home"
    environ = {"HOME": str(home)}
    own = home / ".config" / "ingestd" / "ingestd.yaml"
    before = configfile.default_path(environ, root=False, system=system)
    system.parent.mkdir()
    system.touch()
    machine = configfile.default_path(environ, root=False, system=system)
    own.parent.mkdir(parents=True)
    own.touch()
    after = configfile.default_path(environ, root=False, system=system)

    def state_dir(path: Path) -> Path:
        return configfile.default_state_dir(environ, root=False, path=path, system=system)

    assert (before, machine, after) == (own, system, own)
    assert state_dir(system) == Path("/var/lib/ingestd")
    assert state_dir(own) == home / ".local" / "state" / "ingestd"
