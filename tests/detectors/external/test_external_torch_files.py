import pytest
import torch
from exported import SIDE, Net, normalisation, ours, scores

from sr_deepfake.detectors.external.detector import ExternalDetector
from sr_deepfake.detectors.external.torch_files import open_torch_file
from sr_deepfake.system.errors import UserError

pytestmark = pytest.mark.filterwarnings("ignore")  # of scripts, which torch deprecates
EXAMPLE = torch.rand(4, 3, SIDE, SIDE)


def detector_of(path, **options):
    return ExternalDetector(open_torch_file, str(path), "net", **options)


def scripted(tmp_path, network, **options):
    torch.jit.save(torch.jit.script(network), tmp_path / "net.pt")
    return detector_of(tmp_path / "net.pt", size=SIDE, **options)


def exported(path, free=True):
    shapes = {"faces": {0: torch.export.Dim("batch")}} if free else None
    torch.export.save(torch.export.export(Net().eval(), (EXAMPLE,), dynamic_shapes=shapes), path)
    return str(path)


def test_torchscript_gives_the_scores_of_the_network_that_it_was_made_of(tmp_path):
    torch.jit.save(torch.jit.trace(Net().eval(), EXAMPLE), tmp_path / "net.pt")
    detector = detector_of(str(tmp_path / "net.pt"), size=SIDE, **normalisation())
    torch.testing.assert_close(scores(detector), scores(ours()), atol=1e-5, rtol=0)


@pytest.mark.parametrize("free", [True, False], ids=["free batch", "batch of 4"])
def test_an_exported_program_does_too_where_that_was_typed_and_tells_its_side(tmp_path, monkeypatch, free):
    """torch.export.load runs code that is in a file: by pickle, by sympy, by the names of functions."""
    path = exported(tmp_path / "net.pt2", free)
    detector = detector_of(path, trust=True, **normalisation())
    for count in (2, 4, 7):
        torch.testing.assert_close(scores(detector, count), scores(ours(), count), atol=1e-5, rtol=0)
    assert detector.report["size"] == f"{SIDE} (the program)"
    with pytest.raises(UserError, match=r"does not take faces of .*model\.size"):
        detector_of(path, trust=True, size=SIDE // 2)
    monkeypatch.setattr(torch.export, "load", lambda *_: pytest.fail("read"))
    with pytest.raises(UserError, match=r"can run code.*model\.trust=true"):
        detector_of(path)


def test_weights_alone_are_sent_to_the_kind_that_reads_them(tmp_path):
    torch.save(Net().state_dict(), tmp_path / "weights.pth")
    with pytest.raises(UserError, match=r"model=checkpoint model\.backbone=NAME"):
        detector_of(str(tmp_path / "weights.pth"))


def test_a_program_of_two_inputs_is_refused(tmp_path):
    class Two(torch.nn.Module):
        def forward(self, faces, other):
            return (faces + other).mean((1, 2, 3))

    torch.export.save(torch.export.export(Two(), (EXAMPLE, EXAMPLE)), tmp_path / "two.pt2")
    with pytest.raises(UserError, match=r"has 2 inputs \(faces, other\)"):
        detector_of(str(tmp_path / "two.pt2"), trust=True)


class Fails(torch.nn.Module):
    def forward(self, faces):
        return (faces + torch.zeros(3, 5)).mean()


def test_the_reason_of_a_script_that_fails_is_its_last_line(tmp_path):
    with pytest.raises(UserError, match=r"does not take faces of .*The size of tensor") as error:
        scripted(tmp_path, Fails())
    assert "\n" not in str(error.value)


def test_weights_of_half_precision_are_computed_with_in_float32(tmp_path):
    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 1)).half()
    picture = torch.rand(5, 3, SIDE, SIDE)
    found = scripted(tmp_path, network, output="logit")(picture)
    expected = network.float()((picture * 255).round() / 255)[:, 0]
    torch.testing.assert_close(found, expected.double(), atol=1e-2, rtol=0)
