import dataclasses

import numpy as np
import pytest
from result_folders import result_of
from scored_faces import predictions

from sr_deepfake.reporting.experiments.transfer import matrix, summarise

METHODS = ["Deepfakes", "FaceSwap", "FaceShifter"]


def result(trained, tested, faces):
    found = result_of("swin", tested, "sr-edsr-x2", faces)
    return dataclasses.replace(found, run=found.run | {"trained_on": trained})


@pytest.fixture
def results():
    return [
        result(trained, tested, predictions(fnr=(row / 10, column / 10)))
        for row, trained in enumerate(METHODS)
        for column, tested in enumerate(METHODS)
    ]


def test_rows_are_what_was_trained_on_and_columns_what_is_tested_on(results):
    table = summarise(results).table
    clean = matrix(table, "fnr_clean", METHODS, METHODS)
    attacked = matrix(table, "fnr_attacked", METHODS, METHODS)
    np.testing.assert_allclose(clean, [[0, 0, 0], [0.1, 0.1, 0.1], [0.2, 0.2, 0.2]], atol=1e-12)
    np.testing.assert_allclose(attacked, clean.T, atol=1e-12)


def test_the_heat_maps_have_a_number_in_each_place_and_a_dash_where_it_is_missing(results):
    del results[5]  # FaceSwap on FaceShifter
    summary = summarise(results)
    assert len(summary.table) == 8
    panels = summary.figure.axes
    assert [panel.get_title() for panel in panels] == [
        "AUC, clean",
        "AUC, attacked",
        "FNR, clean",
        "FNR, attacked",
    ]
    assert [text.get_text() for text in panels[3].texts] == ["0", "10", "20", "0", "10", "–", "0", "10", "20"]
    assert [label.get_text() for label in panels[2].get_xticklabels()] == ["DF", "FS", "FSh"]
    np.testing.assert_allclose(panels[2].images[0].get_array().filled(np.nan)[2], [20, 20, 20])
