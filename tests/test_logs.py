"""What is logged, in which form, and what never is."""

import fcntl
import json
import logging
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any, TextIO

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestd.logs import LONGEST_LINE, OF_PLUGIN, Threshold, configure, suited_format
from ingestd.redaction import Redactor
from tests.support.deadline import WITHIN

PASSWORD = "hunter2-hunter2"
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Give the process its own logging back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


class Lines:
    """A stream in memory, and what was written to it."""

    def __init__(self) -> None:
        self.stream = StringIO()

    def configure(self, log_format: str, level: str = "info", **options: Any) -> Threshold:
        """Send the logs here."""
        return configure(
            log_format=log_format,
            level=level,
            redactor=Redactor([PASSWORD]),
            stream=self.stream,
            **options,
        )

    @property
    def text(self) -> str:
        """Everything so far."""
        return self.stream.getvalue()

    @property
    def lines(self) -> list[str]:
        """The lines so far."""
        return self.text.split("\n")[:-1]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The lines, read as JSON."""
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def lines() -> Lines:
    """Return an empty stream."""
    return Lines()


def fail(secret: str) -> None:
    """Raise as a plugin would that puts its password into the message."""
    raise ValueError(f"login with {secret} failed")


# -- forms


def test_json_is_one_object_per_line(lines: Lines) -> None:
    """Time, level and phrase come first; values keep their types."""
    lines.configure("json")
    structlog.get_logger(collector="library").info("run finished", points=340, seconds=1.5)

    (event,) = lines.events
    assert list(event) == ["timestamp", "level", "event", "collector", "points", "seconds"]
    assert datetime.fromisoformat(event.pop("timestamp")).tzinfo == UTC
    assert event == {
        "level": "info",
        "event": "run finished",
        "collector": "library",
        "points": 340,
        "seconds": 1.5,
    }


def test_journal_gets_priority_phrase_and_pairs(lines: Lines) -> None:
    """The journal adds the time itself."""
    lines.configure("journal", "debug")
    log = structlog.get_logger()
    log.debug("read")
    log.info("run finished", collector="library", points=340, text="two words", empty="", none=None)
    log.warning("slow", tags={"site": "a b"}, quote='say "hi"', path=Path("/etc"))
    log.error("lost")
    log.critical("over")

    assert lines.lines == [
        "<7>read",
        '<6>run finished collector=library points=340 text="two words" empty="" none=null',
        '<4>slow tags="{\\"site\\": \\"a b\\"}" quote="say \\"hi\\"" path=/etc',
        "<3>lost",
        "<2>over",
    ]


def test_console_is_readable(lines: Lines) -> None:
    """A person sees the line, and the traceback below it, line by line."""
    lines.configure("console")
    try:
        fail("x")
    except ValueError:
        structlog.get_logger().exception("run failed", collector="library", details="one\n\ttwo")

    first, *rest = lines.lines
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z error run failed  collector=library$", first)
    assert rest[:3] == ["details:", "  one", "          two"]
    assert rest[3:5] == ["exception:", "  Traceback (most recent call last):"]
    assert rest[-1] == "  ValueError: login with x failed"


def on_terminal(program: Callable[[TextIO], None]) -> str:
    """Run something with a terminal to write to; return what it showed."""
    controller, terminal = pty.openpty()
    with open(terminal, "w", buffering=1) as stream:  # noqa: PTH123 -- a descriptor
        program(stream)
        shown = os.read(controller, 65536).decode()
    os.close(controller)
    return shown


@pytest.mark.parametrize(
    ("environ", "colored"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_terminal_gets_colours_unless_unwanted(environ: dict[str, str], *, colored: bool) -> None:
    """``NO_COLOR`` counts if it is not empty."""

    def program(stream: TextIO) -> None:
        configure(
            log_format="auto", level="info", redactor=Redactor(), stream=stream, environ=environ
        )
        structlog.get_logger().info("hello", site="a")

    shown = on_terminal(program)

    assert ("\x1b[" in shown) is colored
    assert "hello" in shown


def test_lines_on_a_terminal_are_short_and_broken_between_words() -> None:
    """The time is that of the clock on the wall; the terminal's width is kept to."""

    def log_to(stream: TextIO) -> Any:
        fcntl.ioctl(stream, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        configure(log_format="console", level="info", redactor=Redactor(), stream=stream)
        return structlog.get_logger(collector="system")

    error = "OSError: " + "no route to host, " * 9
    short = on_terminal(lambda stream: log_to(stream).info("ready", stores=["a", "b"], n=1))
    long = on_terminal(lambda stream: log_to(stream).error("run failed", error=error, failures=1))

    line = r"\d\d:\d\d:\d\d info  ready  collector=system  stores=\"a, b\"  n=1\s+"
    assert re.fullmatch(line, ANSI.sub("", short))
    first, *rest = ANSI.sub("", long).splitlines()
    assert re.match(r"\d\d:\d\d:\d\d error run failed  collector=system  error=", first)
    assert max(map(len, [first, *rest])) <= 80
    assert all(line[:15].isspace() for line in rest)
    assert " ".join([first, *rest]).split().count("route") == 9
    assert rest[-1].endswith("failures=1")


def test_form_is_chosen_by_the_stream(tmp_path: Path) -> None:
    """The journal says which stream is its own; a pipe or a file gets JSON."""
    with (tmp_path / "log").open("w") as stream:
        status = os.fstat(stream.fileno())
        own = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}

        assert suited_format(stream, own) == "journal"
        assert suited_format(stream, {"JOURNAL_STREAM": "8:1"}) == "json"
        assert suited_format(stream, {}) == "json"
    assert suited_format(StringIO(), own) == "json"


