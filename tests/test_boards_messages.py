"""Messages of the host link: packing of images, and what boards answer."""

import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sbgen.boards import messages
from sbgen.boards.frames import Frame, Reader
from sbgen.boards.messages import WANT_ALL, WANT_CLASS, Identity, Weights
from sbgen.errors import LinkError

DIGEST = bytes(range(8))
EXAMPLE = Identity(
    lanes=2,
    outputs=3,
    pixels=6,
    digest=DIGEST,
    pixel_bits=2,
    levels=(64, 160),
    score_bytes=2,
    top_k=1,
    frame_images=56,
    store_bytes=240,
    image_cycles=20,
    byte_cycles=40,
)


def random_identity(rng):
    """Any identity that a board can have."""
    bits = rng.randint(1, 8)
    levels = ()
    if bits <= 4 and rng.random() < 0.7:
        count = rng.randint(1 << bits - 1, (1 << bits) - 1)
        levels = tuple(sorted(rng.sample(range(1, 256), count)))
    outputs, signs = rng.choice([1, 2, 9, 256, 257, 700]), rng.random() < 0.4
    return Identity(
        lanes=rng.randint(1, 255),
        outputs=outputs,
        pixels=rng.randint(1, 70),
        digest=rng.randbytes(8),
        signs=signs,
        pixel_bits=bits,
        levels=levels,
        score_bytes=rng.randint(1, 4),
        top_k=0 if signs else rng.randint(1, min(outputs, 9)),
        frame_images=rng.randint(1, 255),
        store_bytes=rng.randint(16, 2**20),
        image_cycles=rng.randint(1, 2**31),
        byte_cycles=rng.randint(40, 2**15),
        wake=rng.randint(0, 2**16 - 1),
        weights=Weights(state=rng.randint(0, 2), checksum=rng.getrandbits(32))
        if rng.random() < 0.3
        else None,
    )


@pytest.mark.parametrize("seed", range(40))
def test_identities_come_back(seed):
    identity = random_identity(random.Random(seed))
    frame = Frame(command=0x81, sequence=0, payload=identity.encode())
    assert messages.parse_identity(frame) == identity


@pytest.mark.parametrize(
    "state, words",
    [
        (0, "loading"),
        (1, "CRC-32 12345678, loaded"),
        (2, "CRC-32 12345678, wrong: not those of the bitstream"),
    ],
)
def test_state_of_the_weights(state, words):
    weights = Weights(state=state, checksum=0x12345678)
    assert (str(weights), weights.loaded) == (words, state == 1)


@pytest.mark.parametrize("version", [0, 1, 2, 4])
def test_other_versions_are_refused(version):
    payload = bytes([version]) + EXAMPLE.encode()[1:]
    sentence = f"speaks {version}" + (r" \(sbgen 0.1\)" if version in (1, 2) else "") + "; build"
    with pytest.raises(LinkError, match=sentence):
        messages.parse_identity(Frame(command=0x81, sequence=0, payload=payload))
    with pytest.raises(LinkError, match="speaks none"):
        messages.parse_identity(Frame(command=0x81, sequence=0))


def test_identities_of_another_length_are_refused():
    whole = EXAMPLE.encode()
    for payload in (*(whole[:n] for n in range(1, len(whole))), whole + b"\0"):
        with pytest.raises(LinkError, match="as long as its fields"):
            messages.parse_identity(Frame(command=0x81, sequence=0, payload=payload))


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ({"lanes": 0}, "one lane"),
        ({"outputs": 0, "top_k": 0}, "one lane"),
        ({"pixels": 0}, "one lane"),
        ({"pixel_bits": 0, "levels": ()}, "pixels of 1"),
        ({"pixel_bits": 9, "levels": ()}, "pixels of 1"),
        ({"score_bytes": 0}, "scores of 1"),
        ({"score_bytes": 5}, "scores of 1"),
        ({"frame_images": 0}, "image per request"),
        ({"byte_cycles": 0}, "image per request"),
        ({"levels": (0, 3)}, "rising"),
        ({"levels": (9, 3)}, "rising"),
        ({"levels": (3, 3)}, "rising"),
        ({"levels": (3, 4, 5, 6)}, "rising"),
        ({"pixel_bits": 8, "levels": tuple(range(1, 17))}, "rising"),
        ({"top_k": 4}, "best classes"),
        ({"signs": True}, "best classes"),
    ],
)
def test_impossible_identities_are_refused(wrong, sentence):
    payload = replace(EXAMPLE, **wrong).encode()
    with pytest.raises(LinkError, match=f"a board must have .*{sentence}"):
        messages.parse_identity(Frame(command=0x81, sequence=0, payload=payload))


def test_images_must_be_as_long_as_their_pixels():
    payload = bytearray(EXAMPLE.encode())
    payload[20] += 1
    with pytest.raises(LinkError, match="as long as their pixels"):
        messages.parse_identity(Frame(command=0x81, sequence=0, payload=bytes(payload)))


