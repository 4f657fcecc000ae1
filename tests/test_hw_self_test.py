"""`sbgen.hw.self_test`: what a core is given, and which results are noticed."""

import random

import pytest
from amaranth.sim import Simulator
from streams import elements

from sbgen.hw.self_test import Parameters, SelfTest, signature


def parameters(seed, **changes):
    rng = random.Random(seed)
    print("seed", seed)
    bits = rng.choice([1, 2, 3, 4, 5, 8])
    levels = (
        sorted(rng.sample(range(1, 256), rng.randint(1, min(15, 2**bits - 1)))) if rng.random() < 0.5 else []
    )
    most = len(levels) if levels else 2**bits - 1
    pixels, images = rng.randint(1, 12), rng.randint(1, 5)
    outputs, signs = rng.randint(2, 5), rng.random() < 0.3
    settings = {
        "codes": tuple(rng.randint(0, most) for _ in range(pixels * images)),
        "bits": bits,
        "levels": tuple(levels),
        "pixels": pixels,
        "lanes": rng.randint(1, pixels),
        "outputs": outputs,
        "score_width": 9,
        "top_k": 1,
        "signs": signs,
        "labels": tuple(rng.randrange(2**outputs if signs else outputs) for _ in range(images)),
        "signature": 0,
        "store": rng.choice(["bram", "lut"]),
        "patience": 400,
    }
    scores = [[rng.randint(-256, 255) for _ in range(outputs)] for _ in range(images)]
    settings["signature"] = signature([score for image in scores for score in image])
    return Parameters(**(settings | changes)), scores


def run(p, scores, *, rounds=3, wrong=None, silent_after=None, stalls=None):
    """Play the core: (pixels of each image given, (passed, failed) at the end of each round).

    Parameters
    ----------
    wrong : (int, int, str) or None
        Round and image that get another ``"score"`` or ``"label"``.
    silent_after : int or None
        Images after which the core outputs no more.
    stalls : int or None
        Seed of random stalls of the core.
    """
    dut, rng = SelfTest(p), random.Random(stalls)
    given, states = [], []

    async def core(ctx):
        ctx.set(dut.run, 1)
        for n in range(rounds * len(p.labels)):
            beats = []
            while len(beats) < -(-p.pixels // p.lanes):
                ready = stalls is None or rng.random() < 0.6
                ctx.set(dut.pixels.ready, ready)
                valid, payload = ctx.get(dut.pixels.valid), ctx.get(dut.pixels.payload.as_value())
                await ctx.tick()
                if ready and valid:
                    beats.append(payload)
            ctx.set(dut.pixels.ready, 0)
            given.append(elements(beats, p.lanes, 8, p.pixels)[0][0])
            if silent_after is not None and n >= silent_after:
                continue
            turn, image = divmod(n, len(p.labels))
            what = wrong[2] if wrong and wrong[:2] == (turn, image) else None
            for at, score in enumerate(scores[image]):
                if stalls is not None:
                    await ctx.tick().repeat(rng.randint(1, 4))
                ctx.set(dut.results.valid, 1)
                ctx.set(dut.results.payload.score, score ^ (what == "score" and at == 1))
                ctx.set(dut.results.payload.label, p.labels[image] ^ (what == "label"))
                ctx.set(dut.results.payload.last, at == len(scores[image]) - 1)
                assert ctx.get(dut.results.ready)
                await ctx.tick()
                ctx.set(dut.results.valid, 0)
            if image == len(p.labels) - 1:
                await ctx.tick().repeat(3)
                states.append((ctx.get(dut.passed), ctx.get(dut.failed)))
        await ctx.tick().repeat(2 * p.patience if silent_after is not None else 1)
        states.append((ctx.get(dut.passed), ctx.get(dut.failed)))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(core)
    simulator.run()
    return given, states


@pytest.mark.parametrize("seed", range(40))
def test_images_are_given_in_turn_and_right_results_pass(seed):
    p, scores = parameters(seed)
    given, states = run(p, scores, stalls=None if seed % 3 else seed)
    values = [0, *p.levels] if p.levels else range(256)
    images = [
        [values[code] for code in p.codes[at : at + p.pixels]] for at in range(0, len(p.codes), p.pixels)
    ]
    assert given == 3 * images
    assert states == 4 * [(1, 0)]


@pytest.mark.parametrize("what", ["score", "label"])
@pytest.mark.parametrize("seed", range(8))
def test_a_wrong_result_in_any_round_fails_from_then_on(seed, what):
    p, scores = parameters(seed)
    image = seed % len(p.labels)
    assert run(p, scores, wrong=(1, image, what))[1] == [(1, 0), (0, 1), (0, 1), (0, 1)]
    assert run(p, scores, wrong=(0, image, what), rounds=2)[1] == [(0, 1), (0, 1), (0, 1)]


@pytest.mark.parametrize("silent_after", [0, 1])
def test_a_core_without_results_fails(silent_after):
    p, scores = parameters(3)
    assert len(p.labels) > 1
    assert run(p, scores, rounds=1, silent_after=silent_after)[1][-1] == (0, 1)


def test_nothing_is_given_before_it_runs():
    p, _ = parameters(1)
    dut = SelfTest(p)

    async def wait(ctx):
        ctx.set(dut.pixels.ready, 1)
        for _ in range(2 * p.patience):
            await ctx.tick()
            assert not ctx.get(dut.pixels.valid) and not ctx.get(dut.failed) and not ctx.get(dut.passed)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(wait)
    simulator.run()


def test_signature_tells_single_scores_apart():
    rng = random.Random(0)
    scores = [rng.randint(-999, 999) for _ in range(100)]
    for n in range(100):
        for bit in range(11):
            other = [*scores[:n], scores[n] ^ (1 << bit), *scores[n + 1 :]]
            assert signature(other) != signature(scores)


@pytest.mark.parametrize(
    "changes", [{"codes": ()}, {"labels": ()}, {"bits": 0}, {"bits": 9}, {"patience": 0}]
)
def test_parameters_are_checked(changes):
    with pytest.raises(ValueError):
        parameters(0, **changes)
