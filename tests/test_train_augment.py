import math

import pytest
import torch

from sbgen.train.augment import Augmented, deformed


def images(count=2, *size):
    shape = count, *(size or (3, 4))
    return torch.arange(1, 1 + math.prod(shape), dtype=torch.uint8).reshape(shape)


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_middle_way_is_unmoved_and_the_first_moves_up_and_left(shift):
    augmented = Augmented(images(), shift=shift)
    assert augmented.ways == (2 * shift + 1) ** 2 and len(augmented) == 2
    middle = torch.full((2,), augmented.ways // 2)
    assert torch.equal(augmented(torch.tensor([1, 0]), middle), images()[[1, 0]])
    if shift:
        first = augmented(torch.tensor([0]), torch.tensor([0]))[0]
        assert torch.equal(first[shift:, shift:], images()[0][:-shift, :-shift])
        assert first[:shift].sum() == 0 and first[:, :shift].sum() == 0


def test_copies_are_the_image_and_its_deformations():
    augmented = Augmented(images(), deform=3)
    assert augmented.ways == 3 and len(augmented) == 2
    both = torch.arange(2)
    assert torch.equal(augmented(both, torch.zeros(2, dtype=torch.int64)), images())
    assert torch.equal(augmented(both, torch.full((2,), 2)), deformed(images(), seed=2))


def test_deformed_copies_may_be_moved():
    augmented = Augmented(images(), shift=1, deform=2)
    assert augmented.ways == 18
    assert torch.equal(augmented(torch.tensor([1]), torch.tensor([9 + 4])), deformed(images(), seed=1)[1:])


def test_flipped_copies_come_last_and_may_be_moved():
    augmented = Augmented(images(), shift=1, flip=True, deform=2)
    assert augmented.ways == 36
    middle = 9 + 4  # of the second copy, unmoved
    assert torch.equal(
        augmented(torch.tensor([1]), torch.tensor([18 + middle])), deformed(images(), seed=1)[1:].flip(2)
    )
    moved = augmented(torch.tensor([0]), torch.tensor([18 + 3]))[
        0
    ]  # in the middle row of moves, to the right
    assert torch.equal(moved[:, 1:], images()[0].flip(1)[:, :-1]) and moved[:, 0].sum() == 0


@pytest.mark.parametrize("how", [{}, {"shift": 2}, {"flip": True}, {"shift": 1, "flip": True, "deform": 2}])
def test_channels_are_moved_together(how):
    colour, index = images(3, 4, 5, 3), torch.tensor([2, 0])
    augmented, planes = (
        Augmented(colour, **how),
        [Augmented(colour[..., channel], **how) for channel in range(3)],
    )
    for way in range(augmented.ways):
        found = augmented(index, torch.full((2,), way))
        assert found.shape == (2, 4, 5, 3)
        for channel, plane in enumerate(planes):
            assert torch.equal(found[..., channel], plane(index, torch.full((2,), way))), (way, channel)


def test_deformation_is_small_and_decided_by_its_seed():
    square = torch.zeros(5, 28, 28, dtype=torch.uint8)
    square[:, 8:20, 8:20] = 200
    once = deformed(square, seed=1)
    assert torch.equal(once, deformed(square, seed=1)) and not torch.equal(once, deformed(square, seed=2))
    assert once.dtype == torch.uint8 and not torch.equal(once[0], once[1])
    assert (once[:, 11:17, 11:17] == 200).all() and (once[:, :4].max() == 0) and once.max() <= 200


def test_every_way_is_drawn():
    augmented = Augmented(images(), shift=1, deform=2)
    drawn = augmented.draw(2000, generator=torch.Generator().manual_seed(0))
    assert drawn.unique().tolist() == list(range(18))
