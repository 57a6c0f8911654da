"""What in a network looks at the batch as a whole, for a batch that several processes share.

Batch normalisation takes mean and variance over all ranks' faces; dropout and stochastic depth are drawn as one
process draws them. So a training by several processes is the one by a single process, up to the order of sums.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from timm.layers import convert_sync_batchnorm
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from sr_deepfake.errors import UserError


def synchronise_batch_norm(backbone: nn.Module, device: torch.device) -> nn.Module:
    """Make batch normalisation take its statistics over all ranks.

    Args:
        backbone: is changed; its tensors keep their names.
        device: on which it will be trained.

    Returns:
        The backbone.

    Raises:
        UserError: it has batch normalisation, and torch synchronises that on this device not.
    """
    if not any(isinstance(module, _BatchNorm) for module in backbone.modules()):
        return backbone
    if device.type != "cuda":
        raise UserError(
            f"several processes cannot train this model on {device.type}: it has batch normalisation, which torch "
            "synchronises on CUDA devices alone. Use trainer=cpu, or a model with layer normalisation, as model=swin"
        )
    # timm's, since torch's own drops the activation that timm's layers carry.
    synchronised: nn.Module = convert_sync_batchnorm(backbone)
    return synchronised


class WholeBatch(TorchFunctionMode):
    """Within it, random numbers are drawn for the whole batch, and each rank takes those of its own faces.

    All ranks must have the same state of torch's random numbers. Understood are `dropout` and `bernoulli_` (timm's
    stochastic depth), on tensors whose first axis is the faces, or the faces' parts, face after face.

    Args:
        rank: of this process; the i-th face of the batch is rank i mod `ranks`'.
        ranks: number of processes.
        faces: of this rank.

    Example:
        >>> ones = torch.ones(4, 8)
        >>> _ = torch.manual_seed(0); whole = F.dropout(ones, 0.5)
        >>> _ = torch.manual_seed(0)
        >>> with WholeBatch(rank=1, ranks=2, faces=2):
        ...     own = F.dropout(ones[1::2], 0.5)
        >>> torch.equal(own, whole[1::2])
        True
    """

    def __init__(self, rank: int, ranks: int, faces: int) -> None:
        super().__init__()
        self.rank = rank
        self.ranks = ranks
        self.faces = faces

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Draw what `func` draws for the whole batch; any other function is called as it is."""
        options = dict(kwargs or {})
        if func is Tensor.bernoulli_:
            return args[0].copy_(self._own(args[0], *args[1:], **options))
        if func is F.dropout:
            return self._dropout(*args, **options)
        return func(*args, **options)

    def _dropout(self, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if not training or not 0 < p < 1:
            return F.dropout(input, p, training, inplace)
        kept = self._own(input, 1 - p).div_(1 - p)
        return input.mul_(kept) if inplace else input * kept

    def _own(self, like: Tensor, *options: Any, **named: Any) -> Tensor:
        """The numbers of this rank's faces, of those for all: in the shape of a tensor."""
        parts, rest = len(like) // self.faces, like.shape[1:]
        whole = like.new_empty((len(like) * self.ranks, *rest)).bernoulli_(*options, **named)
        return whole.reshape(self.faces * self.ranks, parts, *rest)[self.rank :: self.ranks].reshape(
            like.shape
        )
