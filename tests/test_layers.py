"""Imports point one way: programs → app → tracking → reporting → experiment → media → detectors → data → … → system."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import sr_deepfake

PACKAGE = Path(sr_deepfake.__file__).parent
# Each room may import what stands below it; the last three stand side by side on `system`.
ORDER = (
    "app", "tracking", "reporting", "experiment", "media", "detectors", "data", "attacks", "super_resolution",
    "metrics", "system",
)  # fmt: skip
PROGRAMS = {"train", "evaluate", "prepare", "attack", "report", "status", "train_sr"}
FILES = sorted(file for file in PACKAGE.rglob("*.py"))


def module_of(file: Path) -> str:
    parts = ("sr_deepfake", *file.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(file): file for file in FILES}


def imported(file: Path) -> set[str]:
    """Modules that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in MODULES else node.module for name in full}
    return names


def room_of(module: str) -> str:
    return module.split(".")[1] if module.count(".") else ""


def test_the_rooms_are_those_of_the_order():
    assert {
        path.name for path in PACKAGE.iterdir() if path.is_dir() and (path / "__init__.py").exists()
    } == set(ORDER)
    assert {file.stem for file in PACKAGE.glob("*.py")} == {"__init__", "__main__", *PROGRAMS}


@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_programs_are_thin(program):
    assert len((PACKAGE / f"{program}.py").read_text().splitlines()) <= 65


@pytest.mark.parametrize("module", [name for name in MODULES if room_of(name) in ORDER])
def test_a_room_imports_only_what_is_below_it(module):
    room = room_of(module)
    below = set(ORDER[ORDER.index(room) :])
    if room == "super_resolution":
        below -= {"metrics"}
    found = {room_of(name) for name in imported(MODULES[module]) if name.startswith("sr_deepfake.")}
    assert found <= below


def test_no_circle_closes():
    graph = {name: imported(file) & MODULES.keys() - {name} for name, file in MODULES.items()}
    # A package's own `__init__` offers its classes lazily.
    graph = {name: found for name, found in graph.items() if MODULES[name].name != "__init__.py"}
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("module", MODULES)
def test_only_programs_and_app_know_hydra_and_only_what_trains_or_logs_knows_lightning(module):
    roots = {name.split(".")[0] for name in imported(MODULES[module])}
    room = room_of(module)
    program = room in PROGRAMS or module == "sr_deepfake"
    if room != "app" and not program:
        assert not roots & {"hydra", "omegaconf"}
    trains = module == "sr_deepfake.data.module" or module.startswith("sr_deepfake.super_resolution.training")
    if not trains and not program and room not in ("app", "detectors", "tracking"):
        assert not roots & {"lightning", "pytorch_lightning"}
