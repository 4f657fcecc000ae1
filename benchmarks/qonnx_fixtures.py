"""Generates the QONNX files of ``tests/qonnx/`` with Brevitas, and the results of the ``qonnx`` package.

They are generated once and stored, because Brevitas and qonnx need their own versions of packages; sbgen
needs neither. In a separate environment::

    pip install brevitas qonnx onnxoptimizer scikit-learn
    python benchmarks/qonnx_fixtures.py tests/qonnx --cifar cifar10.npz

``cifar10.npz`` has `train_images`, `train_labels`, `test_images`, `test_labels`, like sbgen's cache of a data
set of JPEG files. ``--only NAME`` generates one network; ``--only cnv-full`` the CNV of the published width,
trained and untrained, which is checked but too large to store.

Each network becomes ``NAME.onnx``, and ``NAME.npz`` with `images` (uint8, row-major with channels last),
`logits` and `pixels` (what value a pixel has). The logits are those of qonnx's executor; Brevitas computed
the same.
"""

import argparse
import warnings
from pathlib import Path

import brevitas.nn as qnn
import numpy as np
import onnx
import torch
from brevitas.export import export_qonnx
from brevitas.quant import SignedTernaryWeightPerTensorConst
from brevitas_examples.bnn_pynq.models import CNV as cnv_module
from brevitas_examples.bnn_pynq.models.common import CommonActQuant, CommonWeightQuant
from brevitas_examples.bnn_pynq.models.FC import FC
from brevitas_examples.bnn_pynq.models.tensor_norm import TensorNorm
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes
from torch import nn

IMAGES = 16


class TenthWeightQuant(CommonWeightQuant):
    """A scale that is no power of two."""

    scaling_const = 0.1


class TernaryWeightQuant(SignedTernaryWeightPerTensorConst):
    """Weights -1/2, 0 and 1/2."""

    scaling_const = 0.5
    threshold = 0.5


class Centre(nn.Module):
    """0 ... 1 to -1 ... 1."""

    def forward(self, x):
        return 2.0 * x - 1.0


def weights(cls, *shape, quant=CommonWeightQuant, **arguments):
    bits = 2 if quant is TernaryWeightQuant else 1
    return cls(*shape, weight_quant=quant, weight_bit_width=bits, **arguments)


def act(bits=1):
    return qnn.QuantIdentity(act_quant=CommonActQuant, bit_width=bits)


def tfc(bits=1, widths=(24, 24, 24), image=(10, 10)):
    return FC(10, 1, bits, bits, 1, list(widths), image), (1, 1, *image)


def cnv(in_bits=8, widths=(8, 12, 12, 16), pools=(1, 3), dense=24, size=18):
    """The topology of CNV: convolutions of 3 x 3, pools after some, two dense layers; `size` x `size`
    pixels.
    """
    side = size
    for at in range(len(widths)):
        side = (side - 2) // (2 if at in pools else 1)
    cnv_module.CNV_OUT_CH_POOL[:] = [(width, at in pools) for at, width in enumerate(widths)]
    cnv_module.INTERMEDIATE_FC_FEATURES[:] = [(widths[-1] * side**2, dense), (dense, dense)]
    cnv_module.LAST_FC_IN_FEATURES = dense
    return cnv_module.CNV(10, 1, 1, in_bits, 3), (1, 3, size, size)


class Residual(nn.Module):
    """A convolution padded by -1, and what it took."""

    def __init__(self, channels):
        super().__init__()
        self.branch = weights(qnn.QuantConv2d, channels, channels, 3, bias=False)

    def forward(self, x):
        return self.branch(nn.functional.pad(x, (1, 1, 1, 1), value=-1.0)) + x


class RowsAndColumns(nn.Module):
    """The mean of an image."""

    def forward(self, x):
        return x.mean([2, 3])


def residual():
    """Shortcuts, ternary weights, 2-bit activations, the mean of an image, a batch norm after the scores."""
    net = nn.Sequential(
        Centre(),
        act(),
        weights(qnn.QuantConv2d, 1, 8, 3, bias=False, quant=TernaryWeightQuant),
        nn.BatchNorm2d(8),
        act(),
        Residual(8),
        nn.BatchNorm2d(8),
        act(),
        Residual(8),
        nn.BatchNorm2d(8),
        act(2),
        weights(qnn.QuantConv2d, 8, 16, 3, bias=False, quant=TernaryWeightQuant),
        nn.BatchNorm2d(16),
        act(),
        RowsAndColumns(),
        weights(qnn.QuantLinear, 16, 10, bias=False),
        nn.BatchNorm1d(10),
    )
    for module in net.modules():
        if isinstance(module, (qnn.QuantConv2d, qnn.QuantLinear)):
            nn.init.uniform_(module.weight, -1, 1)  # or all ternary weights would begin as 0
    return net, (1, 1, 8, 8)


