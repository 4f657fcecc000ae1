import random

import pytest
from streams import beats, elements, transfer

from sbgen.hw import lookup

TABLES = {
    "pixel": list(range(256)),
    "reversed": list(range(255, -1, -1)),
    "CNV": [min(max(round((2 * pixel / 255 - 1) * 128), -127), 127) + 127 for pixel in range(256)],
    "two runs": [pixel - (pixel > 99) for pixel in range(256)],
    "one bit": [int(pixel % 5 == 0) for pixel in range(256)],
    "seven bits": [round(pixel * 0.4) for pixel in range(256)],
}


@pytest.mark.parametrize("lanes", [1, 3, 4, 10, 16])
@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("seed", [None, 1])
def test_hardware_equals_software(lanes, name, seed):
    table, rng = TABLES[name], random.Random(2)
    pixels = rng.sample(range(256), 256)
    images = [pixels[at : at + 10] for at in range(0, 250, 10)]
    words = beats(images, lanes, 8)
    unused = -10 % lanes
    if unused:  # whatever stands in the lanes past an image
        last = -(-10 // lanes) - 1
        words = [
            word | (0xFF << 8 * (lanes - 1) if n % (last + 1) == last else 0) for n, word in enumerate(words)
        ]
    width = max(table).bit_length()
    taken = transfer(
        lookup.Parameters(table=table, pixels=10, lanes=lanes).create(), words, len(words), seed=seed
    )
    found, rest = elements([word for _, word in taken], lanes, width, 10)
    assert found == [[table[pixel] for pixel in image] for image in images]
    assert not any(rest), "unused lanes must be 0"


def test_no_latency():
    taken = transfer(
        lookup.Parameters(table=TABLES["CNV"], pixels=4, lanes=2).create(), beats([[255] * 4] * 3, 2, 8), 6
    )
    assert [cycle for cycle, _ in taken] == list(range(6))


def test_runs():
    assert lookup.Parameters(table=TABLES["two runs"], pixels=4, lanes=1).runs == [(0, 0), (100, -1)]
    assert len(lookup.Parameters(table=TABLES["CNV"], pixels=4, lanes=1).runs) <= 4
    assert lookup.Parameters(table=TABLES["seven bits"], pixels=4, lanes=1).runs is None


@pytest.mark.parametrize("table", [[0] * 256, list(range(255)), [256] * 256, [-1] + [1] * 255])
def test_illegal_table(table):
    with pytest.raises(ValueError, match="table must be 256 numbers of 0 ... 255"):
        lookup.Parameters(table=table, pixels=4, lanes=1).create()
