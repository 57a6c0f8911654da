"""Which detectors an evaluation is of, and on which fakes; the folder of an external one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sr_deepfake.detectors.external.detector import ExternalDetector
from sr_deepfake.detectors.recipe import Recipe
from sr_deepfake.detectors.registry import read_recipe, register
from sr_deepfake.system.errors import UserError

WHICH = (
    "which detector? detector=FOLDER names a trained one (`ls outputs/detectors` lists them), model=onnx model.path=FILE an "
    "external one; also model=torchscript, huggingface, checkpoint, deepfakebench, python"
)


@dataclass(frozen=True)
class Pairing:
    """A detector and the fakes that it is tested on."""

    folder: Path  # the detector's
    recipe: Recipe
    tested_on: str  # the forgery method
    chosen_by: str  # the method whose validation faces choose a threshold: that of the training, if the data set has it
    label: str  # for folders and runs of a logger

    @property
    def protocol(self) -> dict[str, Any]:
        """Plain values of the training's protocol that concern the test; nothing in them is resolved or built."""
        found = self.recipe.protocol if not self.recipe.is_external else {}
        return {
            key: value
            for key, value in found.items()
            if isinstance(value, int | float | str | None) and "${" not in str(value)
        }


def register_external(detector: object, settings: Mapping[str, Any], outputs: Path) -> Path:
    """The folder of an external detector; made, and what was chosen is printed."""
    if not isinstance(detector, ExternalDetector):
        raise UserError(WHICH)
    kept = {key: value for key, value in settings.items() if key != "_convert_"}
    if kept.get("path") and Path(kept["path"]).expanduser().exists():
        kept["path"] = str(Path(kept["path"]).expanduser().absolute())
    folder = register(outputs / "detectors", detector, kept)
    if detector.note:
        print(f"{detector.label} is {detector.note}")
    print(f"{detector.label} ({detector.path}) is loaded with")
    for name, value in detector.report.items():
        print(f"  model.{name} = {value}")
    return folder


def pairings(folders: Sequence[Path], forgery: str | None, methods: Sequence[str]) -> list[Pairing]:
    """The evaluations of some detectors: a trained one meets its own method, an external one all of them."""
    found = []
    for folder in folders:
        recipe = read_recipe(folder)
        own = recipe.forgery if recipe.forgery in methods else None
        tested = [forgery] if forgery else [own] if own else list(methods)
        for method in tested:
            label = f"{folder.name}-{method}" if method != own else folder.name
            found.append(Pairing(folder, recipe, method, own or method, label))
    return found
