"""basicsr, importable beside a current torchvision and Python: the only place that imports it.

basicsr 1.4.2 (2022) imports `torchvision.transforms.functional_tensor`, which torchvision 0.17 renamed, and
`distutils`, which Python 3.12 dropped. It also imports its training code along with a network, so it is
loaded only when asked for.
"""

import importlib
import importlib.util
import sys
from typing import Any

_OLD_NAME = "torchvision.transforms.functional_tensor"
_NEW_NAME = "torchvision.transforms._functional_tensor"


def architecture(module: str, name: str) -> Any:
    """Return a network class of basicsr.

    Args:
        module: the module below `basicsr.archs`, for example `"edsr_arch"`.
        name: the class in it, for example `"EDSR"`.

    Example:
        >>> architecture("edsr_arch", "EDSR").__name__
        'EDSR'
    """
    _restore_what_basicsr_expects()
    return getattr(importlib.import_module(f"basicsr.archs.{module}"), name)


def _restore_what_basicsr_expects() -> None:
    if _OLD_NAME not in sys.modules and importlib.util.find_spec(_OLD_NAME) is None:
        sys.modules[_OLD_NAME] = importlib.import_module(_NEW_NAME)
    if "distutils" not in sys.modules and importlib.util.find_spec("distutils") is None:
        importlib.import_module("setuptools")  # it brings a `distutils` of its own along
