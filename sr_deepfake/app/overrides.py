"""The command line before Hydra sees it: short names, an earlier run's overrides; and the jobs that it expands to."""

import glob
import itertools
import json
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser

from sr_deepfake.experiment.provenance import read_provenance
from sr_deepfake.system.errors import UserError

FROM_RUN = "from_run="
_SPECIAL = re.compile(r"_(target|partial|args|recursive|convert|here|global)_")  # Hydra's own keys
# Options of `FaceDataModule`; those of the data set, which are in data.source, may be typed as data.root= too.
_OF_THE_MODULE = (
    "source", "forgery", "tested_on", "frames", "image_size", "resize", "test_side", "batch_size", "augmentation",
    "augment_on", "defence", "attack", "seed", "workers",
)  # fmt: skip


def completed(program: str, typed: Sequence[str]) -> list[str]:
    """The command line as Hydra gets it: with an earlier run's overrides, and short names written out."""
    for name in ("SR_DEEPFAKE_OUTPUTS", "SR_DEEPFAKE_CACHE"):
        if name in os.environ:
            os.environ[name] = os.path.expanduser(os.environ[name])
    for argument in typed:
        if argument.endswith("="):  # as an empty variable of a shell leaves it; Hydra takes it for an empty text
            raise UserError(f"{argument} has no value")
    found = [_long(argument) for argument in with_earlier_run(program, [_without_hyphens(word) for word in typed])]
    if program == "report":  # there `experiment` is a value, for Hydra it is a group
        return [
            argument.replace("experiment=", "of_experiment=", 1) if argument.startswith("experiment=") else argument
            for argument in found
        ]
    # An experiment may sweep over networks: all of them are fetched.
    return ["-m", *found] if program == "prepare" and "weights=true" in found and "-m" not in found else found


def _without_hyphens(argument: str) -> str:
    """`--key=value`, as the agent of a W&B sweep passes it, as an override; flags of Hydra stay."""
    name, equals, _ = argument.removeprefix("--").partition("=")
    is_flag = name.startswith(("config-", "hydra-", "shell-", "experimental-")) or name in ("cfg", "package", "info")
    return argument.removeprefix("--") if equals and not is_flag else argument


def _long(argument: str) -> str:
    """`forgery_method=` is forgery=, `data.root=` is data.source.root=, and ~ is the home folder."""
    key, equals, value = argument.partition("=")
    name = key.lstrip("+~")
    if name == "forgery_method":
        key = key.replace("forgery_method", "forgery")
    elif name.startswith("data.") and name.split(".")[1] not in _OF_THE_MODULE:
        key = key.replace("data.", "data.source.", 1)
    elif name in ("paths.outputs", "paths.cache"):
        value = os.path.expanduser(value)
    elif name == "model.path" and (pattern := re.fullmatch(r"glob\((.+)\)", value)):  # Hydra's own is of groups alone
        found = sorted(glob.glob(os.path.expanduser(pattern[1].strip("'\""))))
        if not found:
            raise UserError(f"model.path={value}: there is no such file")
        value = ",".join(json.dumps(file, ensure_ascii=False) for file in found)
    return f"{key}{equals}{value}"


def with_earlier_run(program: str, arguments: list[str]) -> list[str]:
    """Put the overrides of an earlier run in the place of `from_run=FOLDER`; what is typed next to it wins."""
    folders = [argument.removeprefix(FROM_RUN) for argument in arguments if argument.startswith(FROM_RUN)]
    typed = [argument for argument in arguments if not argument.startswith(FROM_RUN)]
    if not folders:
        return arguments
    if len(folders) > 1:
        raise UserError(f"from_run= repeats one run, not {len(folders)}")
    earlier = read_provenance(Path(folders[0]))
    if earlier["program"] != program:
        raise UserError(
            f"{folders[0]} is of another program: `python -m sr_deepfake.{earlier['program']} from_run="
            f"{shlex.quote(folders[0])}` repeats it"
        )
    overrides = checked_overrides(earlier["overrides"], f"from_run={folders[0]}")
    return [*without_replaced(overrides, typed), *typed]


def checked_overrides(overrides: Sequence[str], source: str) -> list[str]:
    """Return an earlier run's overrides if they are safe to repeat: they may come from somebody else."""
    kept = []
    for override in overrides:
        key, _, value = override.partition("=")
        name = key.lstrip("+~")
        special = any(_SPECIAL.fullmatch(part) for part in re.split(r"[.@:]", name)) or (
            "{" in value and _SPECIAL.search(value)
        )
        if name.startswith(("hydra", "model.factory", "model.trust", "model.repo")) or "${" in override or special:
            raise UserError(
                f"{source} was started with {override!r}, which is not repeated for a folder that may come from "
                "somebody else; type it yourself, next to the other options"
            )
        if not name.startswith(("paths.", "cache.folder")):
            kept.append(override)
    return kept


def without_replaced(earlier: Sequence[str], typed: Sequence[str]) -> list[str]:
    """Leave out what later overrides replace: the same key, and the options of a group that is chosen again."""
    keys = {_key(argument) for argument in typed if "=" in argument or argument.startswith("~")}
    return [
        override
        for override in earlier
        if not any(_key(override) == key or _key(override).startswith((f"{key}.", f"{key}@")) for key in keys)
    ]


def _key(override: str) -> str:
    return _long(override).split("=", 1)[0].lstrip("+~")


def expanded(params: Sequence[str], typed: Sequence[str]) -> list[list[str]]:
    """The overrides of each job of a sweep, as Hydra's sweeper makes them (`glob` where Hydra is initialised)."""
    values: dict[str, list[str]] = {}
    loader = GlobalHydra.instance().config_loader() if GlobalHydra.instance().is_initialized() else None
    for override in OverridesParser.create(loader).parse_overrides([*params, *typed]):
        if not override.get_key_element().startswith("hydra"):
            swept = override.is_sweep_override()
            chosen = override.sweep_string_iterator() if swept else [override.get_value_element_as_str()]
            values[override.get_key_element()] = list(chosen)
    return [
        [f"{key}={value}" if value else key for key, value in zip(values, chosen, strict=True)]
        for chosen in itertools.product(*values.values())
    ]


def program_of(overrides: Sequence[str]) -> str:
    """Which program takes some overrides: what attacks a detector that is there is evaluate's, all else train's."""
    of_evaluate = ("detector=", "experiment=suite", "experiment=end_to_end")
    return "evaluate" if any(word.startswith(of_evaluate) for word in overrides) else "train"


def is_sweep(override: str) -> bool:
    """Whether an override has several values."""
    return bool(OverridesParser.create().parse_override(override).is_sweep_override())
