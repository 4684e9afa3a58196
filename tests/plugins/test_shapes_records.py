"""Records in several places of a document, in texts of it, and documents that are one value."""

from typing import Any

import pytest
from aiohttp import web

from ingestd.plugins import http_json
from ingestd.plugins._shapes import Reading, description_of
from ingestd.plugins.mqtt.options import entries_of
from ingestd.plugins.mqtt.ready import Message
from ingestd.plugins.mqtt.routes import Routes
from tests.support.jsonsource import answers
from tests.support.pushing import pushing

ALONE: dict[str, Any] = {"series": "s", "value": "@"}


def read(document: Any, **options: Any) -> list[Reading]:
    """Return the readings of a document."""
    reader = description_of(options, zone=None).reader()
    return [*reader.readings(reader.records_of(document))]


def test_several_paths_lead_to_records() -> None:
    """One behind the other; each has its own key, and its own surroundings."""
    document = {
        "id": 7,
        "indoor": [{"n": "a", "c": 1}],
        "outdoor": {"id": 8, "list": [{"n": "b", "c": 2}]},
        "meta": [{"n": "c"}],
    }
    series = "{key}_{n}_{parent.id}"

    found = read(document, records=["indoor", "outdoor.list"], series=series, value="c")

    assert found == [(None, "indoor_a_7", 1), (None, "list_b_8", 2)]
    assert read(document, records=["indoor[?c>`0`]", "outdoor.*"], series="s", value="c") == [
        (None, "s", 1),
        (None, "s", None),
        (None, "s", 2),
    ]


def test_each_of_several_paths_has_to_lead_somewhere() -> None:
    """A part that was renamed would be missing without a word; null says that there is nothing."""
    options: dict[str, Any] = {"records": ["a", "b.c"], "series": "s", "value": "v"}

    assert read({"a": [{"v": 1}], "b": {"c": None}}, **options) == [(None, "s", 1)]
    with pytest.raises(ValueError, match=r"records: expected a list or an object there"):
        read({"a": [{"v": 1}], "b": {"d": []}}, **options)


@pytest.mark.parametrize("records", [[], ["a", 1], ["a", ""], ["a", "b.{n}"]])
def test_paths_that_are_none_are_told(records: Any) -> None:
    """A name in braces would mean another level in each path."""
    problems = http_json.check(url="http://h/", records=records, series="s", value="v")

    assert len(problems) == 1
    assert problems[0].startswith("records: expected")


def test_the_last_name_of_a_path_is_a_key() -> None:
    """As a star is that stands there."""
    document = {"rooms": {"attic": [{"c": 1}, {"c": 2}]}}

    found = read(document, records="rooms.attic", series="{key}{list_index}", value="c")

    assert found == [(None, "attic0", 1), (None, "attic1", 2)]


def test_objects_in_lists_of_a_list_are_records() -> None:
    """Lists of values stay records, of which paths take a part."""
    document = {"o": [[{"v": 1}], [{"v": 2}, {"v": 3}]], "l": [[10, 1], [20, 2]]}

    assert [value for *_, value in read(document, records="o", series="s", value="v")] == [1, 2, 3]
    assert read(document, records="l", time="[0]", series="s", value="[1]") == [
        (10, "s", 1),
        (20, "s", 2),
    ]


@pytest.mark.parametrize(
    ("document", "records"),
    [
        ({"d": '[{"id": "a", "v": 1}]'}, "d"),
        ({"d": '{"x": [{"id": "a", "v": 1}]}'}, "d.x"),
        ('{"d": [{"id": "a", "v": 1}]}', "d"),
        ('[{"id": "a", "v": 1}]', None),
        ({"m": [{"body": '{"id": "a", "v": 1}'}]}, "m.body"),
        ({"d": "{'id': 'a', 'v': 1}"}, "d"),
    ],
)
def test_a_text_of_json_is_opened(document: Any, records: Any) -> None:
    """Some senders put a document into a field of another one, or write all of it twice."""
    assert read(document, records=records, series="{id}", value="v") == [(None, "a", 1)]


def test_a_text_that_is_no_json_stays_a_text() -> None:
    """It is told as what it is."""
    with pytest.raises(ValueError, match=r"expected a list or an object there, got '{broken'"):
        read({"d": "{broken"}, records="d", series="s", value="v")


@pytest.mark.parametrize(
    ("body", "options"),
    [
        (b"21.5", {}),
        (b"21.5\r\n\0", {}),
        (b'"21.5"', {}),
        ("21,5 °C\n".encode(), {"format": "text", "decimal": ",", "units": "°C"}),
        (b"OFFEN", {"format": "text", "words": {"offen": 21.5}}),
        ("21.5 °C".encode("cp1252"), {"format": "text", "charset": "cp1252", "units": "°C"}),
        ("21.5".encode("utf-16"), {"format": "text"}),
    ],
)
async def test_a_document_may_be_one_value(body: bytes, options: dict[str, Any]) -> None:
    """Small devices answer with nothing else; however it comes, it is read alike."""
    (result,) = await answers(
        web.Response(body=body, content_type="text/plain"), **ALONE, **options
    )
    routes = Routes(entries_of([{"filter": "a/b", **ALONE, **options}], qos=1), zone=None)
    async with pushing(routes=[{"path": "/d", **ALONE, **options}]) as push:
        reply = await push.post("/d", data=body, headers={"Content-Type": "text/plain"})

    assert [each[1:] for each in result["readings"]] == [("s", 21.5)]
    assert [each[1:] for each in routes.readings([Message("a/b", body, 0.0, 1, 1)])] == [
        ("s", 21.5)
    ]
    assert reply.status == 200
    assert [each[1:3] for each in push.readings] == [("s", 21.5)]


async def test_a_value_where_records_are_expected_is_told() -> None:
    """A text may be an error of the source."""
    with pytest.raises(Exception, match="expected a list or an object there, got 'no such site'"):
        await answers("no such site", series="s", value="v")


async def test_null_is_a_document_without_records() -> None:
    """As some programs write a list that has nothing in it."""
    (result,) = await answers(web.json_response(None), series="s", value="v")

    assert list(result["readings"]) == []
    assert "script_error" not in result
