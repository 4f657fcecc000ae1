"""The rules of each kind of layer, in one table."""

from itertools import pairwise

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
    Signal,
    SumPool,
    Switch,
    Threshold,
)
from .convolution import Conv2dRule
from .elementwise import AddRule, ForkRule, SwitchRule, ThresholdRule
from .pixels import BinarizeRule, LookupRule
from .pools import MaxPoolRule, SumPoolRule
from .rule import Rule
from .weighted import DenseRule, ScoresRule

__all__ = ["BY_NAME", "RULES", "Rule", "rule", "rules", "scores_rule"]

#: The rule of each kind of layer.
RULES: dict[type[Layer], type[Rule]] = {
    Binarize: BinarizeRule,
    Lookup: LookupRule,
    Conv2d: Conv2dRule,
    MaxPool: MaxPoolRule,
    SumPool: SumPoolRule,
    Threshold: ThresholdRule,
    Fork: ForkRule,
    Switch: SwitchRule,
    Add: AddRule,
    Dense: DenseRule,
    Scores: ScoresRule,
}


#: The rule of each kind, by the name of the kind in files and reports.
BY_NAME = {kind.__name__.lower(): rule for kind, rule in RULES.items()}


def rule(layer: Layer, before: Signal) -> Rule:
    """The rule of a layer with an input."""
    return RULES[type(layer)](layer=layer, before=before, after=layer.after(before))


def rules(network: Network, batch: int = 1) -> tuple[Rule, ...]:
    """The rule of each layer of a network, in order, where dense layers compute `batch` images together."""
    dense = [False, *(isinstance(layer, Dense | Scores) for layer in network.layers), False]
    return tuple(
        RULES[type(layer)](
            layer=layer,
            before=before,
            after=after,
            batch=batch,
            after_dense=dense[n],
            before_dense=dense[n + 2],
        )
        for n, (layer, (before, after)) in enumerate(
            zip(network.layers, pairwise(network.signals), strict=True)
        )
    )


def scores_rule(network: Network) -> ScoresRule:
    """The rule of the last layer of a network."""
    before, after = network.signals[-2:]
    return ScoresRule(layer=network.scores, before=before, after=after)
