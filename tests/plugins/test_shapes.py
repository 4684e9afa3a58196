"""Where the parts of a reading are in a document: lists, keyed objects, columns, rows."""

from typing import Any

import pytest

from ingestd.plugins._shapes import NOT_FIXED, Reading, description_of
from ingestd.plugins._times import NoTime

SIX = 1_782_885_600  # in the morning of 2026-07-01, in UTC


def read(document: Any, **options: Any) -> list[Reading]:
    """Return the readings of a document."""
    reader = description_of(options, zone=None).reader()
    return [*reader.readings(reader.records_of(document))]


def test_template_with_a_missing_part_is_empty() -> None:
    """Half a name would be another series."""
    records = [{"s": {"n": "roof"}, "k": 3}, {"s": {}, "k": 3}, {"s": {"n": ["a"]}, "k": 3}]

    found = read(records, series="{s.n}_{k}", value="k")

    assert [series for _, series, _ in found] == ["roof_3", "", ""]


def test_keys_are_times() -> None:
    """An object keyed by time has a reading for each key, whose value stands there itself."""
    document = {"2026-07-01T06:00:00Z": 310, "2026-07-01T06:15:00Z": 320}

    found = read(document, records="*", time="key", series="watts", value="@")

    assert [(time, value) for time, _, value in found] == [(SIX, 310), (SIX + 900, 320)]


def test_keys_name_series() -> None:
    """An object keyed by name or id makes a record of everything in it."""
    found = read({"1": {"w": 5}, "2": {"w": 7}}, records="*", series="meter_{key}", value="w")

    assert found == [(None, "meter_1", 5), (None, "meter_2", 7)]


def test_keys_at_any_depth_have_names() -> None:
    """``{name}`` in the path is ``{name}`` in a template, and a path of its own."""
    document = {"sites": {"a": {"1": {"10": 5, "20": 6}}, "b": {"2": {"10": 7}}}}

    found = read(
        document,
        records="sites.{site}.{meter}.{t}",
        time="t",
        time_format="unix",
        series="{site}_{meter}",
        value="@",
    )

    assert found == [(10, "a_1", 5), (20, "a_1", 6), (10, "b_2", 7)]


def test_a_keyed_list_gives_its_key_to_each_element() -> None:
    """As a platform's telemetry has it: a name, and the samples under it."""
    document = {
        "celsius": [{"ts": 1, "v": 20}, {"ts": 2, "v": 21}],
        "percent": [{"ts": 1, "v": 40}],
    }

    found = read(document, records="*", time="ts", series="lab_{key}", value="v")

    assert found == [(1, "lab_celsius", 20), (2, "lab_celsius", 21), (1, "lab_percent", 40)]


def test_what_is_around_a_record_is_its_parent() -> None:
    """A child may have its name, its time and its tags from the object around it."""
    document = {"site": "a", "ts": 5, "meters": [{"id": 1, "v": 2}, {"id": 2, "v": 3}]}

    found = read(
        document,
        records="meters",
        time="parent.ts",
        series="{parent.site}_{id}",
        value="v",
        tags={"site": "{parent.site}"},
    )

    assert found == [(5, "a_1", 2, {"site": "a"}), (5, "a_2", 3, {"site": "a"})]


def test_lists_in_lists_have_parents_of_parents() -> None:
    """Lists on the way are walked through and are no level of their own."""
    document = {
        "who": "x",
        "sites": [
            {"site": "a", "meters": [{"id": 1, "rows": [{"t": 1, "v": 2}, {"t": 2, "v": 3}]}]},
            {"site": "b", "meters": [{"id": 2, "rows": []}, {"id": 3, "rows": [{"t": 1, "v": 4}]}]},
            {"site": "c"},
        ],
    }

    found = read(
        document,
        records="sites.meters.rows",
        time="t",
        series="{parent.parent.parent.who}_{parent.parent.site}_{parent.id}",
        value="v",
    )

    assert found == [(1, "x_a_1", 2), (2, "x_a_1", 3), (1, "x_b_3", 4)]


def test_a_parent_has_jmespath_too() -> None:
    """Behind ``parent.`` stands any path; so it does where JMESPath chooses the records."""
    document = {"names": ["u", "w"], "rows": [{"ok": 1, "v": 2}, {"ok": 0, "v": 3}]}

    found = read(document, records="rows[?ok==`1`]", series="{parent.names[1]}", value="v")

    assert found == [(None, "w", 2)]


