"""Points that line protocol can say, for property-based tests."""

from hypothesis import strategies as st

from ingestd.model import Series

S = 1_000_000

names = st.text(
    st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda text: not text.endswith("\\"))
tag_names = names.filter(lambda text: text != "series")
series = st.builds(
    Series,
    name=names,
    tags=st.dictionaries(tag_names, names, max_size=3).map(
        lambda tags: tuple(sorted(tags.items()))
    ),
    measurement=names.filter(lambda text: not text.startswith("#")),
    field=names,
)
numbers = st.floats(allow_nan=False, allow_infinity=False)
times = st.one_of(
    st.integers(-(10**15), 10**15),
    st.integers(-(10**9), 10**9).map(lambda each: each * S),
    st.integers(-(10**12), 10**12).map(lambda each: each * 1000),
)
batches = st.lists(st.tuples(series, times, numbers), min_size=1, max_size=20)
