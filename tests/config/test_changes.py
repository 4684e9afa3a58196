"""The plan: what a new configuration changes."""

import pytest

from ingestd.config.changes import Changes, Plan, plan
from tests.support.config import ConfigFolder

OLD = """
daemon: {token: api-token, timezone: Europe/Berlin}
buffer: {points: 5000}
stores:
  main: {type: influxdb, url: "http://h", org: o, bucket: b, token: old-token}
collectors:
  library: {plugin: x, every: 5m, params: {password: old-password}}
  roof: {plugin: x, cron: "* * * * *", timezone: UTC}
series:
  a: {unit: V}
  "b*": {unit: W}
"""


@pytest.mark.parametrize(
    ("before", "after", "expected", "described"),
    [
        ("", "", Plan(), "nothing changed"),
        ("daemon:", "# a comment\ndaemon:", Plan(), "nothing changed"),
        ("every: 5m", "every: 300s", Plan(), "nothing changed"),
        (
            "  library:",
            "  new: {plugin: x}\n  library:",
            Plan(collectors=Changes(added=("new",))),
            "collectors: +new; stores: unchanged",
        ),
        (
            "  roof:",
            "  attic:",
            Plan(collectors=Changes(added=("attic",), removed=("roof",))),
            "collectors: +attic -roof; stores: unchanged",
        ),
        (
            "old-password",
            "new-password",
            Plan(collectors=Changes(changed=("library",))),
            "collectors: ~library; stores: unchanged",
        ),
        (
            "{plugin: x, every",
            "{enabled: false, plugin: x, every",
            Plan(collectors=Changes(removed=("library",))),
            "collectors: -library; stores: unchanged",
        ),
        (
            "Europe/Berlin",
            "America/Anchorage",
            Plan(
                collectors=Changes(changed=("library",)),
                live=("daemon.timezone",),
            ),
            "collectors: ~library; stores: unchanged; applied: daemon.timezone",
        ),
        (
            "old-token",
            "new-token",
            Plan(stores=Changes(changed=("main",))),
            "collectors: unchanged; stores: ~main",
        ),
        (
            "collectors:",
            "  more: {type: embedded}\ncollectors:",
            Plan(stores=Changes(added=("more",))),
            "collectors: unchanged; stores: +more",
        ),
        (
            "unit: V",
            "unit: kV",
            Plan(catalogue=True),
            "collectors: unchanged; stores: unchanged; series: changed",
        ),
        (
            'a: {unit: V}\n  "b*": {unit: W}',
            '"b*": {unit: W}\n  a: {unit: V}',
            Plan(catalogue=True),
            "collectors: unchanged; stores: unchanged; series: changed",
        ),
        (
            "points: 5000",
            "points: 6000, spool: 1GiB",
            Plan(live=("buffer.points", "buffer.spool")),
            "collectors: unchanged; stores: unchanged; applied: buffer.points, buffer.spool",
        ),
        (
            "{token: api-token",
            "{token: new-token, log_level: debug, grace: 5s, plugin_dirs: /p",
            Plan(
                live=("daemon.plugin_dirs", "daemon.grace", "daemon.log_level"),
                restart=("daemon.token",),
            ),
            (
                "collectors: unchanged; stores: unchanged; "
                "applied: daemon.plugin_dirs, daemon.grace, daemon.log_level; "
                "needs a restart: daemon.token"
            ),
        ),
        (
            "{token: api-token",
            (
                "{token: api-token, state_dir: /x, listen: off, workers: 2, watch: true, "
                "log_format: json"
            ),
            Plan(
                restart=(
                    "daemon.state_dir",
                    "daemon.listen",
                    "daemon.watch",
                    "daemon.workers",
                    "daemon.log_format",
                )
            ),
            (
                "collectors: unchanged; stores: unchanged; needs a restart: daemon.state_dir, "
                "daemon.listen, daemon.watch, daemon.workers, daemon.log_format"
            ),
        ),
    ],
)
def test_the_plan_names_what_changed(
    folder: ConfigFolder, before: str, after: str, expected: Plan, described: str
) -> None:
    """One edit touches what it is about, and nothing else."""
    old = folder.load(OLD)
    new = folder.load(OLD.replace(before, after, 1) if before else OLD)

    found = plan(old, new)

    assert found == expected
    assert found.describe() == described
    assert bool(found) is (described != "nothing changed")


def test_no_secret_is_in_a_plan(folder: ConfigFolder) -> None:
    """A plan goes to the log."""
    old = folder.load(OLD)
    new = folder.load(OLD.replace("old-", "new-").replace("api-token", "other-token"))

    found = plan(old, new)

    assert not [s for s in old.secrets | new.secrets if s in repr(found) + found.describe()]


def test_many_changes_are_told_in_short() -> None:
    """One line stays one line."""
    changes = Changes(added=tuple(f"c{number}" for number in range(200)), removed=("old",))

    assert changes.describe() == "+c0 +c1 +c2 +c3 +c4 +c5 +c6 +c7 and 193 more"
    assert changes.describe(most=200).endswith(" +c199 and 1 more")
    assert changes.describe(most=201).endswith(" +c199 -old")
    assert changes.describe(most=None).endswith(" +c199 -old")


def test_the_embedded_store_waits_with_its_state_directory(folder: ConfigFolder) -> None:
    """Neither moves before the restart, or the spool and its store would part."""
    old = folder.load("daemon: {state_dir: a}")
    new = folder.load("daemon: {state_dir: b}")

    assert plan(old, new).restart == ("daemon.state_dir",)
    assert not plan(old, new).stores
