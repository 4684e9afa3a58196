"""What the operator says of single series."""

from time import thread_time

import pytest

from ingestd.config.catalogue import NOTHING_KNOWN, Catalogue, SeriesDescription
from tests.support.config import ConfigFolder

HEADER = "series,measurement,field,unit,scale,offset,min,max,tag:site"


def test_a_name_wins_over_patterns_and_of_those_the_first() -> None:
    """There is one description for a series, and what decides is easy to see."""
    catalogue = Catalogue(
        {
            "roof-*": SeriesDescription(unit="first"),
            "*-temp": SeriesDescription(unit="second"),
            "roof-temp": SeriesDescription(unit="own"),
            "meter[12]": SeriesDescription(unit="set"),
        }
    )

    described = ["roof-temp", "roof-x", "x-temp", "meter1", "meter[12]", "ROOF-x"]

    assert [catalogue.describe(series).unit for series in described] == [
        "own",
        "first",
        "second",
        "set",
        "set",
        "",
    ]
    assert Catalogue().describe("x") == NOTHING_KNOWN == SeriesDescription()


def test_the_order_of_patterns_matters() -> None:
    """Catalogues with the same entries in another order are not the same."""
    one, two = ("a*", SeriesDescription(unit="a")), ("*b", SeriesDescription(unit="b"))

    assert Catalogue(dict([one, two])) == Catalogue(dict([one, two]))
    assert Catalogue(dict([one, two])) != Catalogue(dict([two, one]))


def test_thousands_of_names_are_no_burden() -> None:
    """A known name is found by itself: among thousands as quickly as among a few."""
    few, many = (
        Catalogue({f"meter-{index}": SeriesDescription() for index in range(size)})
        for size in (20, 20_000)
    )

    assert cost(many) < 20 * cost(few)


def cost(catalogue: Catalogue) -> float:
    """Return the least processor time of some attempts to find known names, in seconds."""
    costs = []
    for _ in range(5):
        start = thread_time()
        for index in range(2000):
            catalogue.describe(f"meter-{index % 20}")
        costs.append(thread_time() - start)
    return min(costs)


def test_yaml_and_tables_say_the_same(folder: ConfigFolder) -> None:
    """A row of a table means what the same options mean in YAML."""
    folder.write(f"{HEADER}\nmain,electricity,energy,kWh,0.001,5,0,1e6,library\n", "series.csv")
    config = folder.load(
        """
        series_file: series.csv
        series:
          again:
            {measurement: electricity, field: energy, unit: kWh, scale: 0.001, offset: 5,
             min: 0, max: 1000000, tags: {site: library}}
        """
    )

    assert config.catalogue.describe("main") == config.catalogue.describe("again")
    assert config.catalogue.describe("main") == SeriesDescription(
        measurement="electricity",
        field="energy",
        unit="kWh",
        tags={"site": "library"},
        scale=0.001,
        offset=5.0,
        low=0.0,
        high=1e6,
    )


def test_tables_as_spreadsheets_write_them(folder: ConfigFolder) -> None:
    """A byte order mark, quotes, other line ends, empty cells and rows are no trouble."""
    text = '\ufeffunit, series ,tag:site\r\n\r\n"°C","a, ""b""",\r\n,c,roof\r\n,,\r\n'
    (folder.path / "x.csv").write_bytes(text.encode())

    catalogue = folder.load("series_file: x.csv").catalogue

    assert catalogue.entries == {
        'a, "b"': SeriesDescription(unit="°C"),
        "c": SeriesDescription(tags={"site": "roof"}),
    }


def test_a_series_that_is_described_twice_is_a_problem(folder: ConfigFolder) -> None:
    """Both may stand in YAML, both in a table, or one in each."""
    folder.write("series\na\nb\nb\n", "x.csv")

    assert folder.problems("series_file: [x.csv]\nseries: {a: {}}") == [
        "x.csv:2: series.a: defined twice; first at ingestd.yaml:2",
        "x.csv:4: series.b: defined twice; first at x.csv:3",
    ]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("unit\nkWh", "x.csv:1: expected a header with the column 'series', got 'unit'"),
        ("series,messurement\na,b", "x.csv:1: unknown column 'messurement'; did you mean measurem"),
        (
            "series,zzz\na,b",
            "x.csv:1: unknown column 'zzz'; known here: series, measurement, field",
        ),
        ("series,unit,unit\na,b,c", "x.csv:1: the column 'unit' comes twice"),
        ("series,tag:series\na,b", "x.csv:1: expected a tag name other than 'series' and 'time'"),
        ("series,tag:\na,b", "x.csv:1: expected text on one line, got 'tag:'"),
        ("series,unit\na", "x.csv:2: expected 2 columns, got 1"),
        ("series,unit\n\n,kWh", "x.csv:3: series: missing, but required"),
        ("series,scale\na,0", "x.csv:2: scale: expected a number other than 0, got '0'"),
        ("series,scale\na,'1,5'", "x.csv:2: expected 2 columns, got 3"),
        ("series,offset\na,x", "x.csv:2: offset: expected a number, got 'x'"),
        ("series,field\na,time", "x.csv:2: field: expected a field name other than 'time'"),
        ("series,min,max\na,2,1", "x.csv:2: min: expected min to be at most max"),
        ('series,tag:t\na,"b\nc"', "x.csv:3: tag:t: expected text on one line, got 'b\\nc'"),
        ('series\n"a', "x.csv:2: not a valid CSV row: unexpected end of data"),
    ],
)
def test_mistakes_in_a_table_are_told_with_their_line(
    folder: ConfigFolder, table: str, problem: str
) -> None:
    """One mistake is one problem."""
    folder.write(table, "x.csv")

    (found,) = folder.problems("series_file: x.csv")

    assert found.startswith(problem)


def test_all_mistakes_in_a_table_are_told(folder: ConfigFolder) -> None:
    """An operator mends a table in one go."""
    folder.write("series,scale,min\na,x,y\n,1,\nb,0,1\n", "x.csv")

    problems = folder.problems("series_file: x.csv")

    assert [problem.rpartition(": expected")[0] or problem for problem in problems] == [
        "x.csv:2: min",
        "x.csv:2: scale",
        "x.csv:3: series: missing, but required",
        "x.csv:4: scale",
    ]


def test_an_empty_table_says_nothing(folder: ConfigFolder) -> None:
    """A file without a single row below its header is no mistake."""
    folder.write("series,unit\n", "x.csv")

    assert folder.load("series_file: x.csv").catalogue == Catalogue()
