"""The description of the API: complete, well formed, and true of what is answered."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import ingestd
from ingestd.web import openapi
from ingestd.web.routes import ROUTES
from tests.support.daemon import DaemonFolder
from tests.support.daemonprocess import DaemonProcess

# The same requests each time; others, and more of them, by hand.
SEED: Final = int(os.environ.get("INGESTD_TEST_SEED") or 1)
EXAMPLES: Final = int(os.environ.get("INGESTD_TEST_EXAMPLES") or 1)  # of each path and mode
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
METER: Final = """
    async def run(*, project=None, trace=None, input=None, start=None, end=None, **_):
        return {"readings": [(1, "level", 1)], "result": {"of": [project, trace, input]}}
"""


@pytest.fixture(scope="module")
def document() -> Any:
    """Give the description as it is served."""
    return json.loads(json.dumps(openapi.document(ROUTES, version=ingestd.__version__)))


def test_every_route_is_in_it(document: Any) -> None:
    """What is answered is described, and nothing else."""
    described = {
        (method.upper(), path) for path, each in document["paths"].items() for method in each
    }

    assert described == {(route.method, route.path) for route in ROUTES}
    assert document["openapi"] == "3.1.0"


def test_everything_that_can_be_sent_is_described(document: Any) -> None:
    """Each field of a query and of a body is there, with what it means."""
    operations = [each for path in document["paths"].values() for each in path.values()]
    fields = [
        each for path in operations for each in path.get("parameters", ()) if each["in"] == "query"
    ]
    for name, schema in document["components"]["schemas"].items():
        for key, each in schema.get("properties", {}).items():
            fields += [{"name": f"{name}.{key}", **each}]

    assert len({each["operationId"] for each in operations}) == len(operations)
    assert [each["name"] for each in fields if not each.get("description")] == []


def test_its_schemas_are_schemas(document: Any) -> None:
    """Each is one of JSON Schema 2020-12, and what they refer to is there."""
    for schema in [*document["components"]["schemas"].values(), *schemas_in(document["paths"])]:
        assert jsonschema_rs.meta.is_valid(
            {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
        )
    for reference in re.findall(r'"#/([^"]+)"', json.dumps(document)):
        found = document
        for part in reference.split("/"):
            found = found[part]


def schemas_in(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every schema of a parameter, a body or an answer."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key == "schema":
                yield each
            else:
                yield from schemas_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from schemas_in(each)


async def test_it_is_served(daemon_folder: DaemonFolder, document: Any) -> None:
    """Where programs look for it; with a token it needs that, too."""
    async with daemon_folder.daemon("", token="open-sesame") as it:
        refused = await it.ask("GET", "/openapi.json")
        headers = {"Authorization": "Bearer open-sesame"}
        served = await it.ask("GET", "/openapi.json", headers=headers)

    assert refused.status == 401
    assert (served.status, served.body) == (200, document)


def aim(case: Case[Any]) -> None:
    """Have a request be about something that there is."""
    for name in ("name", "collector"):
        if name in case.path_parameters:
            case.path_parameters[name] = "a"
    if "id" in case.path_parameters:
        case.path_parameters["id"] = "1" if "meter_" in case.path else "r-1"
    if isinstance(case.body, dict) and "collector" in case.body:
        case.body["collector"] = "a"


def requests_tried(operation: Any, mode: GenerationMode, address: str) -> int:
    """Send requests that are right or wrong, check the answers, and return how many these were."""
    tried = 0

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def answers(case: Case[Any]) -> None:
        nonlocal tried
        if mode is GenerationMode.POSITIVE:
            aim(case)
        case.validate_response(case.call(base_url=address), checks=CHECKS)
        tried += 1

    with suppress(Unsatisfiable):  # nothing can be wrong where nothing is taken
        answers()
    return tried


@pytest.mark.slow(10)  # hundreds of requests
def test_answers_are_as_described(daemon: DaemonProcess) -> None:
    """Whatever is sent, by the description or against it, no answer is a bug or of another form."""
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    daemon.plugin("meter", METER)
    meter = {"plugin": "meter", "every": "876000h"}
    daemon.configure(
        collectors={"a": meter, "b": {**meter, "targets": {"1": ["2"]}}}, buffer={"points": 1000}
    )
    daemon.start()
    daemon.post("runs", {"collector": "a", "input": {"x": 1}})
    address = f"http://{daemon.listen}"
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    tried = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        tried += requests_tried(operation, GenerationMode.POSITIVE, address)
        if operation.body or EXAMPLES > 1:  # else hardly anything can be wrong
            tried += requests_tried(operation, GenerationMode.NEGATIVE, address)
    assert tried > len(ROUTES) * EXAMPLES
    assert daemon.stop() == 0
