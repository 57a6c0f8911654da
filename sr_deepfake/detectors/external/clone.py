"""Modules of a clone of DeepfakeBench, imported one by one: what is asked for is run, and nothing stays behind."""

import ast
import contextlib
import importlib.machinery
import importlib.util
import io
import re
import sys
import types
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

OWN = ("detectors", "networks", "metrics", "loss", "dataset", "trainer", "optimizor", "logger", "lib", "utils")


class Registry(dict[str, Any]):
    """A registry of the clone: imports the file that registers a name when that is asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def register_module(self, module_name: str | None = None) -> Any:
        """The clone's decorator."""
        return lambda made: self.setdefault(module_name or made.__name__, made)

    def __missing__(self, name: str) -> Any:
        pattern = re.compile(rf"register_module\(\s*(module_name\s*=\s*)?['\"]{re.escape(name)}['\"]")
        for file in sorted(self.folder.glob("*.py")):
            if pattern.search(file.read_text(encoding="utf-8", errors="replace")):
                importlib.import_module(f"{self.folder.name}.{file.stem}")
                return dict.__getitem__(self, name)
        raise KeyError(f"no file of {self.folder} registers {name}")


class _Stub(types.ModuleType):
    """Stands for a module, class or function that is not installed, and notes whether it is called."""

    def __init__(self, name: str, called: set[str]) -> None:
        super().__init__(name)
        self.__dict__.update(__path__=[], _called=called)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Stub(f"{self.__name__}.{name}", self.__dict__["_called"])

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.__dict__["_called"].add(self.__name__.partition(".")[0])
        return _Stub(self.__name__, self.__dict__["_called"])

    def __mro_entries__(self, bases: Any) -> tuple[type, ...]:
        return (object,)


class Stubs:
    """Finds stand-ins for modules of some packages, where nothing else finds them."""

    def __init__(self, packages: set[str]) -> None:
        self.packages, self.called = packages, set[str]()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """As the import system asks."""
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if self.covers(name) else None  # type: ignore[arg-type]

    def covers(self, name: str) -> bool:
        """Whether a module is of these packages."""
        return name.partition(".")[0] in self.packages or name == "torch.utils.tensorboard"

    def create_module(self, spec: Any) -> types.ModuleType:
        """As the import system asks."""
        return _Stub(spec.name, self.called)

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing is to be run."""

    def needed(self) -> str:
        """The packages that were called, in words."""
        names = sorted(self.called - set(OWN))
        return f"; it needs {', '.join(names)}: pip install {' '.join(names)}" if names else ""


def missing(training: Path) -> set[str]:
    """The packages that files of the clone import and that are not installed, and its own that are not needed."""
    names: set[str] = set()
    for file in (file for part in ("detectors", "networks") for file in (training / part).rglob("*.py")):
        with contextlib.suppress(SyntaxError):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8", errors="replace"))):
                found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                found += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
                names |= {name.partition(".")[0] for name in found}
    return {name for name in names - set(OWN) if importlib.util.find_spec(name) is None} | set(OWN[2:])


@contextlib.contextmanager
def imported(clone: Path, stubs: Stubs) -> Iterator[tuple[Registry, Any]]:
    """The clone's modules while they are needed: nothing of it stays in `sys.modules`, and none is run that is not asked for."""
    training = clone / "training"

    def is_foreign(name: str) -> bool:
        return name.partition(".")[0] in OWN or stubs.covers(name)

    def executed() -> list[Path]:
        modules = [module for name, module in sys.modules.items() if name.partition(".")[0] in OWN[:2]]
        return sorted(Path(str(module.__file__)) for module in modules if getattr(module, "__file__", None))

    before = {name: sys.modules.pop(name) for name in list(sys.modules) if is_foreign(name)}
    detectors, networks, trainers = (Registry(training / folder) for folder in ("detectors", "networks", "trainer"))
    registries: dict[str, Any] = {"DETECTOR": detectors, "BACKBONE": networks, "TRAINER": trainers}
    registries["LOSSFUNC"] = defaultdict(lambda: nn.Identity)  # losses are not needed
    for name in ("detectors", "networks"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__dict__.update(registries, __path__=[str(training / name)])
    for name in ("metrics", "metrics.registry", "utils", "utils.registry", "loss"):
        sys.modules[name] = _Stub(name, stubs.called)
        sys.modules[name].__dict__.update(registries)
    sys.meta_path.insert(0, stubs)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield detectors, executed
    finally:
        sys.meta_path.remove(stubs)
        for name in [name for name in sys.modules if is_foreign(name)]:
            del sys.modules[name]
        sys.modules.update(before)
