"""The documentation's Python, as it stands there, on small face crops."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


def blocks():
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.skipif(not PAGE.is_file(), reason="not in a checkout")
def test_data_module_detector_attack_and_trainer_without_hydra(make_faces, tmp_path, monkeypatch):
    (block,) = [block for block in blocks() if "trainer.fit" in block]
    assert len([line for line in block.splitlines() if line.strip()]) <= 13
    make_faces({"train": 8, "val": 4, "test": 6}, method="FaceSwap")
    monkeypatch.chdir(tmp_path)
    for ours, tiny in (
        ('"resnet50", pretrained=True', '"test_resnet", pretrained=False'),
        ("max_epochs=30", 'max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False'),
        ('"/path/to/FaceForensics++"', 'None, crops="."'),
    ):
        assert ours in block
        block = block.replace(ours, tiny)
    names = {}
    exec(block, names)
    figures = names["trainer"].logged_metrics
    assert {f"test/{setup}/{name}" for setup in ("clean", "both", "fake") for name in ("fnr", "fpr", "auc")} <= set(
        figures
    )
    assert figures["test/fake/fpr"] == figures["test/clean/fpr"]
