"""The command line before Hydra sees it: defaults of the machine, an earlier run's overrides, mistakes."""

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from sr_deepfake.app.configuration import CONF, checked_overrides
from sr_deepfake.experiment.provenance import read_provenance
from sr_deepfake.system.errors import UserError, nearest

FROM_RUN = "from_run="

# Options of `FaceDataModule`; those of the data set, which stand in data.source, may be typed as data.root= too.
_OF_THE_MODULE = (
    "source", "forgery", "tested_on", "frames", "image_size", "resize", "batch_size", "augmentation", "augment_on",
    "defence", "attack", "seed", "workers",
)  # fmt: skip


def completed(program: str, typed: Sequence[str]) -> list[str]:
    """The command line as Hydra gets it: with an earlier run's overrides, the machine's defaults, and short names long.

    Args:
        program: as in `python -m sr_deepfake.<program>`.
        typed: the command line without the program's name.

    Raises:
        UserError: `from_run=` names no run of this program.

    Example:
        >>> completed("train", ["-m", "forgery=FaceSwap,Deepfakes", "data=ffpp", "data.root=/videos"])
        ['-m', 'forgery_method=FaceSwap,Deepfakes', 'data=ffpp', 'data.source.root=/videos']
    """
    for name in ("SR_DEEPFAKE_OUTPUTS", "SR_DEEPFAKE_CACHE"):
        if name in os.environ:
            os.environ[name] = os.path.expanduser(os.environ[name])
    arguments = with_default_data(with_earlier_run(program, list(typed)), program)
    return [_long(argument) for argument in (_with_runs(arguments) if program == "report" else arguments)]


def _with_runs(arguments: list[str]) -> list[str]:
    """Turn the arguments of `train` in `report experiment=X ...` into `runs=[...]`."""
    if not any(argument.startswith("experiment=") for argument in arguments):
        return arguments
    own = tuple(OF_THE_REPORT)
    asked = [
        word
        for word in arguments
        if not word.startswith(("-", "hydra")) and re.split(r"[.=@]", word)[0] not in own
    ]
    escaped = (word.replace("\\", "\\\\").replace('"', '\\"') for word in asked)
    quoted = ",".join(f'"{word}"' for word in escaped)
    return [*(word for word in arguments if word not in asked), f"runs=[{quoted}]"]


def _long(argument: str) -> str:
    """`forgery=` is the group forgery_method, `data.root=` is data.source.root=, and ~ is the home folder."""
    key, equals, value = argument.partition("=")
    name = key.lstrip("+~")
    if name == "forgery":
        key = key.replace("forgery", "forgery_method")
    elif name.startswith("data.") and name.split(".")[1] not in _OF_THE_MODULE:
        key = key.replace("data.", "data.source.", 1)
    elif name in ("paths.outputs", "paths.cache"):
        value = os.path.expanduser(value)
    return f"{key}{equals}{value}"


# Options of `report`; what else stands beside experiment= is train's.
OF_THE_REPORT = (
    "compare", "compare_force", "examples", "explain", "folders", "grid", "log_folder", "logger", "out", "paths",
    "run_name", "run_tags", "runs", "scores",
)  # fmt: skip
# Programs that know no data set.
_WITHOUT_DATA = ("attack", "report", "train_sr")


def with_default_data(arguments: list[str], program: str = "train") -> list[str]:
    """Add `data=$SR_DEEPFAKE_DATA` to the overrides when the variable is set and no `data=` is given.

    Args:
        arguments: the command line without the program's name.
        program: as in `python -m sr_deepfake.<program>`; one that knows no data set gets none.

    Example:
        >>> os.environ["SR_DEEPFAKE_DATA"] = "ffpp"
        >>> with_default_data(["model=swin"]), with_default_data(["data=sample"])
        (['model=swin', 'data=ffpp'], ['data=sample'])
        >>> del os.environ["SR_DEEPFAKE_DATA"]
    """
    data = os.environ.get("SR_DEEPFAKE_DATA")
    if not data or program in _WITHOUT_DATA or any(argument.startswith("data=") for argument in arguments):
        return arguments
    return [*arguments, f"data={data}"]


def with_earlier_run(program: str, arguments: list[str]) -> list[str]:
    """Put the overrides of an earlier run in the place of `from_run=FOLDER`; what is typed beside it wins.

    Args:
        program: as in `python -m sr_deepfake.<program>`.
        arguments: the command line without the program's name.

    Raises:
        UserError: the folder tells no run, or one of another program.

    Example:
        >>> with_earlier_run("train", ["model=swin"])
        ['model=swin']
    """
    folders = [argument.removeprefix(FROM_RUN) for argument in arguments if argument.startswith(FROM_RUN)]
    typed = [argument for argument in arguments if not argument.startswith(FROM_RUN)]
    if not folders:
        return arguments
    if len(folders) > 1:
        raise UserError(f"from_run= repeats one run; {len(folders)} are given")
    earlier = read_provenance(Path(folders[0]))
    if earlier["program"] != program:
        raise UserError(
            f"{folders[0]} is of another program; `python -m sr_deepfake.{earlier['program']} from_run="
            f"{shlex.quote(folders[0])}` repeats it"
        )
    overrides = checked_overrides(earlier["overrides"], f"from_run={folders[0]}")
    return [*without_replaced(overrides, typed), *typed]


