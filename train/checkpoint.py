"""The model file ``net.pt``: `torch.save` of a dict of tensors and primitives, loadable with
``weights_only=True``.

    format "sbgen-net", version 1
    architecture   list of {"name", "kind", ...} in order; the rest is what the layer is made from
    state          "<name>.<parameter>": tensor; the weights of a hardened network are int8 -1 and +1
    input          {"dtype": "uint8", "shape": [height, width] or [height, width, channels], "range": [least,
    greatest]} labels         list of str, one a class (two, of one output that decides by its sign), or one
    an output of several that do dataset        name, or None
    settings, seed what the training depended on, or None
    accuracy       {"validation": {"float", "hardened"}, "test": {...}}, each 0 ... 1, whatever is known
    hardening      the report's values, or None when the network was never hardened
"""

import io
import pickle
import sys
import warnings
from collections import OrderedDict
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from .. import atomic
from ..errors import ModelError
from .chain import body, chain, check, check_values, leaves, pool_padding, pool_window
from .layers import (
    AvgPool2d,
    BatchNorm,
    Binarize,
    BinaryActivation,
    BinaryConv2d,
    BinaryLinear,
    BinaryWeights,
    Pixels,
    Residual,
    Scores,
    hardened_layers,
)

__all__ = [
    "FORMAT",
    "GREATEST_LOSS",
    "GREATEST_SCALE_BITS",
    "GREATEST_UNSATURATED",
    "VERSION",
    "Checkpoint",
    "check_trust",
    "load",
    "save",
]

FORMAT = "sbgen-net"
VERSION = 1

#: Validation accuracy that hardening may cost before the network is not trusted.
GREATEST_LOSS = 0.02

#: Part of a soft layer's weights that may be unsaturated before the network is not trusted.
GREATEST_UNSATURATED = 0.01

#: Bits of a scale of a class that a file may have.
GREATEST_SCALE_BITS = 16

_KINDS = {
    "binarize": Binarize,
    "pixels": Pixels,
    "conv2d": BinaryConv2d,
    "maxpool": nn.MaxPool2d,
    "avgpool": AvgPool2d,
    "linear": BinaryLinear,
    "norm": BatchNorm,
    "active": BinaryActivation,
    "residual": Residual,
    "scores": Scores,
}


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A model file's network and what is known of it; the fields are those of the file."""

    model: nn.Module
    image_shape: tuple
    pixel_range: tuple
    labels: tuple
    dataset: str | None
    settings: dict | None
    seed: int | None
    accuracy: dict
    hardening: dict | None


def save(
    model,
    path,
    *,
    image_shape,
    labels,
    pixel_range=(0, 255),
    dataset=None,
    settings=None,
    seed=None,
    accuracy=None,
    report=None,
):
    """Writes a network, hardened or not, as a model file.

    The same network and information give the same bytes. Nothing is left half-written.

    Parameters
    ----------
    model : nn.Module
        A chain of the layers of `sbgen.train.layers`.
    path : path
    image_shape : tuple of int
    labels : sequence of str
    pixel_range : (int, int)
        Least and greatest pixel of the images it was trained on.
    dataset, settings, seed, accuracy
        As in the file.
    report : `HardeningReport` or None

    Raises
    ------
    ModelError
        The model is no such chain, or has a NaN or infinite value.
    """
    layers = _plain(chain(model))
    check_values(layers)
    state = {}
    for name, layer in leaves(layers):
        for key, value in layer.state_dict().items():
            if key == "weight" and isinstance(layer, BinaryWeights) and layer.hardened:
                value = value.to(torch.int8)
            state[f"{name}.{key}"] = value.detach().clone().contiguous()
    content = {
        "format": FORMAT,
        "version": VERSION,
        "architecture": [{"name": name, **_describe(layer)} for name, layer in layers],
        "state": state,
        "input": {"dtype": "uint8", "shape": list(image_shape), "range": list(pixel_range)},
        "labels": list(labels),
        "dataset": dataset,
        "settings": settings,
        "seed": seed,
        "accuracy": accuracy or {},
        "hardening": (
            None
            if report is None
            else {
                # What plain networks do not have is left out, so that their files stay the same.
                **{key: value for key, value in asdict(report).items() if value is not None},
                "layers": [asdict(layer) for layer in report.layers],
            }
        ),
    }
    _check_contract(content, layers)
    # Through a buffer, because torch.save writes the file's name into the file.
    buffer = io.BytesIO()
    torch.save(_interned(content), buffer)
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, buffer.getbuffer())
    except OSError as error:
        raise ModelError(f"{path}: cannot be written: {error.strerror or error}") from error


