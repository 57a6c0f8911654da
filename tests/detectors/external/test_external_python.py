import sys

import pytest
import torch
from exported import faces

from sr_deepfake.detectors.external import python
from sr_deepfake.detectors.external.python import PythonDetector
from sr_deepfake.system.errors import UserError

FIVE_LINES = """
def detector():
    def score(faces):
        return faces.mean(dim=(1, 2, 3)) * 20 - 10
    return score
"""


def test_a_strangers_file_of_five_lines(tmp_path):
    (tmp_path / "own.py").write_text(FIVE_LINES)
    detector = PythonDetector(f"{tmp_path / 'own.py'}:detector", label="own")
    expected = torch.sigmoid((faces().mean((1, 2, 3)) * 20 - 10).double())
    torch.testing.assert_close(detector.score(faces()), expected)
    assert detector.told["size"] == "as they are (model=python)"
    small = PythonDetector(f"{tmp_path / 'own.py'}:detector", label="own", size=24, range=255, output="logit")
    levels = torch.nn.functional.interpolate(faces(), size=(24, 24), mode="bilinear", antialias=True)
    expected = (levels * 255).round().mean((1, 2, 3)) * 20 - 10
    torch.testing.assert_close(small(faces()), expected.double(), atol=1e-2, rtol=1e-5)


def test_a_module_of_a_package(tmp_path, monkeypatch):
    (tmp_path / "my_package_of_detectors.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__(); self.scale = torch.nn.Parameter(torch.tensor(20.0))\n"
        "    def forward(self, faces):\n"
        "        return {'feat': faces, 'cls': faces.mean(dim=(1, 2, 3), keepdim=True)[..., 0] * self.scale - 10}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    detector = PythonDetector("my_package_of_detectors:Net", label="own")
    expected = torch.sigmoid((faces().mean((1, 2, 3)) * 20 - 10).double())
    torch.testing.assert_close(detector.score(faces()).detach(), expected)
    assert dict(detector.named_parameters())  # moves to a device with the detector
    sys.modules.pop("my_package_of_detectors")


def test_code_that_only_a_folder_names_is_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr(python, "_typed", set())
    (tmp_path / "own.py").write_text("open(__file__ + '.run', 'w')\n" + FIVE_LINES)
    name = f"{tmp_path / 'own.py'}:detector"
    with pytest.raises(UserError, match=r"not run because a folder names it.*model=python model\.factory="):
        PythonDetector(name, label="own", stored=True)
    assert not (tmp_path / "own.py.run").exists()
    PythonDetector(name, label="own")
    assert PythonDetector(name, label="own", stored=True).label == "own"


def test_a_changed_file_is_another_detector(tmp_path):
    (tmp_path / "own.py").write_text(FIVE_LINES)
    name = f"{tmp_path / 'own.py'}:detector"
    before = PythonDetector(name, label="own").identity["digest"]
    assert PythonDetector(name, label="own").identity["digest"] == before
    (tmp_path / "own.py").write_text(FIVE_LINES.replace("20", "21"))
    assert PythonDetector(name, label="own").identity["digest"] != before


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        (FIVE_LINES, "detectr", "has no function detectr"),
        ("def detector():\n    return 3", "detector", "returned int"),
        ("def detector():\n    raise OSError('no weights')", "detector", "failed: OSError: no weights"),
        ("import nowhere", "detector", "cannot be imported"),
        ("def detector():\n    return lambda faces: 'fake'", "detector", "answers with str"),
        ("def detector():\n    return lambda faces: {'x': faces}", "detector", "answers with 'x'"),
        ("def detector():\n    return lambda faces: faces.flatten(1)[:, :7]", "detector", "one number a face, or two"),
        ("def detector():\n    return lambda faces: faces @ faces[0, 0, :7]", "detector", "does not take faces of"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_one_line(tmp_path, text, name, told):
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(UserError, match=told) as error:
        PythonDetector(f"{tmp_path / 'own.py'}:{name}", label="own")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["", "own", "own.py", "own.py:", "nowhere.py:detector", "own.py:a b"])
def test_what_names_no_function(name):
    with pytest.raises(UserError, match=r"model\.factory"):
        PythonDetector(name, label="own")