# -- one event, one line


@pytest.mark.parametrize("log_format", ["journal", "json"])
@given(
    event=st.text(),
    key=st.sampled_from(["level", "timestamp", "exception", "exc_info", "stack_info", "stack"])
    | st.text(min_size=1).filter(lambda key: key not in {"event", "self"}),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    ),
)
def test_any_event_is_one_line(log_format: str, event: str, key: str, value: Any) -> None:
    """No line end, control character or odd value breaks out of its line."""
    lines = Lines()
    lines.configure(log_format)

    structlog.get_logger().bind(**{key: value}).error(event)

    (line,) = lines.lines
    assert "a log line failed" not in line
    if log_format == "json":
        assert json.loads(line)["level"] == "error"
    else:
        assert line.startswith("<3>")
        assert line.isprintable()


@given(event=st.text(), value=st.text())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_nothing_plays_tricks_with_a_terminal(event: str, value: str) -> None:
    """Control characters from outside are shown, not sent."""
    lines = Lines()
    lines.configure("console")

    structlog.get_logger().error(event, value=value)

    assert all(line.isprintable() for line in lines.lines)


def test_endless_values_are_cut_with_both_ends_kept(lines: Lines) -> None:
    """A megabyte of output does not fill the journal, and is not split by it."""
    lines.configure("journal")

    structlog.get_logger().info("x", text="a" + "é\n" * 1_000_000 + "b", more=["c" * 50_000])

    (line,) = lines.lines
    assert len(line) <= LONGEST_LINE
    assert "2000002 characters" in line


def test_value_that_cannot_be_written_fails_no_caller(lines: Lines) -> None:
    """A plugin's own object may raise, or hold itself."""
    lines.configure("json")

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError(PASSWORD)

    loop: list[Any] = []
    loop.append(loop)
    structlog.get_logger().info("one", value=Broken())
    structlog.get_logger().info("two", value=loop)

    one, two = lines.events
    assert one == {"level": "info", "event": "a log line failed", "error": "RuntimeError"}
    assert two["event"] == "two"


# -- secrets


def test_our_own_lines_stay_readable_with_any_secret(lines: Lines) -> None:
    """Keys, levels, times, numbers and names stay; what a plugin logs is masked in full."""
    redactor = Redactor(["failed", "warning", 4711, "roof"])
    redactor.add(["readings", "Bearer"], owner="roof")
    configure(log_format="json", level="info", redactor=redactor, stream=lines.stream)
    log = structlog.get_logger().bind(collector="roof")

    log.warning("run failed", run=29, readings=4711, error="Bearer failed")
    log.bind(**{OF_PLUGIN: "roof"}).info("login failed", readings=4711, run="Bearer")
    structlog.get_logger().info("run ok", collector="cellar", note="Bearer of readings")

    ours, of_plugin, other = (json.loads(line) for line in lines.lines)
    assert (ours["event"], ours["level"], ours["collector"]) == ("run failed", "warning", "roof")
    assert (ours["run"], ours["readings"], ours["error"]) == (29, 4711, "*** ***")
    assert (of_plugin["event"], of_plugin["readings"], of_plugin["run"]) == (
        "login ***",
        "***",
        "***",
    )
    assert of_plugin["collector"] == "roof"
    assert OF_PLUGIN not in of_plugin
    assert other["note"] == "Bearer of readings"


