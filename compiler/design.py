"""A network and how each of its layers is folded."""

from dataclasses import dataclass, replace

from ..errors import FitError, ModelError
from .device import FABRICS
from .folding import Folding, Rom, WeightedFolding
from .ir import Layer, Network
from .layers import Rule, rules

__all__ = ["Design", "check_label_only", "to_patchable"]


@dataclass(frozen=True, kw_only=True)
class Design:
    """A network and, for each of its layers, a legal `Folding`.

    Parameters
    ----------
    network : Network
    foldings : tuple of Folding
        Each of the class that the rule of its layer names (`sbgen.compiler.layers`).
    top_k : int
        How many of an image's best classes the core reports, 1 ... classes; 1 if the network decides by sign.
    patchable : bool
        Whether weights and thresholds can be replaced in the bitstream.
    label_only : bool
        Whether the core reports one result per image, its class with the maximum score, instead of the score
        of every output. It is then chosen among all scores at once, and an image takes no cycle per class.
        Not with `top_k` of more than 1, nor if the network decides by sign or its classes have scales.
    batch : int
        Images to which the dense layers apply each weight word together, at least 1.
    """

    network: Network
    foldings: tuple[Folding, ...]
    top_k: int = 1
    patchable: bool = False
    label_only: bool = False
    batch: int = 1

    def __post_init__(self) -> None:
        layers, classes = len(self.network.layers), self.network.classes
        if len(self.foldings) != layers:
            raise ModelError(f"{layers} layers need as many foldings, not {len(self.foldings)}")
        if self.network.decision == "sign" and self.top_k != 1:
            raise ModelError(
                "top must be 1, as the network decides by the sign of each score and ranks none, not"
                f" {self.top_k!r}"
            )
        if not (type(self.top_k) is int and 1 <= self.top_k <= classes):
            raise ModelError(
                f"top must be in 1 ... {classes}, the classes of the network, not {self.top_k!r}"
            )
        if self.label_only:
            check_label_only(self.network, self.top_k)
        if not (type(self.batch) is int and self.batch >= 1):
            raise ModelError(f"batch must be an integer of at least 1, not {self.batch!r}")
        for rule, folding in zip(self.rules, self.foldings, strict=True):
            rule.check(folding)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rule of each layer."""
        return rules(self.network, self.batch)

    @property
    def results(self) -> int:
        """Results per image."""
        return 1 if self.label_only else self.network.outputs

    @property
    def stages(self) -> tuple[tuple[Layer, Folding], ...]:
        """Pairs of layer and folding, in order."""
        return tuple(zip(self.network.layers, self.foldings, strict=True))

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Pairs of pe and simd of each layer, in order."""
        pairs = zip(rules(self.network), self.foldings, strict=True)
        return tuple(rule.shape(folding) for rule, folding in pairs)


def check_label_only(network: Network, top_k: int = 1) -> None:
    """Refuse a network whose core cannot report only the label.

    Raises
    ------
    ModelError
        It decides by sign, several best classes are requested, or its classes have scales.
    """
    if network.decision == "sign" or top_k != 1:
        raise ModelError(
            "a core that reports only the label must decide by argmax, with top 1, not by"
            f" {network.decision} with top {top_k}"
        )
    if network.scores.scales is not None:
        raise ModelError(
            "a core that reports only the label must have classes that share one scale, as each of their"
            " own takes its cycles; train without per_class, or leave label_only out"
        )


def to_patchable(design: Design, family: str) -> Design:
    """The design with every ROM where it can be replaced in a bitstream of a device family."""
    elsewhere = [
        layer.name
        for layer, folding in design.stages
        if layer.weight_bits
        and not (isinstance(folding, WeightedFolding) and isinstance(folding.weights, Rom))
    ]
    if elsewhere:
        raise FitError(
            "a patchable design must have its weights in ROMs of the bitstream, but those of"
            f" {', '.join(elsewhere)} are wired in or loaded from the flash; give other --pe and --simd, or"
            " leave --patchable out"
        )
    foldings = design.foldings
    if FABRICS[family].patchable_store == "bram":
        foldings = tuple(
            replace(each, weights=Rom("bram"), preset_store="bram")
            if isinstance(each, WeightedFolding)
            else each
            for each in foldings
        )
    return replace(design, foldings=foldings, patchable=True)