def without_replaced(earlier: Sequence[str], typed: Sequence[str]) -> list[str]:
    """Leave out what later overrides replace: the same key, and the options of a group that is chosen anew.

    Example:
        >>> without_replaced(["model=timm", "model.backbone=resnet18", "seed=1"], ["model=swin"])
        ['seed=1']
        >>> without_replaced(["model=timm", "model.backbone=resnet18", "seed=1"], ["-m", "seed=2,3"])
        ['model=timm', 'model.backbone=resnet18']
    """
    keys = {_key(argument) for argument in typed if "=" in argument or argument.startswith("~")}
    return [
        override
        for override in earlier
        if not any(_key(override) == key or _key(override).startswith(f"{key}.") for key in keys)
    ]


def _key(override: str) -> str:
    return _long(override).split("=", 1)[0].lstrip("+~")


def find_mistake(config_name: str, arguments: list[str]) -> str | None:
    """Say what is mistyped in a command line, or None.

    Only what Hydra would refuse without naming an alternative is looked at here: unknown choices of a group
    and unknown keys. All else (syntax, interpolation, a configuration folder of one's own) is left to Hydra.

    Args:
        config_name: the program's configuration, without `.yaml`.
        arguments: the command line without the program's name.
    """
    args = get_args_parser().parse_args(arguments)
    if args.config_dir or args.config_path or args.config_name:
        return None
    try:
        overrides = OverridesParser.create().parse_overrides(args.overrides)
    except HydraException as error:
        return _unreadable(args.overrides) or " ".join(str(error).split())
    for override in overrides:
        if override.value() == "" and not override.is_delete():
            key = override.key_or_group
            return f"{key}= has no value (an empty variable of the shell?). {key}=null stands for none"
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            return _find_mistake(config_name, overrides)
    except HydraException:
        return None  # Hydra meets the same error again and tells it better


def _unreadable(overrides: Sequence[str]) -> str | None:
    """Say which override Hydra's grammar cannot read, and how it is quoted."""
    parser = OverridesParser.create()
    for override in overrides:
        try:
            parser.parse_override(override)
        except HydraException:
            key, equals, value = override.partition("=")
            if not equals:
                return f"{override!r} is no KEY=VALUE"
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            quoted = shlex.quote(f'{key}="{escaped}"')
            return (
                f"{override!r} cannot be read: a value with other signs than letters, digits and / . - _ goes into "
                f"quotes, {quoted}"
            )
    return None


def _find_mistake(config_name: str, overrides: list[Override]) -> str | None:
    loader = GlobalHydra.instance().config_loader()
    groups = [group for group in loader.list_groups("") if group != "hydra"]
    choices: list[str] = []
    keys: list[str] = []
    for override in overrides:
        key = override.key_or_group
        if key == "hydra" or key.startswith(("hydra.", "hydra/")):
            continue
        if override.package is not None:
            choices.append(str(override.input_line))
            continue
        if key not in groups:
            if not override.is_add() and not override.is_delete():
                keys.append(key)
            continue
        options = loader.get_group_options(key)
        for word in _words(override):
            if word not in options:
                return f"{key}={word} is not a choice.{nearest(word, options)} Choices: {', '.join(options)}."
        if words := _words(override):
            choices.append(f"{key}={words[0]}")
    if not keys:
        return None
    cfg = hydra.compose(config_name, choices)
    return next((mistake for key in keys if (mistake := _unknown_key(cfg, key, groups))), None)


def _words(override: Override) -> list[str]:
    """The choices that an override of a group names: one, or several in a sweep."""
    values = override.sweep_string_iterator() if override.is_sweep_override() else [override.value()]
    return [value for value in values if isinstance(value, str)]


def _unknown_key(cfg: DictConfig, key: str, groups: list[str]) -> str | None:
    node: Any = cfg
    walked: list[str] = []
    for part in key.split("."):
        if not isinstance(node, DictConfig):
            return None  # a list index or a value; Hydra knows more about those
        if part not in node.keys():  # noqa: SIM118  # `in node` is false for a value that is still missing
            siblings = [".".join([*walked, str(name)]) for name in node if str(name)[0] != "_"]
            candidates = siblings + (groups if not walked else [])
            leaves = _leaves(cfg)
            named_so = sorted((leaf for leaf in leaves if leaf.endswith(f".{key}")), key=_place)[:1]
            suggestion = nearest(key, named_so) or nearest(key, candidates) or nearest(key, leaves)
            here = (
                f" {'.'.join(walked)} has: {', '.join(str(name) for name in node if str(name)[0] != '_')}."
                if walked
                else ""
            )
            addable = (
                " Any argument of Lightning's Trainer can be added: +" + key + "=…"
                if walked == ["trainer"]
                else ""
            )
            return f"there is no option {key!r}.{suggestion}{here}{addable}"
        walked.append(part)
        node = node._get_node(part)
    return None


def _place(leaf: str) -> bool:
    """Sort key that puts options of the protocol first: others take their values from there."""
    return not leaf.startswith("protocol.")


def _leaves(cfg: DictConfig) -> list[str]:
    found: list[str] = []

    def walk(node: Any, path: str) -> None:
        for name in node:
            child = node._get_node(name)
            found.append(f"{path}{name}")
            if (
                isinstance(child, DictConfig)
                and not OmegaConf.is_missing(node, name)
                and not child._is_none()
            ):
                walk(child, f"{path}{name}.")

    walk(cfg, "")
    return found
