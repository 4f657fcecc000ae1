"""`sbgen.train.inputs`: what is no images and labels for a network is said before the first epoch, in one
line.
"""

import random

import numpy as np
import pytest
import torch
from torch import nn

from sbgen.errors import DataError, ModelError
from sbgen.train import inputs
from sbgen.train.harden import harden
from sbgen.train.layers import Binarize, Scores
from sbgen.train.loop import accuracy, train
from sbgen.train.network import network
from sbgen.train.presets import Convolution
from sbgen.train.settings import Settings

CLASSES, COUNT = 4, 12
SETTINGS = Settings(epochs=1, batch=4)


def dense(pixels=60):
    return network(image_shape=(pixels,), thresholds=(100,), widths=(6,), classes=CLASSES)


def convolutional(image_shape=(5, 4, 3), thresholds=(100,)):
    return network(
        image_shape=image_shape,
        thresholds=thresholds,
        widths=(),
        classes=CLASSES,
        convolutions=(Convolution(outputs=6, kernel=2),),
    )


def sample(*shape, count=COUNT, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randint(256, (count, *shape), generator=generator).to(torch.uint8),
        torch.randint(CLASSES, (count,), generator=generator),
    )


def trained(model, images, labels, validation=None, settings=SETTINGS, **how):
    return train(
        model, images, labels, validation=validation or (images, labels), settings=settings, seed=0, **how
    )


#: Networks, and the shapes of the images that each takes.
SOUND = [
    (dense, (5, 4, 3)),
    (dense, (6, 10)),
    (dense, (60,)),
    (convolutional, (5, 4, 3)),
    (lambda: convolutional(thresholds=None), (5, 4, 3)),
    (lambda: convolutional((5, 4)), (5, 4)),
    (lambda: convolutional((5, 4)), (5, 4, 1)),
]


@pytest.mark.parametrize(("build", "shape"), SOUND)
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16, torch.uint8])
def test_what_a_network_takes_is_trained_on(build, shape, dtype):
    images, labels = sample(*shape)
    model = build()
    assert len(trained(model, images, labels.to(dtype))) == 1
    assert harden(model, images, validation=(images, labels.to(dtype))).after == accuracy(
        model, images, labels.to(dtype)
    )


def test_table_is_trained_as_the_row_of_pixels_that_it_is():
    table, labels = sample(60)
    torch.manual_seed(0)
    first = dense()
    torch.manual_seed(0)
    second = dense()
    assert trained(first, table, labels) == trained(second, table.reshape(COUNT, 6, 10), labels)
    assert all(
        torch.equal(a, b)
        for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )
    for name, value in {"shift": 1, "flip": True, "deform": 2}.items():
        with pytest.raises(DataError, match=r"must have rows and columns .* \(12, 60\)"):
            trained(dense(), table, labels, settings=Settings(epochs=1, batch=4, **{name: value}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda images, labels: (images.numpy(), labels),
            "training images must be a uint8 tensor, not ndarray; .*torch.from_numpy",
        ),
        (
            lambda images, labels: (images.float() / 255, labels),
            r"not float32 of 0\.*.* convert them with \(255 \* images\)",
        ),
        (lambda images, labels: (images.float(), labels), r"not float32 of .* once they are in that range"),
        (lambda images, labels: (images.int() - 9, labels), "raw uint8 pixels of 0 ... 255, not int32 of -9"),
        (lambda images, labels: (images[:0], labels[:0]), "at least 1 each, not"),
        (lambda images, labels: (images[0, :, 0, 0], labels), r"must have the shape \(N, height, width\)"),
        (lambda images, labels: (images[None], labels), r"must have the shape \(N, height, width\)"),
        (
            lambda images, labels: (images.permute(0, 3, 1, 2), labels),
            r"channels last, .* have the shape \(12, 3, 5, 4\) .*permute\(0, 2, 3, 1\)",
        ),
        (
            lambda images, labels: (images[:, :4], labels),
            r"must have the shape \(N, 5, 4, 3\) that the network takes",
        ),
        (
            lambda images, labels: (images, labels.float()),
            "labels must be whole numbers of classes, an int64 tensor, not float32",
        ),
        (
            lambda images, labels: (images, labels > 1),
            "labels must be whole numbers of classes, an int64 tensor, not bool",
        ),
        (
            lambda images, labels: (images, labels.numpy()),
            "training labels must be an int64 tensor, not ndarray",
        ),
        (
            lambda images, labels: (images, labels + 1),
            r"labels must be in 0 \.\.\. 3, the network's classes, not",
        ),
        (
            lambda images, labels: (images, labels - 1),
            r"labels must be in 0 \.\.\. 3, the network's classes, not -1",
        ),
        (
            lambda images, labels: (images, labels[:-1]),
            r"one for each of 12 images, shape \(12,\), not \(11,\)",
        ),
        (
            lambda images, labels: (images, torch.nn.functional.one_hot(labels, 4)),
            r"one-hot rows: labels.argmax\(1\)",
        ),
        (
            lambda images, labels: (images[:5], labels[:5]),
            "at least 2 images for batch norm, but of 5 images in steps of 2 the last has one",
        ),
    ],
)
def test_each_fault_is_named(change, message):
    images, labels = sample(5, 4, 3)
    settings = Settings(epochs=1, batch=2) if "batch norm" in message else SETTINGS
    with pytest.raises(DataError, match=message):
        trained(
            convolutional(),
            *change(
                images,
                (labels % 4).index_fill(0, torch.tensor([0, 1]), 0).index_fill(0, torch.tensor([1]), 3),
            ),
            settings=settings,
        )


