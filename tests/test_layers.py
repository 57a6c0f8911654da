"""Imports point one way: programs, app → reporting; media; detectors → data → attacks → super_resolution; metrics."""

import ast
from pathlib import Path

import pytest

import sr_deepfake

PACKAGE = Path(sr_deepfake.__file__).parent
MAY_IMPORT = {
    "reporting": {"metrics"},
    "metrics": set(),
    "detectors": {"data", "attacks", "metrics"},
    "data": {"attacks"},
    "media": {"data"},
    "attacks": {"super_resolution"},
    "super_resolution": set(),
}
COMMON = {"errors", "hardware", "files"}  # modules without a room: what every room may use
FILES = sorted(file for room in MAY_IMPORT for file in (PACKAGE / room).rglob("*.py"))


def imported(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            raise AssertionError(f"{file}: relative import")
    return names


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_rooms_import_only_what_is_below_them(file):
    room = file.relative_to(PACKAGE).parts[0]
    rooms = {name.split(".")[1] for name in imported(file) if name.startswith("sr_deepfake.")} - {
        "__version__"
    }
    assert rooms <= MAY_IMPORT[room] | {room} | COMMON


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_only_programs_know_hydra_and_only_what_trains_knows_lightning(file):
    roots = {name.split(".")[0] for name in imported(file)}
    assert not roots & {"hydra", "omegaconf"}
    of_networks = {PACKAGE / "super_resolution" / name for name in ("training.py", "training_step.py")}
    trains = file.is_relative_to(PACKAGE / "detectors") or file in {
        *of_networks,
        PACKAGE / "data" / "module.py",
    }
    assert trains or not roots & {"lightning", "pytorch_lightning"}
