"""The layers of a module in the order they compute, by tracing its `forward`."""

from collections.abc import Iterator

import torch
from torch import fx, nn

from ..errors import ModelError
from .layers import (
    AvgPool1d,
    AvgPool2d,
    BatchNorm,
    Binarize,
    BinaryActivation,
    BinaryConv1d,
    BinaryConv2d,
    BinaryLinear,
    Pixels,
    Residual,
    Scores,
)

__all__ = ["Layers", "leaves", "sides", "trace"]

#: Name and module of each layer, in the order they compute.
Layers = list[tuple[str, nn.Module]]

_LAYERS = (
    Binarize,
    Pixels,
    BinaryConv1d,
    BinaryConv2d,
    BinaryLinear,
    BatchNorm,
    BinaryActivation,
    nn.MaxPool1d,
    nn.MaxPool2d,
    AvgPool1d,
    nn.AvgPool1d,
    AvgPool2d,
    nn.AvgPool2d,
    Residual,
    Scores,
)

#: Modules that do nothing to a vector in evaluation.
_TRANSPARENT = (nn.Dropout, nn.Identity)

_SUPPORTED = (
    "supported are Binarize, Pixels, BinaryLinear, BinaryConv1d, BinaryConv2d, BatchNorm, BinaryActivation,"
    " AvgPool1d, AvgPool2d, Residual and Scores of sbgen.train.layers, and MaxPool1d, MaxPool2d, Flatten,"
    " Dropout and Identity"
)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, module: nn.Module, qualified_name: str) -> bool:
        return isinstance(module, _LAYERS) or super().is_leaf_module(module, qualified_name)


def trace(model: nn.Module) -> Layers:
    """Name and module of each layer of `model`, without checking whether they fit together.

    Modules that do nothing in evaluation are omitted.

    Raises
    ------
    ModelError
        `forward` cannot be traced or is not a chain, or a layer is not supported.
    """
    while (inner := _wrapped(model)) is not None:  # the same layers, run elsewhere or by other code
        model = getattr(model, inner)
    if isinstance(model, _LAYERS):
        return [("0", model)]
    for name, module in model.named_modules():
        if (inner := _wrapped(module)) is not None:
            raise ModelError(
                f"layer {name!r}: must be a plain module, but is wrapped by {type(module).__name__}; put its"
                f" {inner} in its place (model.{name} = model.{name}.{inner})"
            )
    try:
        graph = _Tracer().trace(model)
    except Exception as error:  # whatever the user's forward raises for a proxy
        raise ModelError(
            "the model's forward must be a plain chain of layers, but tracing it failed: "
            f"{' '.join(str(error).split())}; move control flow out of forward"
        ) from error
    modules = dict(model.named_modules())
    layers: Layers = []
    before: fx.Node | None = None
    for node in graph.nodes:
        if node.op == "placeholder":
            if before is not None:
                raise ModelError(
                    f"the model must take one input, the images, but its forward also takes {node.target!r}"
                )
            before = node
            continue
        _check_input(node, before)
        before = node
        if node.op == "output":
            break
        layer = _layer(node, modules)
        if layer is None:
            continue
        if any(name == layer[0] for name, _ in layers):
            raise ModelError(f"layer {layer[0]!r}: must be used once, but is used again; make a second layer")
        layers.append(layer)
    return layers


def _node_name(node: fx.Node) -> str:
    return str(node.target) if node.op == "call_module" else node.name


def _check_input(node: fx.Node, before: fx.Node | None) -> None:
    """Check that a node of the graph takes the output of the one before it and nothing else."""
    if node.all_input_nodes != [before]:
        found = ", ".join(str(other) for other in node.all_input_nodes) or "nothing"
        raise ModelError(
            f"layer {_node_name(node)!r}: must take the output of {before} alone, but takes {found}; "
            "branches are not supported, and sums only as a Residual of sbgen.train.layers"
        )


def _layer(node: fx.Node, modules: dict[str, nn.Module]) -> tuple[str, nn.Module] | None:
    """Name and module of a node of the graph, checked; None if it does nothing in evaluation."""
    name = _node_name(node)
    if node.op != "call_module":
        if not _flattens(node):
            raise ModelError(
                f"layer {name!r}: the operation {_operation(node)} is not supported; {_SUPPORTED}"
            )
        return None
    module = modules[name]
    if isinstance(module, _TRANSPARENT):
        return None
    if isinstance(module, nn.Flatten):
        if (module.start_dim, module.end_dim) != (1, -1):
            raise ModelError(
                f"layer {name!r}: Flatten must keep the batch and flatten the rest (1, -1), "
                f"not ({module.start_dim}, {module.end_dim})"
            )
        return None
    if type(module) not in _LAYERS:
        raise ModelError(f"layer {name!r}: {type(module).__name__} is not supported; {_SUPPORTED}")
    return name, module


def sides(name: str, residual: Residual) -> dict[str, Layers]:
    """The layers of each of the `Residual.sides`, as from `trace`."""
    return {
        side: [(f"{name}.{side}.{inner}", layer) for inner, layer in trace(module)]
        for side, module in residual.sides.items()
    }


def leaves(layers: Layers) -> Iterator[tuple[str, nn.Module]]:
    """Every (name, layer) of a chain in the order they compute; a residual is replaced by its sides."""
    for name, layer in layers:
        if isinstance(layer, Residual):
            for inner in sides(name, layer).values():
                yield from leaves(inner)
        else:
            yield name, layer


def _wrapped(module: nn.Module) -> str | None:
    """The attribute with the module that a wrapper (DataParallel, torch.compile) wraps, or None."""
    if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        return "module"
    return "_orig_mod" if isinstance(getattr(module, "_orig_mod", None), nn.Module) else None


def _operation(node: fx.Node) -> str:
    return (
        node.target if isinstance(node.target, str) else getattr(node.target, "__name__", repr(node.target))
    )


def _flattens(node: fx.Node) -> bool:
    """Whether `node` is ``x.flatten(1)`` or ``torch.flatten(x, 1)``."""
    named = node.op == "call_method" and node.target == "flatten"
    if not named and not (node.op == "call_function" and node.target is torch.flatten):
        return False
    return (*node.args[1:], *node.kwargs.values()) in ((1,), (1, -1))
