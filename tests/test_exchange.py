import json
import random

import numpy as np
import pytest

from sbgen.compiler import exchange
from sbgen.compiler.ir import Binarize
from sbgen.compiler.random_network import random_network
from sbgen.errors import ModelError


@pytest.mark.parametrize("seed", range(20))
def test_round_trip(seed, tmp_path):
    network = random_network(seed)
    exchange.save(network, tmp_path / "net.json")
    back = exchange.load(tmp_path / "net.json")
    assert back == network
    assert exchange.dumps(back) == exchange.dumps(network)
    assert [path.name for path in tmp_path.iterdir()] == ["net.json"]


def test_digest_is_of_the_content():
    network = random_network(1)
    assert exchange.digest(network) == exchange.digest(random_network(1))
    assert exchange.digest(network) != exchange.digest(random_network(2))
    assert json.loads(exchange.dumps(network))["sha256"] == exchange.digest(network)


def on_thresholds():
    """A random network that compares its pixels with thresholds."""
    return next(each for each in map(random_network, range(100)) if isinstance(each.layers[0], Binarize))


def rehashed(content):
    """A file whose content was changed by somebody who mended the digest too."""
    content["sha256"] = exchange._digest(content["network"])
    return json.dumps(content)


@pytest.mark.parametrize(
    "path, value, message",
    [
        (
            ("layers", 0, "kind"),
            "conv3d",
            (
                "kind 'conv3d'; known are add, binarize, conv2d, dense, fork, lookup, maxpool, scores,"
                " sumpool, switch, threshold"
            ),
        ),
        (("layers", 0, "thresholds"), [[1.5]], "integers are expected, not float64"),
        (("layers", 0, "thresholds"), [[1], [2, 3]], "not a legal network"),
        (("layers", -1, "weights", "shape"), [1 << 40, 1 << 40], "out of range"),
        (("layers", -1, "weights", "shape"), [3, 1000], "take 375 bytes, not"),
        (("layers", -1, "weights", "bits"), "%%%", "not a legal network"),
        (("layers", -1, "offsets"), [1 << 80], "not a legal network"),
        (("layers",), None, "not a legal network"),
        (("image_shape",), "x", "not a legal network"),
        (("labels",), [], "outputs that decide by .* need .* labels, not 0"),
    ],
)
def test_illegal_content(path, value, message):
    content = json.loads(exchange.dumps(on_thresholds()))
    at = content["network"]
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    with pytest.raises(ModelError, match=message):
        exchange.loads(rehashed(content))


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "must be JSON"),
        ("[]", "must be a sbgen-network file"),
        ("{}", "must be a sbgen-network file"),
        ('{"format": "sbgen-network", "version": 9}', "of version 9, this sbgen reads 1"),
        ('{"format": "sbgen-network", "version": 1, "network": {}}', "SHA-256 does not match"),
        ("[" * 100000, "must be JSON"),
    ],
)
def test_foreign_files(text, message):
    with pytest.raises(ModelError, match=message):
        exchange.loads(text)


def test_missing_file_and_binary_file(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        exchange.load(tmp_path / "absent.json")
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    with pytest.raises(ModelError, match="cannot be read"):
        exchange.load(tmp_path / "binary")


def test_damage_is_noticed():
    text = exchange.dumps(random_network(7))
    rng = random.Random(7)
    original = exchange.loads(text)
    for _ in range(200):
        at, character = rng.randrange(len(text)), rng.choice('0123456789abcdef"[]{},: ')
        damaged = text[:at] + character + text[at + 1 :]
        try:
            assert exchange.loads(damaged) == original, f"position {at} became {character!r}"
        except ModelError:
            pass
    for at in range(0, len(text) - 2, 101):
        with pytest.raises(ModelError):
            exchange.loads(text[:at])


def test_thresholds_come_back_as_integers():
    layer = exchange.loads(exchange.dumps(on_thresholds())).layers[0]
    assert layer.thresholds.dtype == np.int64
