"""The page to try attacks in, as a user sees it: in a browser."""

import importlib.util
import socket
import time

import av
import pytest
from browser import browsing
from forked import Process
from stored_detector import stored_detector

from sr_deepfake.data.sample.people import ASSETS

# Looked for, not imported: that takes seconds of every test run.
without_gradio = pytest.mark.skipif(importlib.util.find_spec("gradio") is None, reason="needs the extra `playground`")
pytestmark = [pytest.mark.slow, pytest.mark.nightly, without_gradio]


@pytest.fixture(scope="module")
def browser():
    with browsing() as found:
        yield found


@pytest.fixture
def address(tmp_path):
    stored_detector(tmp_path / "outputs" / "detectors")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = Process("playground", f"port={port}", "trainer=cpu", cwd=tmp_path)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert process.process.is_alive(), process.file.read_text()
        time.sleep(0.2)
    yield f"http://127.0.0.1:{port}/"
    process.process.kill()
    process.process.join()


def test_a_photo_is_attacked_and_shown_with_its_scores(address, browser, tmp_path):
    photo = tmp_path / "photo.png"
    with av.open(str(ASSETS / "identities" / "030.mp4")) as clip:
        next(clip.decode(video=0)).to_image().save(photo)
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.get_by_role("button", name="Attack", exact=True).wait_for()
    page.set_input_files("input[type=file]", str(photo))
    page.locator("a[download='photo.png']").wait_for()  # the name in one piece is seen only while the file goes up
    page.get_by_role("button", name="Attack", exact=True).click()
    page.get_by_text("1 face(s) in 1 picture(s).").wait_for(timeout=60_000)
    assert page.get_by_text("Probability of fake, mean").count() == 1
    page.get_by_text("Grad-CAM").first.wait_for()
    with page.expect_download() as got:
        page.locator("a[download]").last.click()
    assert got.value.suggested_filename == "attacked.png"
    assert all(url.startswith((address, "data:", "blob:")) for url in asked)
    assert list((tmp_path / "outputs").glob("attacked_faces/*")) == []
