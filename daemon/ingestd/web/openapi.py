"""The description of the API in OpenAPI 3.1, made from its routes and their types. Pure."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

import msgspec

from ingestd.web.call import JsonAnswer, Nothing, Route, Text

SCHEMAS: Final = "#/components/schemas/"
PROBLEM: Final = "application/problem+json"
_IN_PATH: Final = re.compile(r"\{(\w+)\}")
_ATTRIBUTE: Final = re.compile(r"^ {4,8}(\w+): (.*(?:\n {12,}.*)*)", re.MULTILINE)

Json = dict[str, Any]


class WrongOption(msgspec.Struct):
    """One thing that is wrong with what was sent.

    Attributes:
        where: The file and line, or the collector, that it is about.
        key: The option or field.
        message: What was expected and what was got.
    """

    where: str
    key: str
    message: str


class ProblemDetails(msgspec.Struct):
    """Why a request was not answered as it wished (RFC 9457).

    Attributes:
        type: Always ``about:blank``.
        title: The phrase of the status.
        status: The HTTP status.
        detail: What was expected, for people.
        problems: Everything that is wrong, if that is more than the detail.
    """

    type: str
    title: str
    status: int
    detail: str
    problems: list[WrongOption] | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class Made:
    """What was made of the types of an API.

    Attributes:
        schemas: Type -> its schema, or a reference to one.
        components: Name -> schema.
    """

    schemas: Mapping[Any, Json]
    components: Mapping[str, Json]


def document(routes: Sequence[Route], *, version: str) -> Json:
    """Return the description of an API.

    Args:
        routes: What it answers.
        version: That of the daemon.
    """
    types = _types(routes)
    schemas, components = msgspec.json.schema_components(types, ref_template=f"{SCHEMAS}{{name}}")
    made = Made(dict(zip(types, schemas, strict=True)), components)
    several = Counter(route.answer for route in routes)
    paths: dict[str, Json] = {}
    for route in routes:
        operation = _operation(route, made)
        if several[route.answer] > 1:
            operation["operationId"] += route.path.replace("/", "_")
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ingestd",
            "version": version,
            "description": "The API of a daemon that collects readings. Times are Unix seconds "
            "where nothing else is said, durations are seconds, sizes are bytes.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": {name: _described(each) for name, each in components.items()},
            "responses": {
                "problem": {
                    "description": "The request was not answered as it wished.",
                    "content": {PROBLEM: {"schema": {"$ref": f"{SCHEMAS}ProblemDetails"}}},
                }
            },
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "``daemon.token`` of the configuration, if it has one.",
                }
            },
        },
        "security": [{"token": []}, {}],
    }


def answer_types(route: Route) -> Sequence[Any]:
    """Return the types that an answer of a route may have: those of its JSON, or ``Text``."""
    found = get_type_hints(route.answer)["return"]
    if get_origin(found) is JsonAnswer:
        (found,) = get_args(found)
    # Apart, because msgspec decodes no union of two lists; here nothing is decoded.
    return get_args(found) if isinstance(found, UnionType) else (found,)


def _types(routes: Sequence[Route]) -> list[Any]:
    """Return every type that is sent or answered, each once."""
    found: list[Any] = [ProblemDetails]
    for route in routes:
        found += [each for each in (route.query, route.body) if each is not Nothing]
        found += [each for each in answer_types(route) if each is not Text]
    return list(dict.fromkeys(found))


def _operation(route: Route, made: Made) -> Json:
    module = route.answer.__module__.rpartition(".")[2]
    told: Json = {
        "operationId": f"{module}_{route.answer.__name__.strip('_')}".replace("__", "_"),
        "summary": route.summary.removesuffix("."),
        "tags": [module],
        "responses": _responses(route, made),
    }
    if parameters := [*_in_path(route), *_in_query(route, made)]:
        told["parameters"] = parameters
    if route.method == "POST":
        told["requestBody"] = _body(route, made)
    if route.open:
        told["security"] = []
    return told


def _responses(route: Route, made: Made) -> Json:
    kinds = answer_types(route)
    if Text in kinds:
        content: Json = {"text/plain": {"schema": {"type": "string"}}}
    else:
        schemas = [made.schemas[each] for each in kinds]
        schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
        content = {"application/json": {"schema": schema}}
    good = {
        str(status): {"description": HTTPStatus(status).phrase, "content": content}
        for status in route.statuses
    }
    return {**good, "default": {"$ref": "#/components/responses/problem"}}


def _in_path(route: Route) -> Iterator[Json]:
    for name in _IN_PATH.findall(route.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _in_query(route: Route, made: Made) -> Iterator[Json]:
    if route.query is Nothing:
        return
    shape = _described(made.components[route.query.__name__])
    for name, schema in shape["properties"].items():
        kind = {key: each for key, each in schema.items() if key != "description"}
        yield {
            "name": name,
            "in": "query",
            "required": name in shape.get("required", ()),
            "schema": _not_null(kind),
            **({"description": schema["description"]} if "description" in schema else {}),
        }


def _not_null(schema: Json) -> Json:
    """Return the schema of what may be left out, which no query can say is null."""
    kinds = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    return dict(kinds[0]) if len(kinds) == 1 else schema


def _body(route: Route, made: Made) -> Json:
    if route.body is Nothing:
        schema: Json = {"type": "object", "additionalProperties": False}
        required = False
    else:
        schema = made.schemas[route.body]
        required = bool(made.components[route.body.__name__].get("required"))
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def _described(schema: Json) -> Json:
    """Return a schema whose properties have what its docstring says of them."""
    text = schema.get("description", "")
    summary = text.partition("\n\n")[0]
    told = {name: _as_json_has_it(words) for name, words in _ATTRIBUTE.findall(text)}
    properties = {
        name: {**each, "description": told[name]} if name in told else each
        for name, each in schema.get("properties", {}).items()
    }
    shown = {**schema, "description": summary} if summary else schema
    return {**shown, "properties": properties} if properties else shown


def _as_json_has_it(words: str) -> str:
    """Return what a docstring says in one line, with JSON's word for None."""
    return " ".join(words.split()).replace("None", "null")
