"""What the programs share on the command line: where the configuration is, how mistakes are told.

Nothing here imports torch: `--help` and a mistyped override have to answer at once.
"""

import functools
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, InstantiationException
from omegaconf import DictConfig, OmegaConf

from sr_deepfake.errors import UserError, nearest

_PACKAGE = Path(__file__).resolve().parent
# A wheel carries the configuration inside the package; in a checkout it stands beside it.
CONF = next(folder for folder in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if folder.is_dir())

logger = logging.getLogger(__name__)

Task = Callable[[DictConfig], Any]


def program(config_name: str) -> Callable[[Task], Callable[[], Any]]:
    """Make a Hydra application of a task, with `conf/<config_name>.yaml` as its configuration.

    Mistyped overrides end with status 2 and the nearest valid choice; a `UserError` of the task ends with
    status 1 and its message alone.
    """

    def decorate(task: Task) -> Callable[[], Any]:
        @functools.wraps(task)
        def report_errors(cfg: DictConfig) -> Any:
            try:
                return task(cfg)
            except (UserError, InstantiationException) as error:
                # Hydra wraps what goes wrong while it builds an object.
                cause = error if isinstance(error, UserError) else error.__cause__
                if not isinstance(cause, UserError):
                    raise
                logger.error("error: %s", cause)
                raise SystemExit(1) from None
            except KeyboardInterrupt:
                logger.error("Interrupted. The same command, run again, goes on where this one ended.")
                raise SystemExit(130) from None

        application = hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(
            report_errors
        )

        def main() -> Any:
            sys.argv[1:] = with_default_data(sys.argv[1:])
            mistake = find_mistake(config_name, sys.argv[1:])
            if mistake:
                print(f"error: {mistake}", file=sys.stderr)
                raise SystemExit(2)
            return application()

        return main

    return decorate


def with_default_data(arguments: list[str]) -> list[str]:
    """Put `data=$SR_DEEPFAKE_DATA` before the overrides when the variable is set and no `data=` is given.

    Example:
        >>> os.environ["SR_DEEPFAKE_DATA"] = "ffpp"
        >>> with_default_data(["model=swin"]), with_default_data(["data=sample"])
        (['model=swin', 'data=ffpp'], ['data=sample'])
        >>> del os.environ["SR_DEEPFAKE_DATA"]
    """
    data = os.environ.get("SR_DEEPFAKE_DATA")
    if not data or any(argument.startswith("data=") for argument in arguments):
        return arguments
    return [*arguments, f"data={data}"]


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
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            return _find_mistake(config_name, overrides)
    except HydraException:
        return None  # Hydra meets the same error again and tells it better


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
            siblings = [".".join([*walked, str(name)]) for name in node]
            candidates = siblings + (groups if not walked else [])
            suggestion = nearest(key, candidates) or nearest(key, _leaves(cfg))
            here = f" {'.'.join(walked)} has: {', '.join(str(name) for name in node)}." if walked else ""
            return f"there is no option {key!r}.{suggestion}{here}"
        walked.append(part)
        node = node._get_node(part)
    return None


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