@pytest.mark.parametrize("log_format", ["console", "journal", "json"])
def test_secrets_are_nowhere(lines: Lines, log_format: str) -> None:
    """A secret is masked in a phrase, a value, an object and a traceback."""
    lines.configure(log_format)
    log = structlog.get_logger()
    url = f"http://reader:{PASSWORD}@host/"
    phrase = f"asking {url}"
    log.info(phrase, url=url, nested=[{"a": (PASSWORD,)}])
    log.info("x", error=OSError(f"no route to {url}"), raw=PASSWORD.encode())
    log.info("x", long="." * 3990 + PASSWORD + "." * 9000)
    log.info("x", api_token="never learnt", params={"password": "nor this"})
    try:
        fail(PASSWORD)
    except ValueError:
        log.exception("run failed")
    logging.getLogger("aiohttp").error("login with %s", PASSWORD)

    assert PASSWORD[:8] not in lines.text
    assert "never learnt" not in lines.text
    assert "nor this" not in lines.text
    assert "login with *** failed" in lines.text


def test_tracebacks_do_not_show_variables(lines: Lines) -> None:
    """What a plugin holds in its variables is not logged."""
    lines.configure("console")
    held = "in a variable only"
    try:
        fail(held[:0])
    except ValueError:
        structlog.get_logger().exception("run failed")

    assert "fail(held[:0])" in lines.text
    assert held not in lines.text


# -- levels and libraries


def test_level_changes_for_loggers_that_exist(lines: Lines) -> None:
    """A reload reaches loggers that collectors bound long ago."""
    threshold = lines.configure("json", "warning")
    log = structlog.get_logger().bind(collector="a")
    log.info("one")
    threshold.level = "debug"
    log.debug("two")
    threshold.level = "error"
    log.warning("three")
    log.error("four")

    assert [event["event"] for event in lines.events] == ["two", "four"]


def test_libraries_are_heard_from_warnings_upwards(lines: Lines) -> None:
    """Their records go the same way, with the name of their logger."""
    lines.configure("json", "debug")
    library = logging.getLogger("aiomqtt.client")
    library.info("chatter")
    library.warning("lost %s", "broker")
    library.log(35, "between")
    library.error("bad %d", "arguments")
    try:
        fail("x")
    except ValueError:
        library.exception("with traceback")

    shown = [(event["level"], event["event"], event["logger"]) for event in lines.events]
    assert shown == [
        ("warning", "lost broker", "aiomqtt.client"),
        ("warning", "between", "aiomqtt.client"),
        ("error", "bad %d ('arguments',)", "aiomqtt.client"),
        ("error", "with traceback", "aiomqtt.client"),
    ]
    assert "ValueError: login with x failed" in lines.events[3]["exception"]


def test_python_warnings_are_events(lines: Lines) -> None:
    """A plugin that uses something outdated does not break the form of the log."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        lines.configure("json")
        warnings.warn("outdated", UserWarning, stacklevel=1)
        logging.captureWarnings(capture=False)

    (event,) = lines.events
    assert (event["level"], event["logger"]) == ("warning", "py.warnings")
    assert "outdated" in event["event"]


def test_context_is_added(lines: Lines) -> None:
    """What was bound to the task is in its lines."""
    lines.configure("json")
    with structlog.contextvars.bound_contextvars(run_id="r1"):
        structlog.get_logger().info("inside")
    structlog.get_logger().info("outside")

    assert [event.get("run_id") for event in lines.events] == ["r1", None]


# -- writing


def test_lines_of_threads_do_not_mix(tmp_path: Path) -> None:
    """Each line arrives whole."""
    path = tmp_path / "log"
    with path.open("w") as stream:
        configure(log_format="json", level="info", redactor=Redactor(), stream=stream)

        def work(number: int) -> None:
            log = structlog.get_logger()
            for _ in range(200):
                log.info("line", text=str(number) * 500)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(events) == 800
    assert {len(set(event["text"])) for event in events} == {1}


def test_broken_pipe_does_not_end_the_daemon() -> None:
    """The daemon goes on, and ends well, when the reader of its log has gone away."""
    program = """
import logging, structlog
from ingestd.logs import configure
from ingestd.redaction import Redactor
configure(log_format="json", level="info", redactor=Redactor())
input()
for _ in range(10_000):
    structlog.get_logger().info("into the void", text="x" * 100)
logging.getLogger("asyncio").error("same")
print("done")
"""
    reader, writer = os.pipe()
    daemon = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=writer,
        text=True,
    )
    os.close(writer)
    os.close(reader)
    said, _ = daemon.communicate("go\n", timeout=WITHIN)

    assert (said, daemon.returncode) == ("done\n", 0)
