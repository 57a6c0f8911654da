import dataclasses
import json
from pathlib import Path

import page_reports
import pytest
from browser import browsing
from result_folders import write_results

from sr_deepfake.reporting.report import Missing, Report
from sr_deepfake.reporting.table import ReportTable

LIMIT = 8_000_000  # bytes of a page of the paper's grid
PHONE, DESK = {"width": 360, "height": 780}, {"width": 1280, "height": 900}
HOSTILE = [
    "<script>alert(1)</script>",
    '"onload="alert(1)',
    "</script><script>alert(1)</script>",
    "{{7*7}}{% raw %}",
    "javascript:alert(1)",
    "<img src=http://example.invalid/a.png onerror=alert(1)>",
    "</style><b>'&amp;",
]


@pytest.fixture(scope="module")
def browser():
    with browsing() as browser:
        yield browser


@pytest.fixture(scope="module")
def full_page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    return page_reports.written(page_reports.full(folder / "outputs"), folder / "page")


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory):
    """A report in which every name is one that tries to be markup."""
    outputs = tmp_path_factory.mktemp("hostile")
    for name, method in zip(HOSTILE, reversed(HOSTILE), strict=True):
        named = dict.fromkeys(
            ("detector", "recipe", "weights", "test_faces", "protocol", "defence_attack", "device"), name
        )
        folder = write_results(
            outputs, model=name, forgery=method, data=HOSTILE[0], config={name: [name]}, overrides=[name],
            illustration=name, **named | {"protocol": HOSTILE[1]},
        )  # fmt: skip
        page_reports.write_evidence(folder, note=name)
        index = folder / "evidence" / "index.json"
        content = json.loads(index.read_text())
        for face in content["flipped"]:
            face["face_id"] = name
        index.write_text(json.dumps(content))
    joined = " ".join(HOSTILE)
    report = page_reports.reported(outputs)
    table = ReportTable("t", joined, [joined, "FNR"], [[name, name] for name in HOSTILE], joined, 1, remarks=HOSTILE)
    figures = [dataclasses.replace(report.figures[0], title=joined, caption=joined)]
    report = dataclasses.replace(
        report, missing=Missing(joined, joined), tables=[table, *report.tables], figures=figures, notes=HOSTILE,
        unread=[page_reports.Unread(Path(joined), joined)], versions={joined: joined}, command=joined, made=joined,
    )  # fmt: skip
    return page_reports.written(report, outputs / "page")


class Visit:
    """A page that was opened, and what it did."""

    def __init__(self, browser, path, viewport=DESK, **options):
        self.context = browser.new_context(viewport=viewport, reduced_motion="reduce", **options)
        self.context.set_default_timeout(10_000)
        self.page = self.context.new_page()
        self.said, self.asked = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append("dialog"), dialog.dismiss()))
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    def column(self, index, table="#tables table"):
        return self.page.locator(f"{table} tbody td:nth-child({index})").all_inner_texts()

    def overflow(self):
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.fixture
def visit(browser, tmp_path):
    visits = []

    def open_page(report, **options):
        if isinstance(report, Report):
            report = page_reports.written(report, tmp_path / "page")
        visits.append(Visit(browser, report, **options))
        return visits[-1]

    yield open_page
    for each in visits:
        each.context.close()


def test_the_page_asks_for_nothing_and_complains_of_nothing(visit, small, small_page):
    visited = visit(small_page)
    for part in visited.page.locator("details > summary").all():
        part.click()
    visited.page.wait_for_load_state("networkidle")
    assert visited.said == []
    assert {url for url in visited.asked if not url.startswith("data:")} == {small_page.as_uri()}
    # Every picture was decoded: none is blocked by the policy or damaged.
    widths = visited.page.evaluate("Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth)))")
    assert len(widths) == 2 * 5 + len(small.figures)
    assert min(widths) > 0


def test_the_policy_stops_what_would_leave_the_file(visit, small_page):
    visited = visit(small_page)
    visited.page.evaluate("() => fetch('https://example.invalid/').catch(() => 0)")
    assert any("Content Security Policy" in line for line in visited.said)
    assert not any(url.startswith("https:") for url in visited.asked)


