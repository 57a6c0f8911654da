"""Which part of the videos one of several jobs prepares."""

import re

from sr_deepfake.errors import UserError


def parse_shard(shard: object, shards: object = 1) -> tuple[int, int]:
    """Read which part of the videos is meant: of n parts, the i-th is every n-th video from the i-th on, i from 0.

    Args:
        shard: `i/n`; or i, of n `shards`; or None: all videos.
        shards: number of parts.

    Raises:
        UserError: when it is no such thing.

    >>> parse_shard("1/8"), parse_shard(1, 8), parse_shard(None)
    ((1, 8), (1, 8), (0, 1))
    """
    if not isinstance(shards, int) or isinstance(shards, bool) or shards < 1:
        raise UserError(f"prepare.shards={shards} is no number of parts: write prepare.shards=8, say.")
    if shard is None:
        if shards > 1:
            raise UserError(
                f"prepare.shards={shards} starts {shards} jobs, which needs -m: python -m sr_deepfake.prepare -m …"
            )
        return 0, 1
    match = re.fullmatch(r"(\d+)/(\d+)", f"{shard}/{shards}" if isinstance(shard, int) else str(shard))
    if match is None or not int(match[1]) < int(match[2]):
        raise UserError(
            f"prepare.shard={shard} is no part of a whole: write 0/4, 1/4, 2/4 or 3/4 for a quarter each."
        )
    return int(match[1]), int(match[2])
