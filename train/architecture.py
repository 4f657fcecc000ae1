"""Layers as a model file describes them: one table of kinds, read in both directions."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..errors import ModelError
from .binarizers import Binarizer
from .chain import check, check_values
from .layers import (
    AvgPool1d,
    AvgPool2d,
    BatchNorm,
    Binarize,
    BinaryActivation,
    BinaryConv1d,
    BinaryConv2d,
    BinaryLinear,
    Convolution,
    Hardenable,
    Pixels,
    Residual,
    Scores,
)
from .shapes import Pool, pool_padding, pool_window
from .trace import Layers

__all__ = ["MAX_SCALE_BITS", "describe", "rebuild"]

#: Maximum `scale_bits` of a file.
MAX_SCALE_BITS = 16

#: What a file says of a layer, and the layer's tensors by name.
Fields = dict[str, Any]
State = Mapping[str, torch.Tensor]

#: Fields that must be integers of at least 1, and those that are sequences of such.
_SIZES = (
    "pixels",
    "levels",
    "inputs",
    "outputs",
    "classes",
    "features",
    "channels",
    "groups",
    "average",
    "fan_in",
)
_SIZE_LISTS = ("kernel", "stride", "image", "sequence")

#: Fields of a residual that are layers themselves.
_SIDES = ("shortcut", "body")


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """A kind of layer in a file.

    Parameters
    ----------
    types : tuple of type
        Layers that are described as this kind; no subclasses.
    describe : callable
        From a layer to its fields, apart from the kind.
    build : callable
        From the fields and the state to the layer. A `ValueError` says what is wrong with the fields.
    shapes : callable
        From the fields to the shape of each tensor of the state.
    """

    types: tuple[type[nn.Module], ...]
    describe: Callable[[Any], Fields]
    build: Callable[[Fields, State], nn.Module]
    shapes: Callable[[Fields], dict[str, tuple[int, ...]]] = lambda fields: {}


def _method(layer: Any) -> Fields:
    """The fields of a layer that has a binarizer."""
    fields = {
        "method": layer.method,
        "slope_cap": layer.slope_cap,
        "nu": float(layer.binarizer.nu),
        "hard": layer.binarizer.hard,
        "hardened": layer.hardened,
    }
    if getattr(layer, "ternary", None) is not None:
        fields["ternary"] = layer.ternary
    if getattr(layer, "fan_in", None) is not None:
        fields["fan_in"] = layer.fan_in
    return fields


def _how(fields: Fields) -> dict[str, Any]:
    """The keyword arguments that all layers of weights take."""
    return {"method": fields["method"], "slope_cap": fields["slope_cap"], "ternary": fields.get("ternary")}


def _describe_binarize(layer: Binarize) -> Fields:
    return {"pixels": layer.pixels, "levels": layer.thresholds.shape[1], **_describe_shape(layer)}


def _describe_shape(layer: Binarize | Pixels) -> Fields:
    """The image or sequence that a first layer outputs; nothing for a vector."""
    if layer.sequence is not None:
        return {"sequence": list(layer.sequence)}
    return {} if layer.image is None else {"image": list(layer.image)}


def _describe_pool(layer: Pool) -> Fields:
    kernel, stride = pool_window(layer)
    return {"kernel": list(kernel), "stride": list(stride)}


def _describe_maxpool(layer: nn.MaxPool1d | nn.MaxPool2d) -> Fields:
    padding = [before for before, _ in pool_padding(layer)]
    return {**_describe_pool(layer), **({"padding": padding} if any(padding) else {})}


def _build_maxpool(fields: Fields, state: State) -> nn.Module:
    padding = fields.get("padding", (0, 0))
    if len(padding) != 2 or any(type(size) is not int or size < 0 for size in padding):
        raise ValueError(f"padding must be two integers of at least 0, not {padding!r}")
    return nn.MaxPool2d(tuple(fields["kernel"]), tuple(fields["stride"]), tuple(padding))


def _build_maxpool1d(fields: Fields, state: State) -> nn.Module:
    padding = _only(fields.get("padding", (0,)))
    if type(padding) is not int or padding < 0:
        raise ValueError(f"padding must be an integer of at least 0, not {padding!r}")
    return nn.MaxPool1d(_only(fields["kernel"]), _only(fields["stride"]), padding)


def _only(values: Sequence[Any]) -> Any:
    """The value for the one dimension of a sequence."""
    if len(values) != 1:
        raise ValueError(f"there must be one size, for the length, not {values!r}")
    return values[0]


def _describe_convolution(layer: Convolution) -> Fields:
    return {
        "channels": layer.channels,
        "outputs": layer.outputs,
        "kernel": list(layer.kernel),
        "stride": list(layer.stride),
        "padding": [list(sides) for sides in layer.padding],
        "padding_value": layer.padding_value,
        "groups": layer.groups,
        **_method(layer),
    }


def _build_convolution(fields: Fields, state: State) -> nn.Module:
    make: Callable[..., nn.Module] = BinaryConv1d if fields["kind"] == "conv1d" else BinaryConv2d
    sizes: Callable[[Sequence[Any]], Any] = _only if fields["kind"] == "conv1d" else tuple
    return make(
        fields["channels"],
        fields["outputs"],
        sizes(fields["kernel"]),
        stride=sizes(fields["stride"]),
        padding=sizes(fields["padding"]),
        padding_value=fields["padding_value"],
        groups=fields["groups"],
        **_how(fields),
    )


def _convolution(layer: type[Convolution]) -> _Kind:
    return _Kind(
        types=(layer,),
        describe=_describe_convolution,
        build=_build_convolution,
        shapes=lambda fields: {
            "weight": (fields["outputs"], fields["channels"] // fields["groups"], *fields["kernel"])
        },
    )


def _describe_scores(layer: Scores) -> Fields:
    options: Fields = {"per_class": True, "scale_bits": layer.scale_bits} if layer.per_class else {}
    if layer.average > 1:
        options["average"] = layer.average
    if layer.grouped:
        options["grouped"] = True
    if layer.decision == "sign" and layer.outputs > 1:
        options["decision"] = layer.decision
    return {"inputs": layer.inputs, "classes": layer.outputs, **options, **_method(layer)}


def _build_scores(fields: Fields, state: State) -> nn.Module:
    bits = fields.get("scale_bits", 1)
    if not isinstance(bits, int) or not 1 <= bits <= MAX_SCALE_BITS:
        raise ValueError(f"scale_bits must be in 1 ... {MAX_SCALE_BITS}, not {bits!r}")
    layer = Scores(
        fields["inputs"],
        fields["classes"],
        per_class=fields.get("per_class", False),
        grouped=fields.get("grouped", False),
        average=fields.get("average", 1),
        decision=fields.get("decision"),
        **_how(fields),
    )
    if layer.per_class:
        layer.scale_bits = fields["scale_bits"]
    return layer


def _describe_residual(layer: Residual) -> Fields:
    sides = {name: describe(list(module.named_children())) for name, module in layer.sides.items()}
    return {"scale": layer.scale, **sides}


def _norm_shapes(fields: Fields) -> dict[str, tuple[int, ...]]:
    names = ("weight", "bias", "running_mean", "running_var")
    return {**dict.fromkeys(names, (fields["features"],)), "num_batches_tracked": ()}


#: Kinds by their name in a file. The layers of a residual are rebuilt by `_rebuild_chain`, with their own
#: state.
_KINDS = {
    "binarize": _Kind(
        types=(Binarize,),
        describe=_describe_binarize,
        build=lambda fields, state: Binarize(
            fields["pixels"],
            state["thresholds"].numpy(),
            image=fields.get("image"),
            sequence=fields.get("sequence"),
        ),
        shapes=lambda fields: {"thresholds": (fields["pixels"], fields["levels"])},
    ),
    "pixels": _Kind(
        types=(Pixels,),
        describe=_describe_shape,
        build=lambda fields, state: Pixels(fields.get("image"), sequence=fields.get("sequence")),
    ),
    "conv1d": _convolution(BinaryConv1d),
    "conv2d": _convolution(BinaryConv2d),
    "maxpool1d": _Kind(types=(nn.MaxPool1d,), describe=_describe_maxpool, build=_build_maxpool1d),
    "avgpool1d": _Kind(
        types=(AvgPool1d, nn.AvgPool1d),
        describe=_describe_pool,
        build=lambda fields, state: AvgPool1d(_only(fields["kernel"]), stride=_only(fields["stride"])),
    ),
    "maxpool": _Kind(types=(nn.MaxPool2d,), describe=_describe_maxpool, build=_build_maxpool),
    "avgpool": _Kind(
        types=(AvgPool2d, nn.AvgPool2d),
        describe=_describe_pool,
        build=lambda fields, state: AvgPool2d(tuple(fields["kernel"]), stride=tuple(fields["stride"])),
    ),
    "linear": _Kind(
        types=(BinaryLinear,),
        describe=lambda layer: {"inputs": layer.inputs, "outputs": layer.outputs, **_method(layer)},
        build=lambda fields, state: BinaryLinear(
            fields["inputs"], fields["outputs"], fan_in=fields.get("fan_in"), **_how(fields)
        ),
        shapes=lambda fields: dict.fromkeys(
            ("weight", "mask") if "fan_in" in fields else ("weight",), (fields["outputs"], fields["inputs"])
        ),
    ),
    "norm": _Kind(
        types=(BatchNorm,),
        describe=lambda layer: {"features": layer.num_features, "eps": layer.eps, "hardened": layer.hardened},
        build=lambda fields, state: BatchNorm(fields["features"], eps=fields["eps"]),
        shapes=_norm_shapes,
    ),
    "active": _Kind(
        types=(BinaryActivation,),
        describe=lambda layer: {**({"levels": layer.levels} if layer.levels > 2 else {}), **_method(layer)},
        build=lambda fields, state: BinaryActivation(
            levels=fields.get("levels", 2), method=fields["method"], slope_cap=fields["slope_cap"]
        ),
    ),
    "residual": _Kind(
        types=(Residual,),
        describe=_describe_residual,
        build=lambda fields, state: Residual(
            fields["body"], shortcut=fields.get("shortcut"), scale=fields["scale"]
        ),
    ),
    "scores": _Kind(
        types=(Scores,),
        describe=_describe_scores,
        build=_build_scores,
        shapes=lambda fields: {
            **({} if fields.get("grouped") else {"weight": (fields["classes"], fields["inputs"])}),
            "log_scale": (fields["classes"],) if fields.get("per_class") else (),
            "offset": (fields["classes"],),
        },
    ),
}

_NAMES = {layer: name for name, kind in _KINDS.items() for layer in kind.types}


def describe(layers: Layers) -> list[Fields]:
    """The architecture of a file: for each layer its name, its kind and what it is built from."""
    found = []
    for name, layer in layers:
        kind = _NAMES[type(layer)]
        found.append({"name": name, "kind": kind, **_KINDS[kind].describe(layer)})
    return found


def rebuild(architecture: Sequence[Fields], state: State) -> Layers:
    """The layers of a file's architecture with their state.

    Raises
    ------
    ModelError
        A kind, size, shape or value is not supported, the layers do not fit together, or there is state of no
        layer.
    """
    taken: set[str] = set()
    layers = _rebuild_chain(architecture, state, "", taken)
    if set(state) - taken:
        raise ModelError(f"the state must belong to the layers, but {min(set(state) - taken)!r} does not")
    check(layers)
    check_values(layers)
    return layers


def _rebuild_chain(architecture: Sequence[Fields], state: State, prefix: str, taken: set[str]) -> Layers:
    """The layers of an architecture, whose state has names with `prefix`; these are added to `taken`."""
    layers: Layers = []
    for fields in architecture:
        name, kind = fields["name"], fields["kind"]
        if kind not in _KINDS:
            raise ModelError(
                f"layer {name!r}: the kind {kind!r} is not supported; supported are {', '.join(_KINDS)}"
            )
        inside = f"{prefix}{name}."
        for side in (each for each in _SIDES if each in fields):
            inner = _rebuild_chain(fields[side], state, f"{inside}{side}.", taken)
            fields = {**fields, side: nn.Sequential(OrderedDict(inner))}
        own = {
            key.removeprefix(inside): value
            for key, value in state.items()
            if key.startswith(inside) and key not in taken
        }
        taken |= {f"{inside}{key}" for key in own}
        layers.append((name, _build(name, _KINDS[kind], fields, own)))
    return layers


def _build(name: str, kind: _Kind, fields: Fields, state: State) -> nn.Module:
    """A layer with its state. The shapes are compared before anything of the promised size is allocated."""
    _check_sizes(name, fields)
    _check_shapes(name, kind.shapes(fields), state)
    try:
        layer = kind.build(fields, state)
    except ValueError as error:
        raise ModelError(f"layer {name!r}: {error}") from error
    if isinstance(layer, Residual):
        return layer  # the layers of its sides have their state
    if isinstance(layer, Hardenable):
        layer.hardened = fields["hardened"]
    if isinstance(binarizer := getattr(layer, "binarizer", None), Binarizer):
        binarizer.nu, binarizer.hard = fields["nu"], fields["hard"]
    layer.load_state_dict(state)
    return layer


def _check_sizes(name: str, fields: Fields) -> None:
    sizes = {key: fields[key] for key in _SIZES if key in fields}
    for key in _SIZE_LISTS:
        sizes |= {f"{key}[{n}]": size for n, size in enumerate(fields.get(key, ()))}
    for key, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise ModelError(f"layer {name!r}: {key} must be an integer of at least 1, not {size!r}")


def _check_shapes(name: str, shapes: dict[str, tuple[int, ...]], state: State) -> None:
    for key, shape in shapes.items():
        tensor = state.get(key)
        found = tuple(tensor.shape) if isinstance(tensor, torch.Tensor) else None
        if found != shape:
            raise ModelError(
                f"layer {name!r}: {key} must have the shape {shape}, "
                f"{'but is missing' if found is None else f'not {found}'}"
            )
    if set(state) - set(shapes):
        raise ModelError(
            f"layer {name!r}: must hold {', '.join(shapes) or 'nothing'}, but also holds "
            f"{min(set(state) - set(shapes))!r}"
        )
