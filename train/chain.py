"""A module's layers in the order they compute, or a clear refusal."""

import math

import torch
from torch import fx, nn

from ..errors import ModelError
from .layers import (
    WHITE,
    AvgPool2d,
    BatchNorm,
    Binarize,
    BinaryActivation,
    BinaryConv2d,
    BinaryLinear,
    Pixels,
    Residual,
    Scores,
)

#: Name and module of each layer, in the order they compute.
Layers = list[tuple[str, nn.Module]]

__all__ = [
    "Layers",
    "body",
    "chain",
    "check",
    "check_values",
    "leaves",
    "output_shape",
    "pool_padding",
    "pool_window",
]

_LAYERS = (
    Binarize,
    Pixels,
    BinaryConv2d,
    BinaryLinear,
    BatchNorm,
    BinaryActivation,
    nn.MaxPool2d,
    AvgPool2d,
    nn.AvgPool2d,
    Residual,
    Scores,
)

#: Modules that do nothing to a vector in evaluation.
_TRANSPARENT = (nn.Dropout, nn.Identity)

_SUPPORTED = (
    "supported are Binarize, Pixels, BinaryLinear, BinaryConv2d, BatchNorm, BinaryActivation, AvgPool2d,"
    " Residual and Scores of sbgen.train.layers, and MaxPool2d, Flatten, Dropout and Identity"
)

#: Greatest sum of pixels, in 256ths, that float32 holds exactly.
_EXACT = 2**24


class _Tracer(fx.Tracer):
    def is_leaf_module(self, module, qualified_name):
        return isinstance(module, _LAYERS) or super().is_leaf_module(module, qualified_name)


def chain(model):
    """Name and module of each layer of `model` in the order they compute, checked.

    `model` is an `nn.Sequential` or any module whose `forward` passes its one input from layer to layer; it
    is traced by `torch.fx`. Modules that do nothing in evaluation are left out.

    Raises
    ------
    ModelError
        `forward` cannot be traced or is no chain, a layer is not supported, or two layers do not fit
        together.
    """
    layers = _trace(model)
    check(layers)
    return layers


def body(name, residual):
    """The layers of a `Residual`'s body, as from `chain`, but not checked."""
    return [(f"{name}.body.{inner}", layer) for inner, layer in _trace(residual.body)]


def leaves(layers):
    """Every (name, layer) of a chain, those in the bodies of its residuals too, in the order in which they
    compute.
    """
    for name, layer in layers:
        if isinstance(layer, Residual):
            yield from leaves(body(name, layer))
        else:
            yield name, layer


def _wrapped(module):
    """The name of what a module wraps, as DataParallel and torch.compile do, or None."""
    if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        return "module"
    return "_orig_mod" if isinstance(getattr(module, "_orig_mod", None), nn.Module) else None


def _trace(model):
    """The layers of a module whose forward is a chain."""
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
    except Exception as error:  # whatever the user's forward raises when it is given a proxy
        raise ModelError(
            "the model's forward must be a plain chain of layers, but tracing it failed: "
            f"{' '.join(str(error).split())}; move control flow out of forward"
        ) from error
    modules = dict(model.named_modules())
    layers, before, used = [], None, set()
    for node in graph.nodes:
        if node.op == "placeholder":
            if before is not None:
                raise ModelError(
                    f"the model must take one input, the images, but its forward takes {node.target!r} "
                    "besides"
                )
            before = node
            continue
        name = str(node.target) if node.op == "call_module" else node.name
        if node.all_input_nodes != [before]:
            found = ", ".join(str(other) for other in node.all_input_nodes) or "nothing"
            raise ModelError(
                f"layer {name!r}: must take the output of {before} alone, but takes {found}; "
                "branches are not supported, and sums only as a Residual of sbgen.train.layers"
            )
        before = node
        if node.op == "output":
            break
        if node.op != "call_module":
            if not _flattens(node):
                raise ModelError(
                    f"layer {name!r}: the operation {_operation(node)} is not supported; {_SUPPORTED}"
                )
            continue
        module = modules[name]
        if isinstance(module, _TRANSPARENT):
            continue
        if isinstance(module, nn.Flatten):
            if (module.start_dim, module.end_dim) != (1, -1):
                raise ModelError(
                    f"layer {name!r}: Flatten must keep the batch and flatten the rest (1, -1), "
                    f"not ({module.start_dim}, {module.end_dim})"
                )
            continue
        if type(module) not in _LAYERS:
            raise ModelError(f"layer {name!r}: {type(module).__name__} is not supported; {_SUPPORTED}")
        if name in used:
            raise ModelError(f"layer {name!r}: must be used once, but is used again; make a second layer")
        used.add(name)
        layers.append((name, module))
    return layers


