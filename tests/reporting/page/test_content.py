import base64
import hashlib
import re
from html.parser import HTMLParser

import page_reports
import pytest

from sr_deepfake.reporting.page.content import LIMIT, render_page, write_page

VOID = {"meta", "link", "img", "input", "br"}


class Outline(HTMLParser):
    """Elements, their attributes and the addresses in them; complains of what is not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.addresses, self.attributes = [], [], [], [], set()
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attributes:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "action", "srcset", "poster", "data"):
                self.addresses.append(value)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def text():
    return render_page(page_reports.small())


def test_the_page_is_well_formed_and_points_only_into_itself(text):
    outline = Outline(text)
    assert len(set(outline.ids)) == len(outline.ids)
    assert {address.split(":")[0] for address in outline.addresses if not address.startswith("#")} == {"data"}
    assert {address[1:] for address in outline.addresses if address.startswith("#")} <= set(outline.ids)
    assert not [name for name in outline.attributes if name.startswith("on") or name == "style"]


def test_the_policy_allows_the_pages_own_style_and_script_alone(text):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#39;", "'")
    style, script = (re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL) for tag in ("style", "script"))
    for parts in (style, script):
        (part,) = parts
        digest = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policy


def test_what_is_an_illustration_says_so_before_any_number(text):
    assert 0 < text.index("Illustration only: generated people.") < text.index('id="answer"')
    assert "Illustration, not a result" not in render_page(page_reports.small(illustration=None))


def test_the_rest_of_the_grid_and_folders_that_cannot_be_read_are_told_with_what_mends_them(text):
    missing = text[text.index('id="missing"') :]
    assert "2 of the 3 detectors of the grid are shown" in missing
    assert page_reports.MAKE in missing
    assert "outputs/results/broken" in missing


def test_the_full_grid_fits_the_limit(tmp_path):
    write_page(tmp_path / "page.html", page_reports.full())
    assert (tmp_path / "page.html").stat().st_size <= LIMIT


def test_the_same_report_is_the_same_page(text):
    assert render_page(page_reports.small()) == text


def test_an_empty_report_is_a_page_too():
    nothing = page_reports.small(
        results=[],
        grid=page_reports.grid([page_reports.missing()]),
        tables=[],
        figures=[],
        examples=[],
        made="",
        command="",
    )
    text = render_page(nothing)
    Outline(text)
    assert "nothing to conclude" in text
    assert 'id="examples"' not in text


def test_a_name_that_is_no_text_is_shown_with_question_marks(tmp_path):
    write_page(tmp_path / "page.html", page_reports.small(notes=["run \udcff one"]))
    assert "run ? one" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]
