import base64
import io

import numpy as np
import page_reports
import pytest
from PIL import Image

from sr_deepfake.reporting.page import pictures as page_pictures
from sr_deepfake.reporting.page.pictures import QUALITIES, page_examples, page_figures


def decoded(uri):
    head, _, content = uri.partition(",")
    return head, base64.b64decode(content)


def test_a_face_comes_back_as_it_was_but_for_the_compression():
    example = page_reports.example(side=96)
    examples = page_examples([example], 10**6)
    assert (examples.left_out, examples.quality) == (0, QUALITIES[0])
    for name in ("clean", "attacked", "difference"):
        head, content = decoded(getattr(examples.shown[0], name))
        assert head == "data:image/webp;base64"
        picture = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(float)
        assert picture.shape == (96, 96, 3)
        # Noise in colour is the worst that WebP can meet; its brightness stays.
        assert abs(picture - getattr(example, name)).mean(axis=2).mean() < 12
        assert picture.mean() == pytest.approx(getattr(example, name).mean(), abs=1)


def test_pictures_fit_the_room_at_the_best_quality_that_does():
    examples = [page_reports.example(seed=seed) for seed in range(4)]
    weights = {
        quality: sum(
            len(page_pictures.webp(picture, quality))
            for example in examples
            for picture in (
                example.clean,
                example.attacked,
                example.difference,
                example.heat,
                example.heat_attacked,
            )
        )
        for quality in QUALITIES
    }
    assert page_examples(examples, weights[QUALITIES[1]]).quality == QUALITIES[1]
    least = page_examples(examples, weights[QUALITIES[-1]] - 1)
    assert (least.quality, len(least.shown), least.left_out) == (QUALITIES[-1], 3, 1)
    assert [shown.example for shown in least.shown] == examples[:3]
    assert page_examples([], 0).shown == []


def test_the_largest_changes_are_shown_first():
    examples = [page_reports.example(drop=0.05 * number) for number in range(1, 10)]
    shown = page_examples(examples, 10**7).shown
    assert [each.is_top for each in shown] == [False] * 3 + [True] * 6


def test_a_figure_is_a_drawing_unless_its_points_weigh_too_much(monkeypatch):
    figure = page_reports.figure(points=500)
    assert decoded(page_figures([figure], None)[0].picture)[0] == "data:image/svg+xml;base64"
    _, svg = decoded(page_figures([figure], "Illustration only")[0].picture)
    assert b"Illustration only" in svg
    monkeypatch.setattr(page_pictures, "_SVG_LIMIT", 1000)
    lighter, heavier = page_reports.figure("a", 5), page_reports.figure("b", 5_000)
    heads = [decoded(shown.picture)[0] for shown in page_figures([lighter, heavier], None)]
    assert heads == ["data:image/svg+xml;base64", "data:image/png;base64"]
