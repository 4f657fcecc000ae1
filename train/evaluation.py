"""What a network decides, and how well: while it trains, and afterwards."""

from dataclasses import dataclass

import torch
from torch import nn

from . import inputs, statistics
from .distributed import Processes
from .layers import BatchNorm, BinaryActivation, BinaryWeights, Scores, hardened

__all__ = ["Epoch", "Labelled", "accuracy", "classify", "is_smooth", "measured", "sharpness"]

#: Images and their labels.
Labelled = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """Result of one epoch.

    Parameters
    ----------
    epoch : int
        0 is the first.
    nu : float
        Maximum sharpness of the layers with weights.
    loss : float
        Mean over the training images.
    soft : float, 0 ... 1, or None
        Validation accuracy of the smooth network, without noise; None if the forward pass is sign.
    hard : float, 0 ... 1
        Validation accuracy of the same network hardened; NaN if it was not measured.
    """

    epoch: int
    nu: float
    loss: float
    soft: float | None
    hard: float


def classify(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The decision of `model` for each image, in evaluation mode.

    Returns
    -------
    int64 tensor
        Classes, shape (N,): the first maximum score or, for one output, whether its score is not negative. If
        the signs of several outputs decide, bits of shape (N, outputs).
    """
    training = model.training
    # The outputs of a convolution grow with the pixels: keep them to some hundreds of MB.
    batch = min(2000, 2**21 // images[0].numel()) if len(images) else 1
    model.eval()
    with torch.no_grad():
        classes = torch.cat([_decide(model, model(part)) for part in images.split(batch)])
    model.train(training)
    return classes


def _decide(model: nn.Module, scores: torch.Tensor) -> torch.Tensor:
    if next((layer.decision for layer in model.modules() if isinstance(layer, Scores)), "argmax") == "argmax":
        return scores.argmax(1)
    bits = (scores >= 0).long()
    return bits if bits.shape[1] > 1 else bits[:, 0]


def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of the images, 0 ... 1, that `model` classifies as labelled. If an image has several labels, all
    must be right. Images and labels are as for `inputs.checked`.
    """
    images, labels = inputs.checked(model, images, labels, name="measured")
    return (classify(model, images) == labels).reshape(len(labels), -1).all(1).double().mean().item()


def is_smooth(model: nn.Module) -> bool:
    """Whether the forward pass of `model` is smooth: no weight and no activation is a sign."""
    layers = [layer for layer in model.modules() if isinstance(layer, (BinaryWeights, BinaryActivation))]
    return not any(layer.hardened or layer.binarizer.hard for layer in layers)


def sharpness(model: nn.Module) -> float:
    """Maximum sharpness of the layers with weights."""
    layers = [layer for layer in model.modules() if isinstance(layer, BinaryWeights)]
    return max((layer.binarizer.nu for layer in layers), default=1.0)


def measured(
    model: nn.Module,
    images: torch.Tensor,
    validation: Labelled,
    *,
    drifts: bool,
    processes: Processes,
    epoch: int,
    loss: float,
) -> Epoch:
    """Measure a network as `harden` would leave it.

    Parameters
    ----------
    model : nn.Module
    images : uint8 tensor
        For its batch-norm statistics.
    validation : (images, labels)
        As from `inputs.checked`.
    drifts : bool
        Whether the running batch-norm statistics are of another network, and soft ones are estimated too.
    processes : `Processes`
        Each measures its share of the validation images.
    epoch, loss
        Of the result.
    """

    def share() -> float:
        found, labels = (processes.share(part) for part in validation)
        right = (classify(model, found) == labels).reshape(len(labels), -1).all(1).sum()
        return processes.total(right.double()).item() / len(validation[1])

    with statistics.restored(model):
        if drifts:
            statistics.estimate(model, images)
        soft = share() if is_smooth(model) else None
        with hardened(model):
            hard = share()
        if any(isinstance(layer, BatchNorm) for layer in model.modules()):
            with statistics.hard_forward(model):
                statistics.estimate(model, images)
            with hardened(model):
                hard = max(hard, share())
    return Epoch(epoch=epoch, nu=sharpness(model), loss=loss, soft=soft, hard=hard)
