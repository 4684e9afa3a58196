"""Whatever a plugin or the configuration says is text on a page, and never markup."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.pages import PAGES, Viewing, draw
from tests.support.html import ReadHtml
from tests.support.pagesamples import samples

HOSTILE: Final = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</pre></details></title></main><h1>",
    "<!-- ",
    "]]><![CDATA[",
    "javascript:alert(1)",
    "&lt;b&gt;&amp;#60;",
    "{{ 7 * 7 }}${7}<%= 7 %>",
    "a\x00b\ud800\x1b[31m\u202eevil",
    "../../..//evil.example.org/?#",
)
VIEWING: Final = Viewing(now=10.0)


def read(name: str, text: str) -> ReadHtml:
    """Return a page on which every text of others is the given one."""
    return ReadHtml(draw(name, samples(text)[name], VIEWING).decode())


def check(name: str, text: str) -> None:
    """Expect the elements that the page has with a harmless text, and links to ourselves."""
    shown, harmless = read(name, text), read(name, "x")

    assert shown.elements == harmless.elements
    assert shown.unclosed == []
    ours = ("/", "#main")
    assert [each for each in shown.links if not each.startswith(ours)] == []
    assert [each for each in shown.links if each.startswith("//")] == []


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(name: str, text: str) -> None:
    """Each is shown as it is, and the page has the elements that it has with any other."""
    check(name, text)
    plain = " ".join(text.encode("utf-8", "backslashreplace").decode().split())

    assert plain.replace("\x00", "") in read(name, text).text.replace("\x00", "")


@pytest.mark.slow  # draws some hundred pages
@given(st.sampled_from(sorted(PAGES)), st.text(st.characters(), min_size=1))
def test_no_text_becomes_markup(name: str, text: str) -> None:
    """That holds for texts of any letters."""
    check(name, text)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_needs_nothing_from_elsewhere(name: str) -> None:
    """There is no inline script or style, and files come from the daemon."""
    page = read(name, "x")
    loaded = [
        value
        for tag, key, value in page.attributes
        if (tag, key) in {("link", "href"), ("script", "src")}
    ]  # no other element of these pages loads anything
    inline = [names for tag, names in page.elements if tag == "script" and "src" not in names]

    assert inline == []
    assert {"style", "iframe", "object"} & {tag for tag, _ in page.elements} == set()
    assert [key for _, key, _ in page.attributes if key == "style" or key.startswith("on")] == []
    assert loaded
    assert all(each.startswith("/static/") for each in loaded)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_read_to_somebody(name: str) -> None:
    """It says its language, has one main heading, and each field has a label of its own."""
    page = read(name, "x")
    tags = [tag for tag, _ in page.elements]
    labelled = {value for tag, key, value in page.attributes if (tag, key) == ("label", "for")}
    fields = {
        value for tag, key, value in page.attributes if tag in {"input", "select"} and key == "id"
    }

    assert ("html", "lang", "en") in page.attributes
    assert (tags.count("h1"), tags.count("main"), tags.count("title")) == (1, 1, 1)
    assert fields == labelled