def test_own_fields_go_before_key_and_parent() -> None:
    """A record may have fields of these names, and then they are meant."""
    record = {"key": "k", "parent": {"x": "p"}, "v": 1}

    assert read({"a": [record]}, records="a", series="{key}_{parent.x}", value="v") == [
        (None, "k_p", 1)
    ]


def test_columns_side_by_side_make_a_reading_for_each_place() -> None:
    """A null among them says that there is nothing, and what is no list counts for all."""
    document = {
        "latitude": 52.5,
        "hourly": {"time": [10, 20, 30], "temperature_2m": [1.5, None, 2.5], "site": "roof"},
    }

    found = read(
        document,
        records="hourly",
        layout="columns",
        time="time",
        values={"{site}_{parent.latitude}": "temperature_2m"},
    )

    assert found == [(10, "roof_52.5", 1.5), (20, "roof_52.5", None), (30, "roof_52.5", 2.5)]


def test_columns_may_be_grouped_and_keyed() -> None:
    """Objects of columns lie in lists, under keys, and in each other."""
    document = {"a": [{"t": [1, 2], "x": {"v": [3, 4]}}], "b": {"t": [1], "x": {"v": [5]}}}

    found = read(document, records="*", layout="columns", time="t", series="{key}", value="x.v")

    assert found == [(1, "a", 3), (2, "a", 4), (1, "b", 5)]


def test_columns_of_several_lengths_are_refused() -> None:
    """Which value belongs to which time cannot be known; JMESPath leaves the others out."""
    document = {"h": {"t": [1, 2], "v": [3, 4], "units": ["s"]}}
    options: dict[str, Any] = {"layout": "columns", "time": "t", "series": "s", "value": "v"}

    with pytest.raises(ValueError, match=r"lists of one length.* got t 2, v 2, units 1"):
        read(document, records="h", **options)
    assert read(document, records="h.{t: t, v: v}", **options) == [(1, "s", 3), (2, "s", 4)]
    with pytest.raises(ValueError, match=r"lists side by side there, got \{'v': 1\}"):
        read({"v": 1}, **options)


@pytest.mark.parametrize(
    ("document", "options"),
    [
        ([["t", "v"], [1, 5], [2, 6]], {}),
        ([[1, 5], [2, 6]], {"fields": ["t", "v"]}),
        ({"cols": ["t", "v"], "data": [[1, 5], [2, 6]]}, {"records": "data", "fields": "cols"}),
        (
            {"fields": [{"name": "t"}, {"name": "v"}], "data": [[1, 5], [2, 6]]},
            {"records": "data", "fields": "fields"},
        ),
    ],
    ids=["first row", "named", "elsewhere", "described elsewhere"],
)
def test_rows_have_their_names_elsewhere(document: Any, options: dict[str, Any]) -> None:
    """In the first row, in the configuration, or in another place of the document."""
    found = read(document, layout="rows", time="t", series="s", value="v", **options)

    assert found == [(1, "s", 5), (2, "s", 6)]


def test_rows_of_each_series_have_the_name_of_their_parent() -> None:
    """As time series databases answer: a name, its columns and its rows, for each series."""
    document = {"series": [{"name": "a", "columns": ["time", "v"], "values": [[1, 5]]}]}

    found = read(
        document,
        records="series.values",
        layout="rows",
        fields="columns",
        time="time",
        series="{parent.name}",
        value="v",
    )

    assert found == [(1, "a", 5)]


def test_a_row_may_stand_alone_under_each_key() -> None:
    """As weather stations answer: an object keyed by time, with a list of values each."""
    document = {"body": {"100": [22.5, 51], "200": [23.5, None], "300": []}}
    options = {"layout": "rows", "fields": ["celsius", "percent"]}
    named = {"in_celsius": "celsius", "in_percent": "percent"}

    found = read(
        document, records="body.*", time="key", values=named, time_format="unix", **options
    )

    assert found == [
        (100, "in_celsius", 22.5),
        (100, "in_percent", 51),
        (200, "in_celsius", 23.5),
        (200, "in_percent", None),
    ]