def check(layers):
    """Checks that a list of (name, layer) is Binarize or Pixels, any number of neurons, Scores, and that the
    shapes fit.

    Behind Pixels there is at least one layer of neurons. Neurons are BinaryLinear or, on images,
    BinaryConv2d; then BatchNorm or none, then BinaryActivation, then on images MaxPool2d or none, and
    AvgPool2d or none, which BatchNorm and BinaryActivation may follow.
    """
    before = _check_order(layers)
    if before is not Scores:
        raise ModelError(f"the last layer must be Scores, not {before.__name__ if before else 'nothing'}")


def _check_order(layers, *, before=None, shape=None, on_pixels=False):
    """Checks that each layer can follow the one before it, in order and shape; gives the kind of the last."""
    neurons, sums = (BinaryConv2d, BinaryLinear, Scores), (BatchNorm, BinaryActivation, Residual)
    averages = AvgPool2d, nn.AvgPool2d
    bits = (*neurons, nn.MaxPool2d, *averages, Residual)
    expected = {
        None: (Binarize, Pixels),
        Binarize: (*neurons, Residual),
        Pixels: (BinaryConv2d, BinaryLinear),
        BinaryLinear: sums,
        BinaryConv2d: sums,
        Residual: sums,
        BatchNorm: (BinaryActivation,),
        BinaryActivation: bits,
        nn.MaxPool2d: bits,
        Scores: (),
        **dict.fromkeys(averages, (*neurons, BatchNorm, BinaryActivation)),
    }
    area = 1  # signs that each input is the average of
    for name, layer in layers:
        kind = type(layer)
        if kind not in expected[before]:
            wanted = " or ".join(kind.__name__ for kind in expected[before]) or "the end"
            raise ModelError(
                f"layer {name!r}: {f'after {before.__name__}' if before else 'first'} must come {wanted}, "
                f"not {kind.__name__}"
            )
        if kind in neurons:
            on_pixels = before is Pixels
            _check_range(name, layer, on_pixels=on_pixels, area=area)
        area = math.prod(pool_window(layer)[0]) if kind in averages else 1
        if kind is BinaryActivation:
            on_pixels = False
        if kind is Residual:
            if on_pixels:
                raise ModelError(
                    f"layer {name!r}: must take bits or sums of bits, but before it come sums of pixels; "
                    "put BatchNorm and BinaryActivation there"
                )
            inner = body(name, layer)
            last = _check_order(inner, before=before, shape=shape) if inner else None
            if last not in (BinaryConv2d, BinaryLinear, Residual):
                raise ModelError(
                    f"layer {name!r}: its body must end in BinaryConv2d or BinaryLinear, not "
                    f"{last.__name__ if last else 'nothing'}"
                )
        shape = output_shape(name, layer, shape)
        before = kind
    return before


def _check_range(name, layer, *, on_pixels, area):
    """Checks that a layer of weights pads with a value its inputs can have, knows of the averages, and has
    exact sums.
    """
    greatest = WHITE if on_pixels else 1
    padded = isinstance(layer, BinaryConv2d) and any(map(any, layer.padding))
    if padded and area > 1 and (layer.padding_value != -1 or area & (area - 1)):
        raise ModelError(
            f"layer {name!r}: behind averages of {area} signs there can be padding of -1 where their number"
            " is a power of two, and no other; pad before the pool"
        )
    if isinstance(layer, Scores) and layer.average != area:
        raise ModelError(
            f"layer {name!r}: average must be {area}, the signs that each of its inputs is the average of,"
            f" not {layer.average}"
        )
    if 2 * area * layer.weight[0].numel() >= _EXACT:
        raise ModelError(
            f"layer {name!r}: sums must be of less than {_EXACT // 2:,} signs to be exact, not "
            f"{area * layer.weight[0].numel():,}; take a smaller pool"
        )
    if padded and abs(layer.padding_value) != greatest:
        raise ModelError(
            f"layer {name!r}: padding_value must be"
            f" {'-WHITE or WHITE behind Pixels' if on_pixels else '-1 or +1'}, not {layer.padding_value}"
        )
    inputs = layer.weight[0].numel()
    if on_pixels and 255 * inputs >= _EXACT:
        raise ModelError(
            f"layer {name!r}: sums of pixels must be of at most {(_EXACT - 1) // 255} to be exact, not"
            f" {inputs}; begin with Binarize or a convolution"
        )