def cnn():
    """Biases, groups, strides, a batch norm before its pool, a pool on sums, dense layers after an image."""
    return nn.Sequential(
        Centre(),
        act(),
        weights(qnn.QuantConv2d, 2, 8, 3, bias=True),
        nn.BatchNorm2d(8),
        nn.MaxPool2d(2),
        act(),
        weights(qnn.QuantConv2d, 8, 8, (3, 2), groups=8, bias=False),
        act(),
        weights(qnn.QuantConv2d, 8, 12, 2, groups=2, stride=(1, 2), bias=False, quant=TenthWeightQuant),
        nn.MaxPool2d(2, 1),
        nn.BatchNorm2d(12),
        act(),
        nn.Flatten(),
        weights(qnn.QuantLinear, 12, 16, bias=True),
        nn.BatchNorm1d(16),
        nn.Hardtanh(),
        act(),
        weights(qnn.QuantLinear, 16, 5, bias=False, quant=TenthWeightQuant),
        TensorNorm(),
    ), (1, 2, 12, 14)


def randomise(net, random, *, ties):
    """Norms of trained networks and worse: factors below zero and zero, with `ties` also means exactly on a
    sum.
    """
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            size = module.num_features
            mean = np.where(
                ties & (random.integers(0, 3, size) == 0),
                random.integers(-2, 3, size),
                random.normal(0, 2 if ties else 0.5, size),
            )
            for parameter, values in (
                (module.weight, random.choice([-1.3, -0.4, 0.0, 0.2, 0.7, 1.0, 1.9], size)),
                (module.bias, random.choice([0.0, 0.0, 0.31, -0.2], size)),
                (module.running_mean, mean),
                (module.running_var, random.uniform(0.1, 40, size)),
            ):
                parameter.data = torch.from_numpy(np.asarray(values, np.float32))
        elif isinstance(module, TensorNorm):
            module.running_mean.fill_(0.7)
            module.running_var.fill_(30.0)
            module.bias.data.fill_(0.25)
        elif getattr(module, "bias", None) is not None and isinstance(module.bias, nn.Parameter):
            module.bias.data = torch.from_numpy(random.normal(0, 1, module.bias.shape).astype(np.float32))