def test_a_row_of_another_length_is_unusable() -> None:
    """Its values may have moved; its neighbours have not."""
    rows = [["t", "v"], [1, 5], [2], [3, 4, 5], "x"]

    found = read(rows, layout="rows", time="t", series="s", value="v")

    assert [value for *_, value in found] == [5, None, None, None]
    assert [type(time) for time, *_ in found] == [int, NoTime, NoTime, NoTime]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"b": 1}, "records: expected a list or an object there, got nothing; the keys .* b"),
        ({"a": {"c": 1}}, "got nothing; the keys beside it are c"),
        ({"a": {"b": 5}}, "records: expected a list or an object there, got 5"),
        ({"a": {"b": None, "errors": ["no"]}}, "got nothing; the keys beside it are b, errors"),
        (None, "got nothing in None"),
    ],
)
def test_records_that_are_not_there_are_told(document: Any, message: str) -> None:
    """The error shows what is there instead."""
    with pytest.raises(ValueError, match=message):
        read(document, records="a.b", series="s", value="v")


@pytest.mark.parametrize(
    "document",
    [
        {"a": []},
        {"a": {}},
        {"a": [{"b": []}, {"b": []}]},
        {"a": {"b": []}},
        {"a": None},
        {"a": {"b": None}},
    ],
)
def test_no_records_are_none(document: Any) -> None:
    """Empty lists and objects are where records would be."""
    assert read(document, records="a.b", series="s", value="v") == []


@pytest.mark.parametrize("document", [[[1, 2], [3, 4]], [{"x": 1}], "text", 5])
def test_a_whole_document_can_be_one_record(document: Any) -> None:
    """A message is one reading where nothing else is said, also if it is a list."""
    reader = description_of({"series": "s", "value": "@"}, zone=None, whole=True).reader()

    assert reader.readings(reader.records_of(document), now=7) == [(7, "s", document)]


def test_what_is_known_before_stands_in_templates() -> None:
    """A level of a topic goes before a field of that name; one that is missing empties the text."""
    known = {"room": "lab", "9": None}
    options = {"values": {"{room}_{kind}": "v", "{9}": "v", "{room}": "v"}}

    def fixed(name: str) -> Any:
        return known.get(name, NOT_FIXED)

    reader = description_of(options, zone=None, fixed=fixed).reader(fixed)

    found = reader.readings([{"room": "x", "kind": "t", "v": 1}])

    assert [series for _, series, _ in found] == ["lab_t", "", "lab"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"records": "a["}, "^records: expected JMESPath"),
        ({"records": "{a}.{a}"}, "^records: expected another name for each key"),
        ({"layout": "cols"}, "^layout: expected one of records, columns, rows, got 'cols'"),
        ({"layout": "rows", "fields": []}, r"^fields: expected names such as \[time, kwh\], got"),
        ({"layout": "rows", "fields": "a["}, "^fields: expected JMESPath"),
        ({"time": "parent.["}, "^time: expected JMESPath"),
        ({"tags": {"x": ""}}, "^tags.x: expected a text"),
        ({"tags": {"x": "{a[}"}}, "^tags.x: expected JMESPath"),
    ],
)
def test_options_that_are_wrong_are_named(options: dict[str, Any], message: str) -> None:
    """Before anything is read."""
    with pytest.raises(ValueError, match=message):
        description_of({"series": "s", "value": "v", **options}, zone=None)


def test_time_is_put_together_by_a_template() -> None:
    """Of fields, keys and what is around; a part that is missing leaves none."""
    document = {"days": [{"d": "2026-07-01", "at": {"06:00": {"v": 5}, "24:00": {"v": 6}}}]}
    options = {"records": "days.at.{clock}", "time": "{parent.parent.d}T{clock}Z"}

    found = read(document, **options, series="a", value="v")
    ((time, *_), (right, *_)) = read(
        [{"d": "2026-07-01", "v": 5}, {"d": "2026-07-01", "c": "06:00Z", "v": 6}],
        time="{d} {c}",
        series="a",
        value="v",
    )

    assert [time for time, *_ in found] == [SIX, SIX + 18 * 3600]
    assert isinstance(time, NoTime)
    assert (time.reason, right) == ("no_time", SIX)


@pytest.mark.parametrize("time", ["{d", "{} {c}", "{a[} {b}"])
def test_time_that_is_neither_path_nor_template_is_refused(time: str) -> None:
    """Before anything is read; so is half of one."""
    with pytest.raises(ValueError, match=r"^time: expected"):
        read([], time=time, series="a", value="v")
