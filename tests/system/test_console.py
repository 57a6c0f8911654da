import logging

import pytest

from sr_deepfake.system import console
from sr_deepfake.system.console import track


@pytest.mark.parametrize("terminal", ["1", ""])
@pytest.mark.parametrize("show", [True, False])
def test_everything_passes_and_a_terminal_shows_the_count(monkeypatch, capsys, terminal, show):
    monkeypatch.setenv("FORCE_COLOR", terminal)  # rich takes this for a terminal
    monkeypatch.setenv("COLUMNS", "200")
    assert list(track(iter("abc"), 3, "Reading", "letters", show)) == ["a", "b", "c"]
    shown = capsys.readouterr().err
    assert ("Reading" in shown, "3/3" in shown) == (bool(terminal and show),) * 2


def test_logs_now_and_then_without_a_terminal(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(console, "LOG_EVERY", 0.0)
    list(track(range(3), 3, "Reading", "letters"))
    assert [record.message for record in caplog.records] == [
        "Reading: 1 of 3 letters", "Reading: 2 of 3 letters, 0:00 left",
    ]  # fmt: skip


def test_a_job_with_named_steps_says_at_which_it_is(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(console, "LOG_STEPS", 0.0)
    monkeypatch.setattr(console, "_steps", ["Reading", "Writing"])
    list(track(range(2), 2, "Writing", "letters"))
    assert [record.message for record in caplog.records] == ["2 of 2: Writing: 1 of 2 letters"]