def test_names_are_text_wherever_they_are(visit, hostile_page):
    visited = visit(hostile_page)
    for part in visited.page.locator("details > summary").all():
        part.click()
    visited.page.wait_for_load_state("networkidle")
    assert visited.said == []
    assert all(url.startswith(("file:", "data:")) for url in visited.asked)
    assert visited.page.locator("script").count() == 1
    assert visited.page.evaluate("[...document.querySelectorAll('*')].every(e => !e.onload && !e.onerror)")
    text = visited.page.evaluate("document.body.textContent")
    for name in HOSTILE:
        assert name in text
    links = visited.page.evaluate("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    assert all(link.startswith("#") for link in links)


def test_a_heading_sorts_numbers_as_numbers_and_what_is_missing_last(visit, small):
    rows = [["resnet50", "9.5*"], ["swin", "10.25"], ["xception", "–"], ["lite", "−3.0***"]]
    visited = visit(dataclasses.replace(small, tables=[ReportTable("t", "T", ["Model", "FNR"], rows)], figures=[]))
    heading = visited.page.get_by_role("button", name="FNR", exact=True)
    assert visited.column(2) == ["9.5*", "10.25", "–", "−3.0***"]
    heading.click()
    assert visited.column(2) == ["−3.0***", "9.5*", "10.25", "–"]
    assert heading.evaluate("b => b.closest('th').getAttribute('aria-sort')") == "ascending"
    heading.press("Enter")  # the same by the keyboard
    assert visited.column(2) == ["10.25", "9.5*", "−3.0***", "–"]
    assert heading.evaluate("b => b.closest('th').getAttribute('aria-sort')") == "descending"
    assert "falling" in visited.page.locator("#said").inner_text()
    visited.page.get_by_role("button", name="Model", exact=True).press("Space")
    assert visited.column(1) == ["lite", "resnet50", "swin", "xception"]
    assert heading.evaluate("b => b.closest('th').getAttribute('aria-sort')") == "none"


def test_the_slider_uncovers_the_clean_face_by_mouse_and_by_keyboard(visit, small_page):
    visited = visit(small_page)
    slider = visited.page.get_by_role("slider").first
    over = visited.page.locator(".compare img:nth-of-type(2)").first

    def place():
        return over.evaluate("e => getComputedStyle(e).clipPath")

    assert place() == "inset(0px 0px 0px 50%)"
    slider.focus()
    slider.press("ArrowRight")
    assert place() == "inset(0px 0px 0px 51%)"
    assert slider.get_attribute("aria-valuetext") == "51 % clean, 49 % attacked"
    slider.press("Home")
    assert place() == "inset(0px 0px 0px 0%)"
    box = slider.bounding_box()
    slider.click(position={"x": box["width"] * 0.8, "y": box["height"] / 2})
    assert abs(int(slider.input_value()) - 80) <= 1
    assert place() == f"inset(0px 0px 0px {slider.input_value()}%)"


def test_the_map_shows_one_figure_at_a_time(visit, small_page):
    visited = visit(small_page)
    shown = visited.page.locator("#grid .view:visible")
    assert shown.count() == 1
    first = shown.inner_text()
    visited.page.get_by_role("radio").first.focus()
    visited.page.keyboard.press("ArrowRight")
    assert shown.count() == 1
    assert shown.get_attribute("data-view") == "fpr both"
    assert shown.inner_text() != first


def test_a_square_of_the_map_unfolds_what_is_behind_it(visit, small_page):
    visited = visit(small_page)
    link = visited.page.locator("#grid .view:visible a").first
    target = link.get_attribute("href")
    assert not visited.page.locator(target).evaluate("e => e.open")
    link.press("Enter")
    visited.page.locator(f"{target}[open]").wait_for()
    shown = visited.page.locator(target).inner_text()
    assert "python -m sr_deepfake.train model=resnet50" in shown
    assert "192 of 48 videos in 48 clusters: 96 pristine, 96 fake" in shown


def test_a_command_is_copied_from_a_file_too(visit, small_page):
    visited = visit(small_page, permissions=["clipboard-read", "clipboard-write"])
    visited.page.locator("#missing .command button").first.click()
    visited.page.locator("#said:text-is('Copied.')").wait_for(state="attached")
    copied = visited.page.evaluate("navigator.clipboard.readText()")
    assert copied == page_reports.MAKE


def test_a_command_is_copied_without_permission_for_the_clipboard(visit, small_page):
    visited = visit(small_page)
    visited.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    visited.page.locator("#missing .command button").first.click()
    visited.page.locator("#said:text-is('Copied.')").wait_for(state="attached")
    assert visited.page.evaluate("getSelection().toString()").startswith("python -m sr_deepfake.train")


def test_examples_are_chosen_by_detector(visit, small):
    one, other = small.examples
    others = [dataclasses.replace(other, entry=dataclasses.replace(other.entry, model="swin"))]
    examples = [*[one] * 6, dataclasses.replace(others[0], face=other.face.model_copy(update={"score_attacked": 0.2}))]
    visited = visit(dataclasses.replace(small, examples=examples, figures=[]))
    shown = visited.page.locator(".example:visible")
    assert shown.count() == 6
    visited.page.locator("#choose-examples").select_option("swin on FaceSwap")
    assert shown.count() == 1
    visited.page.locator("#choose-examples").select_option("All 7")
    assert shown.count() == 7


def test_the_full_grid_fits_the_limit(full_page):
    assert full_page.stat().st_size <= LIMIT
    assert full_page.read_text().count("<b>–</b><small>missing</small>") == 4  # one detector, in four views


@pytest.mark.parametrize("kind", ["full_page", "hostile_page"])
def test_a_phone_does_not_scroll_sideways(visit, kind, request):
    visited = visit(request.getfixturevalue(kind), viewport=PHONE)
    for part in visited.page.locator("#numbers summary").all()[:2]:
        part.click()
    assert visited.overflow() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_system_and_is_readable(visit, scheme, full_page):
    visited = visit(full_page, color_scheme=scheme)
    ground = visited.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (luminance(ground) < 0.1) == (scheme == "dark")
    pairs = visited.page.evaluate(
        """() => [...document.querySelectorAll('body, .quiet, .note, .map td:not(.missing), .key div span, nav a')]
            .filter(e => e.offsetParent || e === document.body).map(e => {
              const clear = (part) => getComputedStyle(part).backgroundColor === 'rgba(0, 0, 0, 0)';
              let back = e; while (clear(back)) back = back.parentElement;
              return [getComputedStyle(e).color, getComputedStyle(back).backgroundColor, e.className]; })"""
    )
    assert len({back for _, back, _ in pairs}) >= 8  # the ground, cards, and the colours of the map
    for ink, back, name in {tuple(pair) for pair in pairs}:
        light, dark = sorted((luminance(ink), luminance(back)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, back, name)  # WCAG 2, AA


def luminance(colour):
    """Relative luminance of an `rgb(...)`, as WCAG 2 has it."""
    values = [int(value) / 255 for value in colour[4:-1].split(",")]
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in values]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_keyboard_goes_through_the_whole_page_and_sees_where_it_is(visit, small_page):
    visited = visit(small_page)
    visited.page.keyboard.press("Tab")
    assert visited.page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(200):
        visited.page.keyboard.press("Tab")
        tag = visited.page.evaluate("document.activeElement.tagName")
        if tag == "BODY":
            break
        reached.add(tag)
        seen = visited.page.evaluate(
            """() => { let e = document.activeElement;
                for (let p = e; p && p !== document.body; p = p.parentElement)
                  if (getComputedStyle(p).outlineStyle !== 'none') return true;
                return false; }"""
        )
        assert seen, visited.page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
    assert tag == "BODY"  # past the last one: no trap
    assert {"A", "INPUT", "SELECT", "BUTTON", "SUMMARY"} <= reached


def test_without_script_everything_is_shown(visit, small_page):
    visited = visit(small_page, java_script_enabled=False)
    assert visited.page.locator("#grid .view:visible").count() == 4
    assert visited.page.locator(".example:visible").count() == 2
    assert visited.page.locator(".command button:visible").count() == 0
