import io
import zipfile

import pytest
import torch
from exported import SIDE, Net, normalisation, ours, scores

from sr_deepfake.detectors.external.torchscript import TorchScriptDetector
from sr_deepfake.system.errors import UserError

EXAMPLE = torch.rand(4, 3, SIDE, SIDE)


def exported(path, free=True):
    shapes = {"faces": {0: torch.export.Dim("batch")}} if free else None
    torch.export.save(torch.export.export(Net().eval(), (EXAMPLE,), dynamic_shapes=shapes), path)
    return str(path)


@pytest.mark.filterwarnings("ignore")
def test_torchscript_gives_the_scores_of_the_network_that_it_was_made_of(tmp_path):
    torch.jit.save(torch.jit.trace(Net().eval(), EXAMPLE), tmp_path / "net.pt")
    detector = TorchScriptDetector(str(tmp_path / "net.pt"), "net", size=SIDE, **normalisation())
    torch.testing.assert_close(scores(detector), scores(ours()), atol=1e-5, rtol=0)


@pytest.mark.parametrize("free", [True, False], ids=["free batch", "batch of 4"])
def test_an_exported_program_does_too_and_tells_its_side(tmp_path, free):
    detector = TorchScriptDetector(exported(tmp_path / "net.pt2", free), "net", **normalisation())
    for count in (2, 4, 7):
        torch.testing.assert_close(scores(detector, count), scores(ours(), count), atol=1e-5, rtol=0)
    assert detector.told["size"] == f"{SIDE} (the program)"


class Code:
    """A pickle that makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def poisoned(source, target, name, content):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for item in old.namelist():
            new.writestr(item, content if item.endswith(name) else old.read(item))
        if not any(item.endswith(name) for item in old.namelist()):
            new.writestr(f"net/data/{name}", content)
    return str(target)


def test_code_in_a_program_is_not_run(tmp_path):
    """torch.export.load reads some of its parts with pickle."""
    whole, trap = exported(tmp_path / "net.pt2"), tmp_path / "trap"
    content = io.BytesIO()
    torch.save(Code(trap), content)
    config = b'{"config": {"x": {"path_name": "opaque_obj_0", "is_param": false, "use_pickle": true}}}'
    parts = {
        "sample_inputs/model.pt": content.getvalue(),
        "constants/opaque_obj_0": content.getvalue(),
        "constants/model_constants_config.json": config,
        "constants/other_config.json": config.replace(b": true", b":true"),
    }
    for number, (name, part) in enumerate(parts.items()):
        with pytest.raises(UserError, match=r"not run|not read"):
            TorchScriptDetector(poisoned(whole, tmp_path / f"{number}.pt2", name, part), "net")
        assert not trap.exists()


def test_weights_alone_are_sent_to_the_kind_that_reads_them(tmp_path):
    torch.save(Net().state_dict(), tmp_path / "weights.pth")
    with pytest.raises(UserError, match=r"model=checkpoint model\.backbone=NAME"):
        TorchScriptDetector(str(tmp_path / "weights.pth"), "net")


def test_a_program_of_two_inputs_is_refused(tmp_path):
    class Two(torch.nn.Module):
        def forward(self, faces, other):
            return (faces + other).mean((1, 2, 3))

    torch.export.save(torch.export.export(Two(), (EXAMPLE, EXAMPLE)), tmp_path / "two.pt2")
    with pytest.raises(UserError, match=r"has 2 inputs \(faces, other\)"):
        TorchScriptDetector(str(tmp_path / "two.pt2"), "net")