def digits():
    """scikit-learn's digits as uint8 (N, channels, rows, columns) and classes, of training and test."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    x = torch.from_numpy((digits.images * 15).astype(np.uint8))[:, None]
    y = torch.from_numpy(digits.target)
    return x[:1500], y[:1500], x[1500:], y[1500:]


def cifar(path):
    with np.load(path) as kept:
        return tuple(
            (
                torch.from_numpy(kept[name]).permute(0, 3, 1, 2)
                if kept[name].ndim == 4
                else torch.from_numpy(kept[name])
            )
            for name in ("train_images", "train_labels", "test_images", "test_labels")
        )


def train(net, data, *, steps, rate=0.02):
    """Some steps of Adam; returns images of the test set, channels last."""
    x, y, test_x, test_y = data
    optimiser = torch.optim.Adam(net.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    net.train()
    for _ in range(steps):
        at = torch.randint(0, len(x), (100,))
        loss = nn.functional.cross_entropy(net(x[at] / 255), y[at])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        for module in net.modules():
            if isinstance(module, (qnn.QuantConv2d, qnn.QuantLinear)):
                module.weight.data.clamp_(-1, 1)
    net.eval()
    with torch.no_grad():
        at = torch.randperm(len(test_x))[:1000]
        right = (net(test_x[at] / 255).argmax(1) == test_y[at]).float().mean()
    print(f"  {steps} steps of training: {right:.1%} of {len(at)} test images", flush=True)
    return test_x[at[: 2 * IMAGES]].permute(0, 2, 3, 1).numpy()


def fixture(folder, name, net, shape, *, pixels="unit", data=None, steps=450, **how):
    print(name, flush=True)
    random = np.random.default_rng(len(name))
    if data:
        images = train(net, data, steps=steps)
    else:
        # Sums of tenths are rounded in an order that every framework chooses for itself: on a tie they
        # disagree.
        randomise(net, random, ties=not name.startswith(("cnn", "residual")))
        # Noise alone looks alike to every network; these differ in brightness, too.
        brightness = random.uniform(0, 255, (IMAGES, 1, 1, shape[1]))
        noise = random.normal(0, 60, (IMAGES, shape[2], shape[3], shape[1]))
        images = np.clip(brightness + noise, 0, 255).astype(np.uint8)
    net.eval()
    x = images.reshape(len(images), shape[2], shape[3], shape[1]).transpose(0, 3, 1, 2).astype(np.float32)
    x /= np.float32(256 if pixels == "fixed" else 255)
    path = folder / f"{name}.onnx"
    export_qonnx(net, args=torch.zeros(shape), export_path=str(path), **how)
    model = onnx.load(path)
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        value.doc_string = ""
        del value.metadata_props[:]
    for each in model.graph.initializer:  # only the sign of a binary weight matters, and signs compress well
        if len(each.dims) > 1 and not name.startswith("residual"):  # but not of a ternary one
            array = onnx.numpy_helper.to_array(each)
            each.CopyFrom(
                onnx.numpy_helper.from_array(np.where(array >= 0, 0.5, -0.5).astype(np.float32), each.name)
            )
    del model.metadata_props[:], model.graph.metadata_props[:]
    onnx.save(model, path)
    path.with_name(path.name + ".data").unlink(missing_ok=True)  # newer exporters put the weights there
    wrapper = ModelWrapper(str(path)).transform(InferShapes())
    into, out = wrapper.graph.input[0].name, wrapper.graph.output[0].name
    logits = np.concatenate([execute_onnx(wrapper, {into: each[None]})[out] for each in x])
    assert len(np.unique(logits, axis=0)) > 3, "the network must tell some images apart; try another seed"
    with torch.no_grad():
        torch_logits = net(torch.from_numpy(x)).numpy()
    print(
        f"  opset {next(each.version for each in model.opset_import if not each.domain)},"
        f" {path.stat().st_size:,} bytes; maximum difference between qonnx and Brevitas"
        f" {np.abs(logits - torch_logits).max():.3g}"
    )
    np.savez_compressed(
        folder / f"{name}.npz", images=images, logits=logits.astype(np.float32), pixels=pixels
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cifar", type=Path, help="arrays of CIFAR-10, for the trained CNVs")
    parser.add_argument("--only", nargs="+", help="names of networks")
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    old = {"dynamo": False}

    def make(*network, **how):
        fixture(options.folder, name, *network, **how)

    networks = {
        "cnv-opset9": lambda: make(*cnv(), opset_version=9, **old),
        "cnv-opset20": lambda: make(*cnv()),
        "cnv-trained": lambda: make(
            *cnv(widths=(8, 8, 16, 16, 32, 32), pools=(1, 3), dense=32, size=32),
            data=cifar(options.cifar),
            steps=400,
            opset_version=11,
            **old,
        ),
        "cnn-opset13": lambda: make(*cnn(), opset_version=13, **old),
        "cnn-opset20": lambda: make(*cnn()),
        "residual-trained": lambda: make(*residual(), data=digits(), opset_version=13, **old),
        "residual-opset20": lambda: make(*residual()),
        "tfc-opset9": lambda: make(*tfc(), opset_version=9, **old),
        "tfc-opset20": lambda: make(*tfc()),
        "tfc-digits": lambda: make(
            *tfc(widths=(32, 32, 32), image=(8, 8)), data=digits(), opset_version=11, **old
        ),
        "tfc-w1a2": lambda: make(*tfc(bits=2), opset_version=13, **old),
        "sfc-opset11": lambda: make(*tfc(widths=(48, 48, 48), image=(7, 9)), opset_version=11, **old),
        "sfc-digits": lambda: make(*tfc(widths=(64, 64, 64), image=(8, 8)), data=digits(), opset_version=20),
    }
    full = {"widths": (64, 64, 128, 128, 256, 256), "dense": 512, "size": 32, "pools": (1, 3)}
    large = {
        "cnv-full": lambda: make(*cnv(**full), opset_version=11, **old),
        "cnv-full-trained": lambda: make(
            *cnv(**full), data=cifar(options.cifar), steps=60, opset_version=11, **old
        ),
    }
    for chosen, write in (networks | large).items():
        if chosen in (options.only or networks):
            torch.manual_seed(1)
            name = chosen
            write()


if __name__ == "__main__":
    main()
