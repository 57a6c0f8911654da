"""What is built and installed elsewhere works there too."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.nightly


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel, built from a copy of the tree and unpacked."""
    pytest.importorskip("hatchling", reason="needs the extra `dev`")
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree / name)
    for name in ("sr_deepfake", "conf"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(tree)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = out.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(out / "site")
    return out / "site"


def test_configuration_sample_and_weights_travel_in_the_wheel(installed):
    package = installed / "sr_deepfake"
    for file in (
        "conf/train.yaml",
        "conf/model/swin.yaml",
        "data/sources/ffpp_splits/test.json",
        "data/sample/assets/landmarks.npz",
        "data/sample/assets/identities/000.mp4",
        "super_resolution/weights/edsr_baseline_x2.safetensors",
    ):
        assert (package / file).is_file(), file


def test_it_runs_from_another_folder(installed, tmp_path):
    code = "import sr_deepfake; print(sr_deepfake.__file__); from sr_deepfake.train import main; main()"
    command = [sys.executable, "-c", code, "model=swin", "--cfg", "job"]
    environment = os.environ | {"PYTHONPATH": str(installed)}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert str(installed) in ended.stdout.splitlines()[0]
    assert "label: swin" in ended.stdout
    assert not any(tmp_path.iterdir())
