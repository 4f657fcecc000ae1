import random
from dataclasses import replace

import pytest
from streams import transfer, unpack

from sbgen.hw import window as window_part
from sbgen.hw.window import Geometry

GEOMETRIES = {
    "one by one": Geometry(height=3, width=4, slices=1, kernel=(1, 1)),
    "three by three": Geometry(height=5, width=6, slices=1, kernel=(3, 3)),
    "padded": Geometry(height=4, width=5, slices=2, kernel=(3, 3), padding=((1, 1), (1, 1))),
    "padded on one side": Geometry(height=4, width=5, slices=1, kernel=(2, 2), padding=((0, 1), (1, 0))),
    "even kernel": Geometry(height=5, width=5, slices=3, kernel=(2, 4), padding=((1, 0), (2, 1))),
    "stride": Geometry(height=7, width=7, slices=2, kernel=(3, 3), stride=(2, 2)),
    "stride over the kernel": Geometry(height=8, width=7, slices=1, kernel=(2, 2), stride=(3, 3)),
    "rows left over": Geometry(height=7, width=6, slices=1, kernel=(2, 2), stride=(2, 2)),
    "overlapping pool": Geometry(height=7, width=7, slices=4, kernel=(3, 3), stride=(2, 2), groups=4),
    "groups": Geometry(
        height=4, width=4, slices=4, kernel=(3, 3), padding=((1, 1), (1, 1)), groups=2, repeats=2
    ),
    "repeats": Geometry(height=4, width=4, slices=2, kernel=(2, 2), repeats=3),
    "kernel of the whole image": Geometry(height=4, width=4, slices=2, kernel=(4, 4), repeats=2),
    "kernel larger than the image": Geometry(
        height=2, width=2, slices=1, kernel=(3, 3), padding=((1, 1), (1, 1))
    ),
    "one row": Geometry(height=1, width=9, slices=2, kernel=(1, 3), stride=(1, 2)),
    "one column": Geometry(height=9, width=1, slices=2, kernel=(3, 1), padding=((2, 2), (0, 0))),
    "rows to spare": Geometry(height=3, width=4, slices=1, kernel=(3, 3), padding=((1, 0), (0, 1)), rows=6),
    "one pixel": Geometry(height=1, width=1, slices=1, kernel=(1, 1), repeats=2),
}


def run(geometry, *, images=3, seed=None, store="bram", **options):
    rng = random.Random(8)
    words, at_once = (
        [[rng.getrandbits(4) for _ in range(geometry.words_in)] for _ in range(images)],
        geometry.at_once,
    )
    padding_words = [9 + n % 7 for n in range(geometry.slices)]
    dut = window_part.Parameters(
        shape=4, geometry=geometry, padding_words=padding_words, store=store
    ).create()
    taken = transfer(
        dut, [word for image in words for word in image], images * geometry.words_out, seed=seed, **options
    )
    expected = []
    for image in words:
        for n, position in enumerate(geometry.positions()):
            if position is None:
                # Which word of the pixel is padded follows from the place in the loops.
                n //= at_once
                per_group = geometry.slices // geometry.groups
                window = geometry.kernel[0] * geometry.kernel[1] * per_group * geometry.repeats
                group = n // window % geometry.groups
                expected.append(padding_words[group * per_group + n % per_group])
            else:
                row, column, word = position
                expected.append(image[(row * geometry.width + column) * geometry.slices + word])
    if at_once == 1:
        return taken, expected
    # What comes past the last position of a row may be anything.
    row = geometry.words_out // geometry.out_height
    found, wanted = [], []
    for n, (cycle, word) in enumerate(taken):
        step = n % row // (row // geometry.out_steps)
        count = min(at_once, geometry.out_width - step * at_once)
        wanted.append(expected[n * at_once : n * at_once + count])
        found.append((cycle, unpack(word, 4, at_once)[:count]))
    return found, wanted


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_words_under_the_window(name, seed):
    taken, expected = run(GEOMETRIES[name], seed=seed)
    assert [word for _, word in taken] == expected


@pytest.mark.parametrize("at_once", [2, 3, 5])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_words_of_several_positions(name, at_once):
    geometry = replace(GEOMETRIES[name], rows=None)
    if at_once > geometry.out_width:
        with pytest.raises(ValueError, match=f"at_once must be in 1 ... {geometry.out_width}, not {at_once}"):
            replace(geometry, at_once=at_once)
        return
    taken, expected = run(replace(geometry, at_once=at_once), seed=at_once % 3 or None)
    assert [words for _, words in taken] == expected


def test_lut_store():
    taken, expected = run(GEOMETRIES["padded"], seed=1, store="lut")
    assert [word for _, word in taken] == expected


def test_reset_in_the_middle_of_an_image():
    taken, expected = run(GEOMETRIES["padded"], seed=1, reset_after=23)
    assert [word for _, word in taken] == expected


@pytest.mark.parametrize("seed", range(30))
def test_random_geometries(seed):
    rng = random.Random(seed)
    while True:
        kernel = rng.randint(1, 4), rng.randint(1, 4)
        groups = rng.randint(1, 3)
        try:
            geometry = Geometry(
                height=rng.randint(1, 7),
                width=rng.randint(1, 7),
                slices=groups * rng.randint(1, 3),
                kernel=kernel,
                stride=(rng.randint(1, 4), rng.randint(1, 4)),
                groups=groups,
                repeats=rng.randint(1, 3),
                padding=tuple((rng.randrange(size), rng.randrange(size)) for size in kernel),
            )
            break
        except ValueError:
            pass
    print(vars(geometry))
    taken, expected = run(geometry, images=2, seed=rng.choice([None, seed]))
    assert [word for _, word in taken] == expected


def test_rows_to_spare_let_the_next_image_in():
    about = {"height": 3, "width": 3, "slices": 1, "kernel": (3, 3), "repeats": 4}

    def last(rows):
        geometry = Geometry(**about, rows=rows)
        return run(geometry, images=4)[0][-1][0]

    assert last(6) - last(None) <= -3 * 6 + 3  # the pause before each image but the first: two of its rows
    assert last(7) == last(6)


def test_first_window_starts_when_its_rows_are_there():
    geometry = GEOMETRIES["three by three"]
    taken, _ = run(geometry)
    assert taken[0][0] == 3 * geometry.width + 1


@pytest.mark.parametrize(
    "change, message",
    [
        ({"height": 0}, "height must be at least 1, not 0"),
        ({"groups": 2}, "groups must divide the 3 words of a pixel, not 2"),
        ({"padding": ((3, 0), (0, 0))}, "row padding must be in 0 ... 2, not 3 and 0"),
        ({"padding": ((0, 0), (0, -1))}, "column padding must be in 0 ... 2, not 0 and -1"),
        ({"rows": 3}, "rows must be at least 4, not 3"),
        ({"height": 2}, "the kernel of 3 rows must fit the padded image of 2"),
    ],
)
def test_geometry_is_checked(change, message):
    with pytest.raises(ValueError, match=message):
        Geometry(**{"height": 5, "width": 5, "slices": 3, "kernel": (3, 3), **change})
