from dataclasses import asdict, fields, replace

import pytest

from sr_deepfake.data.extraction.settings import SETTINGS, ExtractionSettings, check_settings
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import write_json

OTHER = {
    "frames": 3, "min_frames": 5, "margin": 0.3, "multiple": 12, "thresholds": 0.6, "min_face": 40, "square": "shorter",
    "seed": 1, "dataset": "x", "crop": False,
}  # fmt: skip


def test_senseless_settings_are_errors():
    with pytest.raises(UserError, match="at least 1"):
        ExtractionSettings(frames=0)
    with pytest.raises(UserError, match=r"extraction\.square='wider'.*longer, shorter"):
        ExtractionSettings(square="wider")


def test_the_fingerprint_is_that_of_all_settings_but_the_timeout():
    assert {*OTHER, "timeout"} == {field.name for field in fields(ExtractionSettings)}
    prints = {replace(ExtractionSettings(), **{name: value}).fingerprint for name, value in OTHER.items()}
    assert len(prints | {ExtractionSettings().fingerprint}) == len(OTHER) + 1
    assert ExtractionSettings(timeout=5).fingerprint == ExtractionSettings().fingerprint
    assert ExtractionSettings(min_face=20.0, thresholds=0.8).fingerprint == ExtractionSettings().fingerprint


@pytest.mark.parametrize("name", sorted({*OTHER} - {"dataset"}))
def test_each_other_setting_is_named(tmp_path, name):
    write_json(tmp_path / SETTINGS, asdict(ExtractionSettings()))
    check_settings(tmp_path, ExtractionSettings(timeout=5, dataset="ffpp-c23"))
    with pytest.raises(UserError, match=rf"found with extraction\.{name}=[^;]*\. `python -m sr_deepfake\.prepare`"):
        check_settings(tmp_path, replace(ExtractionSettings(), **{name: OTHER[name]}))


def test_another_compression_is_refused(tmp_path):
    write_json(tmp_path / SETTINGS, asdict(ExtractionSettings(dataset="ffpp-c0")))
    for same in ("ffpp-raw", "folder"):
        check_settings(tmp_path, ExtractionSettings(dataset=same))
    with pytest.raises(
        UserError, match=r"found with data\.compression=raw, not c40\. `python -m sr_deepfake\.prepare`"
    ):
        check_settings(tmp_path, ExtractionSettings(dataset="ffpp-c40"))


def test_faces_of_unknown_settings_are_taken(tmp_path):
    check_settings(tmp_path, ExtractionSettings())
    (tmp_path / "extraction.json").write_text("{")
    check_settings(tmp_path, ExtractionSettings())
