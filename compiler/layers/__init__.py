"""The rules of each kind of layer, in one table."""

from ..ir import (
    Add,
    Binarize,
    Conv2d,
    Dense,
    Fork,
    Layer,
    Lookup,
    MaxPool,
    Network,
    Scores,
    SumPool,
    Threshold,
)
from .elementwise import AddRule, ForkRule, ThresholdRule
from .pixels import BinarizeRule, LookupRule
from .pools import MaxPoolRule, SumPoolRule
from .rule import Rule
from .weighted import Conv2dRule, DenseRule, ScoresRule

__all__ = ["RULES", "Rule", "rules"]

#: The rule of each kind of layer.
RULES: dict[type[Layer], type[Rule]] = {
    Binarize: BinarizeRule,
    Lookup: LookupRule,
    Conv2d: Conv2dRule,
    MaxPool: MaxPoolRule,
    SumPool: SumPoolRule,
    Threshold: ThresholdRule,
    Fork: ForkRule,
    Add: AddRule,
    Dense: DenseRule,
    Scores: ScoresRule,
}


def rules(network: Network) -> tuple[Rule, ...]:
    """The rule of each layer of a network, in order."""
    return tuple(
        RULES[type(layer)](layer=layer, input_shape=before, output_shape=after)
        for layer, before, after in zip(network.layers, network.shapes[:-1], network.shapes[1:], strict=True)
    )