def load(path, *, force=False):
    """Reads a model file.

    Parameters
    ----------
    path : path
    force : bool
        Whether to accept a network that is not hardened enough to trust.

    Returns
    -------
    Checkpoint
        Its model is an `nn.Sequential` in evaluation mode, hardened when the file's is.

    Raises
    ------
    ModelError
        The file would run code, is truncated or foreign; it holds NaN or infinite values, a layer that is not
        supported or a shape that does not fit; or the network is not hardened enough.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    if data[:1] == b"\x80":
        raise ModelError(
            f"{path}: must be an archive of torch.save, but is a bare pickle, which could run code; "
            "save it with sbgen.train.checkpoint.save"
        )
    damaged = f"{path}: must be a model file, but is truncated, damaged or foreign; train or copy it anew"
    if data[:4] != b"PK\x03\x04":
        raise ModelError(damaged)  # torch would try its older formats
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch finds odd about a pickle
            content = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path}: must hold tensors and plain values only, but its pickle would run code, names a "
            "class or is damaged; save it with sbgen.train.checkpoint.save"
        ) from error
    except Exception as error:  # whatever its unpickler meets in bytes that nobody wrote
        raise ModelError(damaged) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ModelError(
            f"{path}: must be a model file of format {FORMAT!r}, but is another .pt file; "
            "save the model with sbgen.train.checkpoint.save"
        )
    if content.get("version") != VERSION:
        raise ModelError(
            f"{path}: must have version {VERSION}, not {content.get('version')!r}; "
            "use the sbgen that wrote it or train anew"
        )
    try:
        layers = _rebuild(content)
        _check_contract(content, layers)
        checkpoint = Checkpoint(
            model=nn.Sequential(OrderedDict(layers)).eval(),
            image_shape=tuple(content["input"]["shape"]),
            pixel_range=tuple(content["input"]["range"]),
            labels=tuple(content["labels"]),
            dataset=content["dataset"],
            settings=content["settings"],
            seed=content["seed"],
            accuracy=content["accuracy"],
            hardening=content["hardening"],
        )
        if not force:
            check_trust(checkpoint.model, checkpoint.hardening)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ModelError(
            f"{path}: must have every part of a model file, but {_short(error)}; train anew"
        ) from error
    return checkpoint


def check_trust(model, hardening=None):
    """Refuses a network whose integer form may differ much from what was trained.

    A hardened network is what it is; only what hardening cost it on the validation images counts. A soft one
    is trusted when nearly all its weights have reached -1 or +1.
    """
    remedy = "train to a greater nu or with a hard tail, or pass force to go on all the same"
    if hardening and hardening["before"] - hardening["after"] > GREATEST_LOSS:
        raise ModelError(
            f"hardening may cost at most {100 * GREATEST_LOSS:g} points of validation accuracy, but cost "
            f"{100 * (hardening['before'] - hardening['after']):.1f} ({hardening['before']:.1%} to "
            f"{hardening['after']:.1%}); {remedy}"
        )
    for name, layer in hardened_layers(model):
        if isinstance(layer, BinaryWeights) and not layer.hardened:
            from .harden import UNSATURATED

            with torch.no_grad():
                soft = layer.binarized(layer.binarizer).abs()
            part = (1 - soft > UNSATURATED).float().mean().item()
            if part > GREATEST_UNSATURATED:
                raise ModelError(
                    f"layer {name!r}: at most {GREATEST_UNSATURATED:.0%} of the weights may be further than"
                    f" {UNSATURATED} from -1 and +1, but {part:.1%} are; harden it with sbgen.train.harden,"
                    f" {remedy}"
                )


def _interned(value):
    """`value` with one object for equal strings: a pickle tells the same object from an equal one."""
    if isinstance(value, dict):
        return {_interned(key): _interned(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_interned(item) for item in value]
    return sys.intern(value) if isinstance(value, str) else value


def _plain(layers):
    """The layers with names that a plain `nn.Sequential` can have, in the bodies of residuals too."""
    return [
        (
            name.replace(".", "_"),
            (
                layer
                if not isinstance(layer, Residual)
                else Residual(
                    nn.Sequential(
                        OrderedDict(
                            _plain(
                                [
                                    (inner.removeprefix(f"{name}.body."), part)
                                    for inner, part in body(name, layer)
                                ]
                            )
                        )
                    ),
                    scale=layer.scale,
                )
            ),
        )
        for name, layer in layers
    ]


def _describe(layer):
    match layer:
        case Residual():
            return {
                "kind": "residual",
                "scale": layer.scale,
                "body": [{"name": name, **_describe(inner)} for name, inner in layer.body.named_children()],
            }
        case Binarize():
            about = {"kind": "binarize", "pixels": layer.pixels, "levels": layer.thresholds.shape[1]}
            return about if layer.image is None else {**about, "image": list(layer.image)}
        case Pixels():
            return {"kind": "pixels", "image": list(layer.image)}
        case nn.MaxPool2d() | nn.AvgPool2d():
            kernel, stride = pool_window(layer)
            padding = (
                [before for before, _ in pool_padding(layer)] if isinstance(layer, nn.MaxPool2d) else [0, 0]
            )
            return {
                "kind": "maxpool" if isinstance(layer, nn.MaxPool2d) else "avgpool",
                "kernel": list(kernel),
                "stride": list(stride),
                **({"padding": padding} if any(padding) else {}),
            }
        case BatchNorm():
            return {
                "kind": "norm",
                "features": layer.num_features,
                "eps": layer.eps,
                "hardened": layer.hardened,
            }
    method = {
        "method": layer.method,
        "slope_cap": layer.slope_cap,
        "nu": float(layer.binarizer.nu),
        "hard": layer.binarizer.hard,
        "hardened": layer.hardened,
    }
    if getattr(layer, "ternary", None) is not None:
        method["ternary"] = layer.ternary
    match layer:
        case BinaryActivation():
            return {"kind": "active", **method}
        case Scores():
            scales = {"per_class": True, "scale_bits": layer.scale_bits} if layer.per_class else {}
            if layer.average > 1:
                scales["average"] = layer.average
            if layer.decision == "sign" and layer.outputs > 1:
                scales["decision"] = layer.decision
            return {"kind": "scores", "inputs": layer.inputs, "classes": layer.outputs, **scales, **method}
        case BinaryConv2d():
            return {
                "kind": "conv2d",
                "channels": layer.channels,
                "outputs": layer.outputs,
                "kernel": list(layer.kernel),
                "stride": list(layer.stride),
                "padding": [list(each) for each in layer.padding],
                "padding_value": layer.padding_value,
                "groups": layer.groups,
                **method,
            }
        case BinaryLinear():
            return {"kind": "linear", "inputs": layer.inputs, "outputs": layer.outputs, **method}


def _rebuild(content):
    """The layers of a file's content, with their state."""
    taken = set()
    layers = _rebuild_chain(content["architecture"], content["state"], "", taken)
    if set(content["state"]) - taken:
        raise ModelError(
            f"the state must belong to the layers, but {min(set(content['state']) - taken)!r} does not"
        )
    check(layers)
    check_values(layers)
    return layers