def output_shape(name, layer, shape):
    """Shape of one output of `layer`, (features,) or (channels, height, width), for an input of `shape`.

    Raises
    ------
    ModelError
        The layer does not take that shape, or is a pooling or batch norm that has no integer form here.
    """
    if isinstance(layer, (BinaryConv2d, nn.MaxPool2d, nn.AvgPool2d)) and len(shape) != 3:
        raise ModelError(
            f"layer {name!r}: must be given an image, not {shape[0]} values; give Binarize its image, and "
            "put convolutions and pools before the first BinaryLinear"
        )
    takes = {
        BinaryLinear: "inputs",
        Scores: "inputs",
        BatchNorm: "num_features",
        BinaryConv2d: "channels",
    }.get(type(layer))
    features = None if shape is None else math.prod(shape) if takes == "inputs" else shape[0]
    if takes and getattr(layer, takes) != features:
        raise ModelError(
            f"layer {name!r}: takes {getattr(layer, takes)}"
            f" {'channels' if takes == 'channels' else 'inputs'}, but the layer before it gives {features}"
        )
    match layer:
        case Residual():
            after = shape
            for inner, part in body(name, layer):
                after = output_shape(inner, part, after)
            if tuple(after) != tuple(shape):
                raise ModelError(
                    f"layer {name!r}: its body must give the shape that it takes, {tuple(shape)}, not"
                    f" {tuple(after)}; choose channels, padding and stride so"
                )
            return shape
        case Binarize():
            if layer.image is None:
                return (layer.outputs,)
            return layer.outputs // (layer.image[0] * layer.image[1]), *layer.image[:2]
        case Pixels():
            *image, channels = layer.image
            return channels, *image
        case BinaryConv2d():
            return layer.outputs, *_moved(name, shape, layer.kernel, layer.stride, layer.padding)
        case nn.MaxPool2d():
            kernel, stride = pool_window(layer)
            if layer.dilation not in (1, (1, 1)) or layer.ceil_mode:
                raise ModelError(
                    f"layer {name!r}: MaxPool2d must have no dilation and no ceil_mode, not {layer.dilation},"
                    f" {layer.ceil_mode}"
                )
            padding = pool_padding(layer)
            if any(2 * before > size for (before, _), size in zip(padding, kernel, strict=True)):
                raise ModelError(
                    f"layer {name!r}: MaxPool2d must pad by at most half of its kernel {kernel}, not by"
                    f" {layer.padding}"
                )
            return shape[0], *_moved(name, shape, kernel, stride, padding)
        case nn.AvgPool2d():
            kernel, stride = pool_window(layer)
            area = math.prod(kernel)
            if layer.padding not in (0, (0, 0)) or layer.ceil_mode:
                raise ModelError(
                    f"layer {name!r}: AvgPool2d must have no padding and no ceil_mode, not {layer.padding}, "
                    f"{layer.ceil_mode}"
                )
            if (layer.divisor_override or area) != 1 << (area - 1).bit_length():
                raise ModelError(
                    f"layer {name!r}: averages must divide by the power of two that is not below the {area}"
                    f" signs of their kernel, to be exact, not by {layer.divisor_override or area}; take"
                    " AvgPool2d of sbgen.train.layers"
                )
            return shape[0], *_moved(name, shape, kernel, stride, ((0, 0), (0, 0)))
        case BatchNorm():
            if not (layer.affine and layer.track_running_stats):
                raise ModelError(
                    f"layer {name!r}: BatchNorm must have a scale, an offset and running statistics"
                )
            return shape
        case BinaryActivation():
            return shape
        case _:
            return (layer.outputs,)


def pool_window(layer):
    """Kernel and stride of an `nn.MaxPool2d` or `nn.AvgPool2d`, each a pair."""
    return tuple(
        (value, value) if isinstance(value, int) else tuple(value)
        for value in (layer.kernel_size, layer.stride)
    )


def pool_padding(layer):
    """Rows and columns around the image of an `nn.MaxPool2d`: pairs (before, after)."""
    pads = (layer.padding,) * 2 if isinstance(layer.padding, int) else layer.padding
    return tuple((pad, pad) for pad in pads)


def _moved(name, shape, kernel, stride, padding):
    """Rows and columns of the positions of a kernel."""
    sizes = [size + sum(around) for size, around in zip(shape[1:], padding, strict=True)]
    if any(size < window for size, window in zip(sizes, kernel, strict=True)):
        raise ModelError(
            f"layer {name!r}: its kernel {kernel} must fit the padded image of {sizes[0]} x {sizes[1]}"
        )
    return [(size - window) // step + 1 for size, window, step in zip(sizes, kernel, stride, strict=True)]


def check_values(layers):
    """Checks that no parameter or statistic of a list of (name, layer) is NaN, infinite or a negative
    variance.
    """
    for name, layer in leaves(layers):
        for key, value in layer.state_dict().items():
            if not torch.isfinite(value).all():
                worst = value[~torch.isfinite(value)].flatten()[0].item()
                raise ModelError(
                    f"layer {name!r}: {key} must be finite, but holds {worst}; train anew, with a "
                    "smaller learning rate if it diverged"
                )
        if isinstance(layer, BatchNorm) and (layer.running_var < 0).any():
            raise ModelError(
                f"layer {name!r}: running_var must not be negative, but holds "
                f"{layer.running_var.min().item():g}; train anew"
            )


def _operation(node):
    return (
        node.target if isinstance(node.target, str) else getattr(node.target, "__name__", repr(node.target))
    )


def _flattens(node):
    """Whether `node` is ``x.flatten(1)`` or ``torch.flatten(x, 1)``."""
    named = node.op == "call_method" and node.target == "flatten"
    if not named and not (node.op == "call_function" and node.target is torch.flatten):
        return False
    return (*node.args[1:], *node.kwargs.values()) in ((1,), (1, -1))