def test_channels_first_are_recognised_where_the_network_knows_no_image():
    images, labels = sample(3, 5, 8, seed=1)
    with pytest.raises(DataError, match="channels last"):
        trained(dense(120), images, labels)
    assert len(trained(dense(120), images.permute(0, 2, 3, 1).contiguous(), labels)) == 1


def test_network_that_does_not_take_the_images_or_gives_no_logits():
    images, labels = sample(60)
    with pytest.raises(ModelError, match=r"the network must take images of shape \(60,\), but: "):
        trained(torch.nn.Sequential(dense()[0], torch.nn.Linear(7, 4)), images, labels)
    with pytest.raises(
        ModelError,
        match=r"must return logits of shape \(N, classes\), but returns Tensor of shape \(1, 2, 2\)",
    ):
        trained(torch.nn.Sequential(dense(), torch.nn.Unflatten(1, (2, 2))), images, labels)


def test_validation_and_teacher_are_checked_too():
    images, labels = sample(6, 10)
    for wrong in (
        (images, labels.float()),
        (images, labels + 4),
        (images.float(), labels),
        (images[:0], labels[:0]),
        (images[:, :5], labels),
    ):
        with pytest.raises(DataError, match="validation "):
            trained(dense(), images, labels, validation=wrong)
        with pytest.raises(DataError, match="validation "):
            harden(dense(), images, validation=wrong)
        with pytest.raises(DataError, match="measured "):
            accuracy(dense(), *wrong)
    with pytest.raises(DataError, match=r"teacher must answer 1 ways of 12 images, not \(2, 12\)"):
        trained(
            dense(),
            images,
            labels,
            teacher=torch.zeros(2, COUNT, CLASSES),
            settings=Settings(epochs=1, batch=4, distill=0.5),
        )


def malformed(rng):
    """Something that may come in place of a tensor."""
    if rng.random() < 0.1:
        return rng.choice([None, 3, "images", [1, 2], np.zeros((12, 5, 4, 3), np.uint8)])
    shape = [rng.choice([0, 1, 2, 3, 4, 5, 12, 60]) for _ in range(rng.randrange(6))]
    dtype = rng.choice(
        [
            torch.uint8,
            torch.int8,
            torch.int32,
            torch.int64,
            torch.float16,
            torch.float32,
            torch.float64,
            torch.bool,
            torch.complex64,
        ]
    )
    tensor = torch.zeros(shape)
    if rng.random() < 0.5:
        tensor = tensor + torch.randint(
            -9, 300, shape, generator=torch.Generator().manual_seed(rng.randrange(1 << 30))
        )
    if rng.random() < 0.2:
        tensor = tensor + rng.choice([float("nan"), float("inf"), -1.0])
    return tensor.nan_to_num().to(dtype) if not dtype.is_floating_point else tensor.to(dtype)


def test_anything_is_trained_on_or_refused_by_name():
    start = random.SystemRandom().randrange(1 << 32)
    refused = 0
    for seed in range(start, start + 400):
        print("seed", seed)
        rng = random.Random(seed)
        build, shape = rng.choice(SOUND)
        images, labels = sample(*shape, seed=rng.randrange(99))
        if (part := rng.randrange(3)) != 1:
            images = malformed(rng)
        if part != 0:
            labels = malformed(rng)
        try:
            assert (
                len(
                    trained(
                        build(), images, labels, settings=Settings(epochs=1, batch=rng.choice([1, 2, 5, 100]))
                    )
                )
                == 1
            )
        except (DataError, ModelError) as error:
            refused += 1
            assert "\n" not in str(error) and "training" in str(error) or "network" in str(error)
    assert refused > 200


def test_check_changes_nothing_of_the_network():
    images, labels = sample(6, 10)
    model = dense().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    inputs.checked(model, images, labels, name="these")
    assert model.training and all(
        torch.equal(value, before[name]) for name, value in model.state_dict().items()
    )
    assert torch.equal(torch.get_rng_state(), state)


def test_labels_of_outputs_that_decide_by_their_signs():
    images = torch.zeros(3, 4, dtype=torch.uint8)
    one, several = (nn.Sequential(Binarize(4, [128]), Scores(4, n, decision="sign")) for n in (1, 2))
    assert inputs.checked(one, images, torch.tensor([0, 1, 1]), name="training")[1].tolist() == [0, 1, 1]
    assert inputs.checked(several, images, torch.tensor([[0, 1], [1, 1], [0, 0]]), name="training")[
        1
    ].shape == (3, 2)
    with pytest.raises(
        DataError, match="training labels must be in 0 ... 1, the network's classes, not 0 ... 2"
    ):
        inputs.checked(one, images, torch.tensor([0, 1, 2]), name="training")
    with pytest.raises(
        DataError,
        match=r"training labels must be a tensor of shape \(3, 2\), a 0 or 1 for each output .*, not \(3,\)",
    ):
        inputs.checked(several, images, torch.tensor([0, 1, 1]), name="training")
    with pytest.raises(DataError, match=r"training labels must be 0 and 1, .*, not numbers of 0 \.\.\. 2"):
        inputs.checked(several, images, torch.tensor([[0, 1], [2, 1], [0, 0]]), name="training")
