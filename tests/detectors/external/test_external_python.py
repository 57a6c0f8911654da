import sys

import pytest
import torch
from exported import faces

from sr_deepfake.detectors.external.detector import ExternalDetector
from sr_deepfake.detectors.external.python import open_python
from sr_deepfake.system.errors import UserError


def detector_of(factory, **options):
    return ExternalDetector(open_python, factory, "own", factory=factory, **options)


FIVE_LINES = """
def detector():
    def score(faces):
        return faces.mean(dim=(1, 2, 3)) * 20 - 10
    return score
"""
EXPECTED = torch.sigmoid((faces().mean((1, 2, 3)) * 20 - 10).double())


def test_a_strangers_file_of_five_lines(tmp_path):
    (tmp_path / "own.py").write_text(FIVE_LINES)
    detector = detector_of(f"{tmp_path / 'own.py'}:detector")
    torch.testing.assert_close(detector.score(faces()), EXPECTED)
    assert detector.report["size"] == "as they are (model=python)"
    small = detector_of(f"{tmp_path / 'own.py'}:detector", size=24, range=255, output="logit")
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
    detector = detector_of("my_package_of_detectors:Net")
    torch.testing.assert_close(detector.score(faces()).detach(), EXPECTED)
    assert dict(detector.named_parameters())  # moves to a device with the detector
    sys.modules.pop("my_package_of_detectors")


def test_a_changed_file_is_another_detector(tmp_path):
    (tmp_path / "own.py").write_text(FIVE_LINES)
    name = f"{tmp_path / 'own.py'}:detector"
    before = detector_of(name).identity["digest"]
    assert detector_of(name).identity["digest"] == before
    (tmp_path / "own.py").write_text(FIVE_LINES.replace("20", "21"))
    assert detector_of(name).identity["digest"] != before


HOLDING_A_NETWORK = """
import pathlib
import torch
net = torch.nn.Linear(1, 1)
torch.nn.init.constant_(net.weight, float(pathlib.Path(__file__).with_name("weight").read_text()))
class Held:
    def __init__(self): self.net = net
    def __call__(self, faces): return self.net(faces.mean(dim=(1, 2, 3))[:, None])
    def score(self, faces): return self(faces)
def called(): return Held()
def method(): return Held().score
def closure():
    inside = net
    if faces := None:
        unknown = faces  # a cell that stays empty
    return lambda faces: unknown if len(faces) == 0 else inside(faces.mean(dim=(1, 2, 3))[:, None])
"""


@pytest.mark.parametrize("factory", ["called", "method", "closure"])
def test_other_weights_in_what_is_called_are_another_detector(tmp_path, factory):
    digests, opener = set(), f"{tmp_path / 'own.py'}:{factory}"
    (tmp_path / "own.py").write_text(HOLDING_A_NETWORK)
    for weight in ("1", "2"):
        (tmp_path / "weight").write_text(weight)
        opened = open_python(opener, factory=opener)
        digests.add(opened.digest)
        assert not opened.note
    (tmp_path / "own.py").write_text(FIVE_LINES)
    assert "its source alone tells it" in detector_of(f"{tmp_path / 'own.py'}:detector").note
    assert len(digests) == 2


def test_a_function_may_refuse_what_is_no_face(tmp_path):
    text = FIVE_LINES.replace(
        "        return", "        assert 0 <= faces.min() and faces.max() <= 1\n        return", 1
    )
    (tmp_path / "own.py").write_text(text)
    detector = detector_of(f"{tmp_path / 'own.py'}:detector")
    torch.testing.assert_close(detector.score(faces()), EXPECTED)
    assert "refuses numbers outside [0, 1]" in detector.note


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (FIVE_LINES, "detectr", "has no function detectr"),
        ("def detector():\n    return 3", "detector", "returned int"),
        ("def detector():\n    raise OSError('no weights')", "detector", "failed: OSError: no weights"),
        ("import nowhere", "detector", "cannot be imported"),
        ("def detector():\n    return lambda faces: 'fake'", "detector", "answers str"),
        ("def detector():\n    return lambda faces: {'x': faces}", "detector", "answers 'x'"),
        ("def detector():\n    return lambda faces: faces.flatten(1)[:, :7]", "detector", "one number a face, or two"),
        ("def detector():\n    return lambda faces: faces @ faces[0, 0, :7]", "detector", "does not take faces of"),
    ],
)  # fmt: skip
def test_mistakes_are_reported_in_one_line(tmp_path, text, name, message):
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(UserError, match=message) as error:
        detector_of(f"{tmp_path / 'own.py'}:{name}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["", "own", "own.py", "own.py:", "nowhere.py:detector", "own.py:a b"])
def test_what_names_no_function(name):
    with pytest.raises(UserError, match=r"model\.factory"):
        detector_of(name)
