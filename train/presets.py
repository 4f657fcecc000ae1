"""The named networks, each with its default training settings."""

from dataclasses import dataclass

from .settings import Settings

__all__ = ["PRESETS", "Convolution", "Preset"]


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """A binary convolution and the max pooling after it.

    Parameters
    ----------
    outputs : int
    kernel : int
    padding : int
        Rows and columns of -1 around the image.
    pool : int
        Size and stride of the pooling window; 0 is no pooling.
    groups : int
        Groups of channels, each convolved with its share of the outputs.
    """

    outputs: int
    kernel: int = 3
    padding: int = 0
    pool: int = 0
    groups: int = 1


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A network and how to train it.

    Parameters
    ----------
    dataset : str
        One of `data.DATASETS`.
    thresholds : tuple of int or None
        Thresholds of every pixel; several make a thermometer code. With None the first layer sums the pixels.
    widths : tuple of int
        Outputs of the hidden dense layers.
    settings : `Settings`
    convolutions : tuple of `Convolution`
        Before the dense layers.
    fan_in : tuple of int
        Inputs of each neuron of each dense layer, of which it chooses the best, and the scores are sums of
        groups. Empty is all inputs.
    """

    dataset: str
    thresholds: tuple[int, ...] | None
    widths: tuple[int, ...]
    settings: Settings
    convolutions: tuple[Convolution, ...] = ()
    fan_in: tuple[int, ...] = ()


#: 1-bit pixels of MNIST: a low threshold keeps thin strokes, 0.3 points better in validation than 128.
_STROKES = (64,)

PRESETS = {
    "digits": Preset(
        dataset="digits",
        thresholds=(2, 6, 10, 14),
        widths=(256, 64),
        settings=Settings(epochs=80, batch=128, deform=20),
    ),
    "tfc": Preset(
        dataset="mnist",
        thresholds=_STROKES,
        widths=(64, 64, 64),
        settings=Settings(epochs=40, batch=500, lr=2e-2, deform=2),
    ),
    # TFC whose layers after the first take two bit planes.
    "tfc-2bit": Preset(
        dataset="mnist",
        thresholds=_STROKES,
        widths=(64, 64, 64),
        settings=Settings(activation_levels=(4,), epochs=60, batch=500, lr=2e-2, deform=4),
    ),
    "sfc": Preset(
        dataset="mnist",
        thresholds=_STROKES,
        widths=(256, 256, 256),
        settings=Settings(epochs=40, batch=500, deform=4, distill=0.7, teacher_epochs=8),
    ),
    # SFC in the same way.
    "sfc-2bit": Preset(
        dataset="mnist",
        thresholds=_STROKES,
        widths=(256, 256, 256),
        settings=Settings(
            activation_levels=(4,), epochs=25, batch=500, deform=4, distill=0.7, teacher_epochs=8
        ),
    ),
    "lfc": Preset(
        dataset="mnist",
        thresholds=_STROKES,
        widths=(1024, 1024, 1024),
        settings=Settings(epochs=8, batch=500, deform=3, distill=0.7, teacher_epochs=8),
    ),
    # Neurons of as many inputs as a LUT has, for one image in each cycle. A pixel of 128 or more is one wire.
    "sparse": Preset(
        dataset="mnist",
        thresholds=(128,),
        widths=(1400, 640),
        fan_in=(4, 4),
        settings=Settings(epochs=18, batch=500, lr=3e-2, deform=2),
    ),
    "sparse-lut6": Preset(
        dataset="mnist",
        thresholds=(128,),
        widths=(2000, 1000),
        fan_in=(6, 6),
        settings=Settings(epochs=14, batch=500, lr=3e-2, deform=2),
    ),
    # Fits an iCEBreaker: 54 kbit of weights.
    "cnn": Preset(
        dataset="mnist",
        thresholds=(64, 160),
        widths=(),
        convolutions=(
            Convolution(outputs=24, padding=1, pool=2),
            Convolution(outputs=48, padding=1, pool=2),
            Convolution(outputs=64),
        ),
        settings=Settings(epochs=30, batch=250, lr=1e-2, deform=4),
    ),
    # The topology of FINN's CNV (arXiv 1612.07119) on colour images.
    "cnv": Preset(
        dataset="cifar10",
        thresholds=None,
        widths=(512, 512),
        convolutions=(
            Convolution(outputs=64),
            Convolution(outputs=64, pool=2),
            Convolution(outputs=128),
            Convolution(outputs=128, pool=2),
            Convolution(outputs=256),
            Convolution(outputs=256),
        ),
        settings=Settings(hard_tail=0.6, epochs=7, batch=100, lr=1e-2, shift=2, flip=True),
    ),
}