@pytest.mark.parametrize("seed", range(40))
def test_packing(seed):
    """Against the definition: one bit after the other."""
    identity = random_identity(random.Random(seed))
    bits = identity.pixel_bits
    high = 256 if identity.levels else 1 << bits
    images = np.random.default_rng(seed).integers(0, high, (3, identity.pixels)).astype(np.uint8)
    packed = identity.pack(images)
    assert packed.shape == (3, identity.image_bytes) and packed.dtype == np.uint8
    for image, line in zip(images.tolist(), packed, strict=True):
        number = int.from_bytes(line.tobytes(), "little")
        for pixel in image:
            code = sum(level <= pixel for level in identity.levels) if identity.levels else pixel
            assert number % (1 << bits) == code
            number >>= bits
        assert number == 0
    back = identity.unpack(packed.tobytes())
    assert np.array_equal(identity.pack(back), packed) and (back <= images).all()


def test_images_that_cannot_be_packed():
    with pytest.raises(LinkError, match="raw uint8 pixels, not float64"):
        EXAMPLE.pack(np.zeros((1, 6)))
    with pytest.raises(LinkError, match="must have 6 pixels .* not 7"):
        EXAMPLE.pack(np.zeros((1, 7), np.uint8))
    narrow = replace(EXAMPLE, levels=())
    assert narrow.pack(np.full((1, 6), 3, np.uint8)).tolist() == [[255, 15]]
    with pytest.raises(LinkError, match="at most 2 bits for this board, but one is 4"):
        narrow.pack(np.full((1, 6), 4, np.uint8))


@pytest.mark.parametrize("seed", range(40))
def test_results(seed):
    """Against the definition, number by number."""
    rng = random.Random(seed)
    identity = random_identity(rng)
    outputs, width = identity.outputs, identity.score_bytes
    want = rng.choice([WANT_CLASS, WANT_ALL, *range(1, identity.top_k + 1)])
    low, high = -(1 << 8 * width - 1), (1 << 8 * width - 1) - 1
    payload, expected = b"", []
    for _ in range(3):
        scores = np.array([rng.choice([low, -1, 0, high, rng.randint(low, high)]) for _ in range(outputs)])
        order = np.argsort(-scores, kind="stable")
        if identity.signs:
            bits = sum(int(score >= 0) << n for n, score in enumerate(scores.tolist()))
            decision = bits.to_bytes(-(-outputs // 8), "little")
        else:
            decision = int(order[0]).to_bytes(1 if outputs <= 256 else 2, "little")
        if want == WANT_ALL:
            payload += b"".join(int(each).to_bytes(width, "little", signed=True) for each in scores)
        if want in (WANT_CLASS, WANT_ALL):
            payload += decision
        for each in order[:want].tolist() if 0 < want < WANT_ALL else ():
            payload += each.to_bytes(1 if outputs <= 256 else 2, "little")
            payload += int(scores[each]).to_bytes(width, "little", signed=True)
        expected.append((scores, order))
    frame = Frame(command=0x82, sequence=0, payload=payload)
    results = messages.parse_results(frame, identity=identity, want=want, images=3)
    assert messages.result_bytes(identity, want) * 3 == len(payload)
    for n, (scores, order) in enumerate(expected):
        assert np.array_equal(results.labels[n], identity.decide(scores))
        if want == WANT_ALL:
            assert np.array_equal(results.scores[n], scores)
        if 0 < want < WANT_ALL:
            assert np.array_equal(results.best[n], order[:want])
            assert np.array_equal(results.best_scores[n], scores[order[:want]])
    with pytest.raises(LinkError, match="results of 3 images must have"):
        messages.parse_results(
            replace(frame, payload=payload + b"\0"), identity=identity, want=want, images=3
        )


@pytest.mark.parametrize("want, payload", [(WANT_CLASS, b"\3"), (1, b"\3\0\0"), (WANT_ALL, bytes(6) + b"\3")])
def test_a_class_that_the_network_does_not_have(want, payload):
    with pytest.raises(LinkError, match="a class must be below 3, but the board reports 3"):
        messages.parse_results(
            Frame(command=0x82, sequence=0, payload=payload), identity=EXAMPLE, want=want, images=1
        )


def test_the_documents_example():
    page = (Path(__file__).parents[1] / "docs" / "link.md").read_text(encoding="utf-8")
    packed = EXAMPLE.pack(np.array([[0, 63, 64, 159, 160, 255], [255, 0, 0, 0, 0, 64]], np.uint8))
    assert [line.tobytes().hex(" ") for line in packed] == ["50 0a", "02 04"]
    scores = b"".join(score.to_bytes(2, "little", signed=True) for score in (-3, 0, 7, 300, -1, 2))
    frames = [
        messages.identify(sequence=3),
        Frame(command=0x81, sequence=3, payload=EXAMPLE.encode()),
        messages.classify(sequence=4, packed=packed),
        Frame(command=0x82, sequence=4, payload=bytes([2, 0])),
        messages.classify(sequence=5, packed=packed, want=WANT_ALL),
        Frame(command=0x82, sequence=5, payload=scores[:6] + b"\2" + scores[6:] + b"\0"),
    ]
    section = page[page.index("## An example") : page.index("## Guarantees")]
    blocks = "\n".join(re.findall(r"```\n(.*?)```", section, flags=re.DOTALL))
    line = bytes.fromhex(blocks)
    assert Reader().feed(line) == frames
    assert line == b"".join(frame.encode() for frame in frames)
