"""What makes a detector's weights what they are."""

import re
from typing import Any

from sr_deepfake.system.files import digest
from sr_deepfake.system.values import Frozen

EXTERNAL = "external"  # in place of the forgery method and the protocol of a detector that was trained by somebody else
# Raised when training changes in a way that a recipe does not show: older detectors are then not reused.
RECIPE_VERSION = 4


class Recipe(Frozen):
    """Everything that changes the training of a detector."""

    model: str  # short name, for folders and tables
    forgery: str  # the method that it learns to find
    protocol: dict[str, Any]  # its values; those that concern the training are in `training` too
    training: dict[str, Any]  # all that the trained weights depend on, as plain values

    @property
    def key(self) -> str:
        """Ten hexadecimal digits that differ when anything about the training differs."""
        return digest({"training": self.training, "forgery": self.forgery, "version": RECIPE_VERSION})[:10]

    @property
    def seedless_key(self) -> str:
        """As `key`, the same for trainings that differ by their seed alone."""
        training = {name: value for name, value in self.training.items() if name != "seeds"}
        return self.model_copy(update={"training": training}).key

    @property
    def name(self) -> str:
        """Name of the detector's folder: `<model>-<forgery>-<key>`, safe on any file system.

        >>> Recipe(model="my/net", forgery="FaceSwap", protocol={}, training={}).name
        'my_net-FaceSwap-...'
        """
        return re.sub(r"[^A-Za-z0-9_.-]", "_", f"{self.model}-{self.forgery}") + f"-{self.key}"

    @property
    def is_external(self) -> bool:
        """Whether the detector was trained by somebody else: on what, and how, is not known."""
        return self.forgery == EXTERNAL
