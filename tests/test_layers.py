"""Imports point one way: programs → app → tracking → reporting → experiment → media → detectors → data → … → system."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import sr_deepfake

PACKAGE = Path(sr_deepfake.__file__).parent
# Each room may import what stands below it; `super_resolution` and `metrics` stand side by side on `system`.
ORDER = (
    "app", "tracking", "reporting", "experiment", "media", "detectors", "data", "attacks", "super_resolution",
    "metrics", "system",
)  # fmt: skip
PROGRAMS = {"train", "evaluate", "prepare", "attack", "report", "status", "playground"}


def module_of(file: Path) -> str:
    parts = ("sr_deepfake", *file.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(file): file for file in sorted(PACKAGE.rglob("*.py"))}


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


IMPORTS = {module: imported(file) for module, file in MODULES.items()}


def room_of(module: str) -> str:
    return module.split(".")[1] if module.count(".") else ""


def test_the_rooms_are_those_of_the_order_and_programs_are_thin():
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert rooms == set(ORDER)
    assert {file.stem for file in PACKAGE.glob("*.py")} == {"__init__", "__main__", *PROGRAMS}
    for program in PROGRAMS:
        assert len((PACKAGE / f"{program}.py").read_text().splitlines()) <= 65, program


def test_a_room_imports_only_what_is_below_it():
    for module, names in IMPORTS.items():
        room = room_of(module)
        if room not in ORDER:
            continue
        below = set(ORDER[ORDER.index(room) :]) - ({"metrics"} if room == "super_resolution" else set())
        assert {room_of(name) for name in names if name.startswith("sr_deepfake.")} <= below, module


def test_no_circle_closes():
    graph = {name: found & MODULES.keys() - {name} for name, found in IMPORTS.items()}
    # A package's own `__init__` offers its classes lazily.
    graph = {name: found for name, found in graph.items() if MODULES[name].name != "__init__.py"}
    TopologicalSorter(graph).prepare()


def test_only_programs_and_app_know_hydra_and_only_what_trains_or_logs_knows_lightning():
    for module, names in IMPORTS.items():
        room, roots = room_of(module), {name.split(".")[0] for name in names}
        if room == "app" or room in PROGRAMS or module == "sr_deepfake":
            continue
        assert not roots & {"hydra", "omegaconf"}, module
        if room not in ("detectors", "tracking") and module != "sr_deepfake.data.module":
            assert not roots & {"lightning", "pytorch_lightning"}, module
