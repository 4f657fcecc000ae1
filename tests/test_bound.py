import numpy as np

from sbgen.compiler.bound import bounds
from sbgen.compiler.device import DEVICES
from sbgen.compiler.ir import Binarize, Conv2d, Dense, Network, Scores


def test_dense_network_by_hand():
    # 48 x 1000 and 2 x 48 weights; 30 block RAMs of 16 bits; 5280 LUTs at 1.8 a product make 2933 products a
    # cycle. The host link takes at most 255 of the 1000 pixels at once.
    network = Network(
        name="net",
        image_shape=(1000,),
        labels=("a", "b"),
        layers=(
            Binarize(name="pixels", thresholds=np.full((1000, 1), 128)),
            Dense(name="dense", weights=np.zeros((48, 1000), int), thresholds=np.zeros(48, int)),
            Scores(name="scores", weights=np.zeros((2, 48), int), offsets=np.zeros(2, int)),
        ),
    )
    assert bounds(network, DEVICES["up5k"]) == {
        "memory ports": 101,
        "stages as built": 4,
        "LUTs": 17,
        "results": 2,
    }


def test_convolutions_count_at_each_position_and_plane():
    # 64 x 9 x 3 weights at 30 x 30 positions in 8 planes, and 10 x 57600 once.
    network = Network(
        name="net",
        image_shape=(32, 32, 3),
        labels=tuple("0123456789"),
        layers=(
            Conv2d(name="conv", weights=np.zeros((64, 3, 3, 3), int), thresholds=np.zeros(64, int), planes=8),
            Scores(name="scores", weights=np.zeros((10, 57600), int), offsets=np.zeros(10, int)),
        ),
    )
    products = 64 * 27 * 900 * 8 + 576000
    assert bounds(network, DEVICES["ecp5-85f"]) == {
        "memory ports": -(-(1728 + 576000) // 7488),
        "stages as built": 30 * 32 * 3,
        "LUTs": -(-products * 18 // 836400),
        "results": 10,
    }
