import numpy as np
import pytest
import torch

from sbgen.compiler import reference
from sbgen.compiler.frontends.from_torch import to_network
from sbgen.train.chain import chain
from sbgen.train.data import DATASETS
from sbgen.train.layers import Binarize, BinaryWeights, Pixels, hardened
from sbgen.train.network import network
from sbgen.train.presets import PRESETS, Convolution


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_chains_that_fit(preset):
    about = PRESETS[preset]
    dataset = DATASETS[about.dataset]
    layers = chain(
        network(
            image_shape=dataset.image_shape,
            thresholds=about.thresholds,
            convolutions=about.convolutions,
            widths=about.widths,
            classes=len(dataset.labels),
        )
    )
    assert isinstance(layers[0][1], Pixels if about.thresholds is None else Binarize)


def test_cnv_has_the_published_weights():
    model = network(
        image_shape=(32, 32, 3),
        thresholds=None,
        convolutions=PRESETS["cnv"].convolutions,
        widths=PRESETS["cnv"].widths,
        classes=10,
    )
    assert [tuple(layer.weight.shape) for layer in model if isinstance(layer, BinaryWeights)] == [
        (64, 3, 3, 3),
        (64, 64, 3, 3),
        (128, 64, 3, 3),
        (128, 128, 3, 3),
        (256, 128, 3, 3),
        (256, 256, 3, 3),
        (512, 256),
        (512, 512),
        (10, 512),
    ]


@pytest.mark.parametrize("thresholds", [None, (90, 180)])
@pytest.mark.parametrize("image_shape", [(6, 5, 3), (6, 5)])
def test_padded_convolutions_are_the_integer_networks(thresholds, image_shape):
    torch.manual_seed(4)
    model = network(
        image_shape=image_shape,
        thresholds=thresholds,
        widths=(7,),
        classes=3,
        convolutions=(Convolution(outputs=8, padding=1, pool=2), Convolution(outputs=4, padding=1)),
    ).eval()
    images = np.random.default_rng(4).integers(0, 256, (50, *image_shape), dtype=np.uint8)
    with hardened(model), torch.no_grad():
        trained = model(torch.from_numpy(images))
    scores, _ = reference.evaluate(to_network(model, force=True), images.reshape(50, -1))
    assert np.array_equal(trained.numpy(), scores)
