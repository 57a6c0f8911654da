"""A report with one of everything and its files, which take seconds to draw."""

import page_reports
import pytest


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    return page_reports.small(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def small_page(small, tmp_path_factory):
    return page_reports.written(small, tmp_path_factory.mktemp("page"))
