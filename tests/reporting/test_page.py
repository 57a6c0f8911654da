import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser

import page_reports
import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_folders import write_results
from scored_faces import predictions

from sr_deepfake.metrics.figures import Figure
from sr_deepfake.reporting.numbers import show
from sr_deepfake.reporting.page import STEPS, colour, sort_value

VOID = {"meta", "link", "img", "input", "br"}


class Outline(HTMLParser):
    """Elements, their attributes and the addresses in them; complains of what is not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.addresses, self.attributes = [], [], [], set()
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


@pytest.fixture
def text(small_page):
    return small_page.read_text()


def page_of(report, folder):
    """The page without its figures, which take seconds to draw."""
    report = dataclasses.replace(report, figures=[])
    return page_reports.written(report, folder / "page").read_text(encoding="utf-8")


def test_the_page_is_well_formed_and_points_only_into_itself(text):
    outline = Outline(text)
    assert len(set(outline.ids)) == len(outline.ids)
    assert {address.split(":")[0] for address in outline.addresses if not address.startswith("#")} == {"data"}
    assert {address[1:] for address in outline.addresses if address.startswith("#")} <= set(outline.ids)
    assert not [name for name in outline.attributes if name.startswith("on") or name == "style"]


def test_the_policy_allows_the_pages_own_style_and_script_alone(text):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#39;", "'")
    for tag in ("style", "script"):
        (part,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policy


def test_what_is_an_illustration_says_so_before_any_number(text, tmp_path):
    assert 0 < text.index("Illustration only: generated people.") < text.index('id="answer"')
    write_results(tmp_path / "outputs", data="ffpp")
    assert "Illustration" not in page_of(page_reports.reported(tmp_path / "outputs"), tmp_path)


def test_what_is_missing_is_named_with_what_makes_it_and_no_note_is_hidden(text):
    """Notes that contained the path of an unread folder were hidden; `.` hid all of them."""
    missing = text[text.index('id="missing"') :]
    assert "2 of the 3 detectors of the grid are shown" in missing
    assert page_reports.MAKE in missing
    assert "outputs/results/broken</dt><dd>metrics.json is missing" in missing
    assert "Two runs were left out. See . and outputs/results/broken." in missing


def test_a_change_reads_alike_in_the_table_on_the_map_and_behind_the_number(text, small):
    entry = small.grid.attacked[0]
    figure = entry.figure("both", "fnr")
    whole = show(figure.change, "points", figure.change_interval)
    change, interval = whole.split(" ", 1)
    assert f"<b>{change}</b>" in text
    assert f"<small>{interval}</small>" in text
    assert text.count(f'data-value="{float(change)}">{whole}</td>') == 1  # the table of changes
    assert f'<td class="number">{whole}</td>' in text
    assert f"{whole} points" in small.answer


def test_a_report_of_little_is_a_page_too(small, tmp_path):
    grid = dataclasses.replace(small.grid, shown=[])
    nothing = {"results": [], "tables": [], "figures": [], "examples": [], "made": "", "command": ""}
    empty = dataclasses.replace(small, grid=grid, **nothing)
    text = page_reports.written(empty, tmp_path).read_text()
    Outline(text)
    assert "nothing to conclude" in text
    assert 'id="examples"' not in text


def test_a_name_that_is_no_text_is_shown_with_question_marks(small, tmp_path):
    assert "run ? one" in page_of(dataclasses.replace(small, notes=["run \udcff one"]), tmp_path)


@given(st.floats(-1, 1), st.floats(0.05, 1), st.sampled_from(["fnr", "auc"]))
def test_the_colour_grows_with_the_change_and_tells_better_from_worse(change, full, metric):
    found = colour(Figure(change=change), metric, full)
    harm = change if metric == "fnr" else -change
    if abs(harm) < 0.0005:
        assert found == "same"
        return
    assert found[:-1] == ("worse" if harm > 0 else "better")
    step = int(found[-1])
    assert 1 <= step <= STEPS
    if abs(harm) <= full:  # the legend names each step's largest change
        assert (step - 1) * full / STEPS - 1e-6 <= abs(harm) <= step * full / STEPS + 1e-6


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("+2.5 [+0.0, +6.7]", 2.5), ("−4.2 [−10.0, 0.0]", -4.2), ("12,800", 12800), ("99.2***", 99.2), ("inf", None), ("–", None),
    ],
)  # fmt: skip
def test_a_cell_sorts_by_its_first_number(text, value):
    assert sort_value(text) == value


def test_a_grid_of_small_changes_is_not_shown_as_alarming(tmp_path):
    write_results(tmp_path / "outputs", faces=predictions((0.1, 0.11), (0.1, 0.1), 400))
    text = page_of(page_reports.reported(tmp_path / "outputs"), tmp_path)
    assert '<span class="worse5">5.0</span>' in text
    assert '<td class="worse5' not in text