def _rebuild_chain(architecture, state, prefix, taken):
    """The layers of an architecture, whose state has that prefix; adds what it takes of the state to `taken`."""
    layers = []
    for about in architecture:
        name, kind = about["name"], about["kind"]
        if kind not in _KINDS:
            raise ModelError(
                f"layer {name!r}: the kind {kind!r} is not supported; supported are {', '.join(_KINDS)}"
            )
        if kind == "residual":
            inner = _rebuild_chain(about["body"], state, f"{prefix}{name}.body.", taken)
            layers.append((name, Residual(nn.Sequential(OrderedDict(inner)), scale=about["scale"])))
            continue
        at = f"{prefix}{name}."
        mine = {key.removeprefix(at): value for key, value in state.items() if key.startswith(at)}
        taken |= {f"{at}{key}" for key in mine}
        # The tensors' own shapes are compared before anything of the promised size is made.
        layers.append((name, _make(name, kind, about, mine)))
    return layers


def _make(name, kind, about, state):
    sizes = {
        key: about[key]
        for key in (
            "pixels",
            "levels",
            "inputs",
            "outputs",
            "classes",
            "features",
            "channels",
            "groups",
            "average",
        )
        if key in about
    }
    for key in ("kernel", "stride", "image"):
        sizes |= {f"{key}[{n}]": size for n, size in enumerate(about.get(key, ()))}
    for key, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise ModelError(f"layer {name!r}: {key} must be an integer of at least 1, not {size!r}")
    pads = about.get("padding", (0, 0)) if kind == "maxpool" else (0, 0)
    if len(pads) != 2 or any(type(pad) is not int or pad < 0 for pad in pads):
        raise ModelError(f"layer {name!r}: padding must be two integers of at least 0, not {pads!r}")
    bits = about.get("scale_bits", 1)
    if not isinstance(bits, int) or not 1 <= bits <= GREATEST_SCALE_BITS:
        raise ModelError(f"layer {name!r}: scale_bits must be in 1 ... {GREATEST_SCALE_BITS}, not {bits!r}")
    rows = about.get("outputs", about.get("classes"))
    shapes = {
        "binarize": lambda: {"thresholds": (about["pixels"], about["levels"])},
        "conv2d": lambda: {"weight": (rows, about["channels"] // about["groups"], *about["kernel"])},
        "maxpool": dict,
        "avgpool": dict,
        "pixels": dict,
        "linear": lambda: {"weight": (rows, about["inputs"])},
        "norm": lambda: (
            dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (about["features"],))
            | {"num_batches_tracked": ()}
        ),
        "active": dict,
        "scores": lambda: {
            "weight": (rows, about["inputs"]),
            "log_scale": (rows,) if about.get("per_class") else (),
            "offset": (rows,),
        },
    }[kind]()
    for key, shape in shapes.items():
        found = tuple(state[key].shape) if isinstance(state.get(key), torch.Tensor) else None
        if found != shape:
            raise ModelError(
                f"layer {name!r}: {key} must have the shape {shape}, "
                f"{'but is missing' if found is None else f'not {found}'}"
            )
    if set(state) - set(shapes):
        raise ModelError(
            f"layer {name!r}: must hold {', '.join(shapes) or 'nothing'}, but holds "
            f"{min(set(state) - set(shapes))!r} too"
        )
    if kind == "binarize":
        try:
            return Binarize(about["pixels"], state["thresholds"].numpy(), image=about.get("image"))
        except ValueError as error:
            raise ModelError(f"layer {name!r}: {error}") from error
    if kind == "pixels":
        return Pixels(about["image"])
    if kind == "maxpool":
        return nn.MaxPool2d(
            tuple(about["kernel"]), tuple(about["stride"]), tuple(about.get("padding", (0, 0)))
        )
    if kind == "avgpool":
        return AvgPool2d(tuple(about["kernel"]), stride=tuple(about["stride"]))
    if kind == "norm":
        layer = BatchNorm(about["features"], eps=about["eps"])
    else:
        how = {"method": about["method"], "slope_cap": about["slope_cap"]}
        if kind != "active":
            how["ternary"] = about.get("ternary")
        try:
            if kind == "active":
                layer = BinaryActivation(**how)
            elif kind == "conv2d":
                layer = BinaryConv2d(
                    about["channels"],
                    rows,
                    tuple(about["kernel"]),
                    stride=tuple(about["stride"]),
                    padding=about["padding"],
                    padding_value=about["padding_value"],
                    groups=about["groups"],
                    **how,
                )
            elif kind == "scores":
                layer = Scores(
                    about["inputs"],
                    rows,
                    per_class=about.get("per_class", False),
                    average=about.get("average", 1),
                    decision=about.get("decision"),
                    **how,
                )
                if layer.per_class:
                    layer.scale_bits = about["scale_bits"]
            else:
                layer = BinaryLinear(about["inputs"], rows, **how)
        except ValueError as error:
            raise ModelError(f"layer {name!r}: {error}") from error
        layer.binarizer.nu, layer.binarizer.hard = about["nu"], about["hard"]
    layer.hardened = about["hardened"]
    layer.load_state_dict(state)
    return layer


def _check_contract(content, layers):
    shape, labels, scores = content["input"]["shape"], content["labels"], layers[-1][1]
    classes = max(2, scores.outputs)  # one output, which decides by its sign, has two
    if not all(isinstance(size, int) and size > 0 for size in shape):
        raise ModelError(f"the shape of an image must be integers of at least 1, not {shape}")
    if torch.Size(shape).numel() != layers[0][1].pixels:
        raise ModelError(
            f"an image of shape {tuple(shape)} must have the {layers[0][1].pixels} pixels that layer "
            f"{layers[0][0]!r} takes, not {torch.Size(shape).numel()}"
        )
    if len(labels) != classes:
        raise ModelError(
            f"{scores.outputs} outputs that decide by {scores.decision} need {classes} labels, not"
            f" {len(labels)}"
        )


def _short(error):
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing"
    return " ".join(str(error).split())[:120] or type(error).__name__
