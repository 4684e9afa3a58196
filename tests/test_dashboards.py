"""The files for Grafana are in order."""

import itertools
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from ingestd.config.file import load
from tests.support import grafana
from tests.support.grafana import BOARDS, FOLDER, MACHINES, variables

SOURCES: Final = sorted((FOLDER / "datasources").glob("*.yaml"))
PAGE: Final = (Path(__file__).parents[1] / "docs" / "grafana.md").read_text()
EXAMPLES: Final = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COLUMNS: Final = 24


def data_sources() -> dict[str, Any]:
    """Return all data sources that are provisioned, by uid."""
    files = [yaml.safe_load(path.read_text()) for path in SOURCES]
    return {each["uid"]: each for file in files for each in file["datasources"]}


def test_provisioning_is_what_grafana_reads() -> None:
    """The first version of the format, from files, which the browser cannot change."""
    files = [yaml.safe_load(path.read_text()) for path in SOURCES]
    provisioning = yaml.safe_load((FOLDER / "dashboards" / "ingestd.yaml").read_text())

    assert {file["apiVersion"] for file in [*files, provisioning]} == {1}
    assert len(data_sources()) == sum(len(file["datasources"]) for file in files)
    (provider,) = provisioning["providers"]
    assert (provider["type"], provider["allowUiUpdates"]) == ("file", False)


def test_no_data_source_holds_a_secret() -> None:
    """Passwords and tokens come from Grafana's environment."""
    secrets = [
        secret
        for each in data_sources().values()
        for secret in each.get("secureJsonData", {}).values()
    ]

    assert secrets
    assert all(re.fullmatch(r"(Token )?\$[A-Z_]+", secret) for secret in secrets)


def test_uids_are_fixed_and_unique() -> None:
    """A link to a dashboard stays good."""
    uids = [grafana.load(name)["uid"] for name in BOARDS]

    assert len(set(uids)) == len(uids) == 4
    assert all(re.fullmatch(r"[a-z-]{8,40}", uid) for uid in uids)


@pytest.mark.parametrize("name", BOARDS)
def test_everything_asks_the_chosen_data_source(name: str) -> None:
    """Every panel, query and variable uses the variable, whose first choice is ours."""
    board = grafana.load(name)
    choice = variables(board)["datasource"]
    used = [each["datasource"] for each in board["panels"]]
    used += [target["datasource"] for _, target in grafana.targets(board)]
    used += [each["datasource"] for each in variables(board).values() if each["type"] == "query"]

    assert choice["type"] == "datasource"
    assert used
    assert all(each == {"type": choice["query"], "uid": "${datasource}"} for each in used)
    assert data_sources()[choice["current"]["value"]]["type"] == choice["query"]


@pytest.mark.parametrize("name", BOARDS)
def test_panels_are_complete(name: str) -> None:
    """Each has an id of its own, a title, a unit and queries that can be told apart."""
    panels = grafana.load(name)["panels"]
    ids = [panel["id"] for panel in panels]

    assert len(set(ids)) == len(ids)
    for panel in panels:
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs) > 0


@pytest.mark.parametrize("name", BOARDS)
def test_panels_do_not_overlap(name: str) -> None:
    """Each has its place within the width of the page."""
    places = [panel["gridPos"] for panel in grafana.load(name)["panels"]]

    assert all(p["x"] >= 0 and p["x"] + p["w"] <= COLUMNS for p in places)
    for one, other in itertools.combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)


def test_machine_dashboards_show_the_same() -> None:
    """The store makes no difference to what there is to see."""
    shown = [
        [(p["title"], p["gridPos"], len(p["targets"])) for p in grafana.load(name)["panels"]]
        for name in MACHINES
    ]

    assert len(MACHINES) == 3
    assert shown[0] == shown[1] == shown[2]


def test_the_page_names_every_file() -> None:
    """Its readers know what there is."""
    files = [path.name for path in FOLDER.rglob("*") if path.is_file()]

    assert files
    assert [name for name in files if name not in PAGE] == []


def test_the_page_explains_every_variable() -> None:
    """All that can be chosen above a dashboard is in the table."""
    labels = {each["label"] for name in BOARDS for each in variables(grafana.load(name)).values()}

    assert [label for label in sorted(labels) if f"*{label}*" not in PAGE] == []


@pytest.mark.parametrize(
    "text", re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
)
def test_the_pages_configurations_load(text: str, tmp_path: Path) -> None:
    """Every example on the page is a configuration without an error."""
    path = tmp_path / "ingestd.yaml"
    path.write_text(text)

    config = load(path, {})

    assert config.files == (path,)
