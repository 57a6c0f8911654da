import page_reports
import pytest

from sr_deepfake.reporting.page.tables import TableCell, number_in, page_table


def test_numbers_sort_as_numbers_and_marks_stand_apart():
    shown = page_table(page_reports.table())
    assert [row[1] for row in shown.rows] == [
        TableCell("9.5", 9.5, "*"),
        TableCell("10.25", 10.25),
        TableCell("–", is_lacking=True),
        TableCell("-3.0", -3.0, "***"),
    ]
    assert shown.rows[0][0] == TableCell("resnet50")  # words have no value, whatever digits are in them
    assert shown.marked == [False, True]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("+2.5 [+0.0, +6.7]", 2.5), ("-4.2 [-10.0, +0.0]", -4.2), ("−0.1", -0.1), ("12,800", 12800), ("99.2", 99.2),
        ("inf", None), ("1.000", 1.0), ("1,024.5 dB", 1024.5),
    ],
)  # fmt: skip
def test_a_cell_sorts_by_its_first_number(text, value):
    assert number_in(text) == value
