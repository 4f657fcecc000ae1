from dataclasses import replace

import by_hand
import numpy as np
import pytest

from sbgen.compiler import amaranth_simulator, reference, simulate, verilog, waveform
from sbgen.compiler.ir import Binarize, Conv2d, Dense, Network, Scores
from sbgen.compiler.lower import lower
from sbgen.errors import ToolError


def network():
    rng = np.random.default_rng(3)

    def bits(*shape):
        return rng.integers(0, 2, shape).astype(np.uint8)

    return Network(
        name="taps",
        image_shape=(4, 5),
        labels=tuple("abc"),
        layers=(
            Binarize(name="pixels", thresholds=rng.integers(1, 256, (20, 1))),
            Conv2d(name="conv", weights=bits(5, 2, 2, 1), thresholds=rng.integers(1, 4, 5)),
            Dense(name="hidden", weights=bits(7, 60), thresholds=rng.integers(25, 36, 7)),
            Scores(name="scores", weights=bits(3, 7), offsets=rng.integers(-9, 9, 3)),
        ),
    )


def design_of(net):
    return by_hand.fold(net, (2, 2), (2, 1), (3, 8), (1, 7))


def core_of(net):
    return lower(design_of(net))


def always_on(net, layer, output):
    """The network with one neuron broken: its threshold is 0."""
    index = [each.name for each in net.layers].index(layer)
    thresholds = net.layers[index].thresholds.copy()
    thresholds[output] = 0
    return replace(
        net,
        layers=(
            *net.layers[:index],
            replace(net.layers[index], thresholds=thresholds),
            *net.layers[index + 1 :],
        ),
    )


IMAGES = np.random.default_rng(4).integers(0, 256, (3, 4, 5)).astype(np.uint8)


def simulate_with(simulator, core, net, folder):
    if simulator == "amaranth":
        amaranth_simulator.simulate(core, net, IMAGES, waves=folder / "waves.vcd")
        return
    try:
        compiled = simulate.Simulator(
            verilog.convert(core), net, lanes=core.lanes, simulator=simulator, folder=folder, waves=True
        )
    except ToolError as error:
        pytest.skip(str(error))
    compiled.run(IMAGES)


@pytest.mark.parametrize("simulator", ["amaranth", "icarus"])
class TestFirstFault:
    def test_none_where_all_is_right(self, simulator, tmp_path):
        net = network()
        simulate_with(simulator, core_of(net), net, tmp_path)
        beats = waveform._beats(tmp_path / "waves.vcd", {"binarize_0", "mvtu_1", "mvtu_2", "mvtu_3"})
        assert {name: len(words) for name, words in beats.items()} == {
            "binarize_0": 30,
            "mvtu_1": 3 * 12 * 3,
            "mvtu_2": 9,
            "mvtu_3": 9,
        }
        assert waveform.first_fault(tmp_path / "waves.vcd", design_of(net), IMAGES) is None

    @pytest.mark.parametrize("layer", ["conv", "hidden"])
    def test_names_layer_image_and_index(self, simulator, layer, tmp_path):
        net = network()
        index = [each.name for each in net.layers].index(layer)
        output = np.argwhere(reference.run(net, IMAGES)[index] == 0)[-1][-1]
        broken = always_on(net, layer, output)
        core = core_of(broken)
        simulate_with(simulator, core, net, tmp_path)
        first = np.argwhere(reference.run(net, IMAGES)[index] != reference.run(broken, IMAGES)[index])[0]
        fault = waveform.first_fault(tmp_path / "waves.vcd", design_of(net), IMAGES)
        assert (fault.layer, fault.image, fault.index) == (layer, first[0], tuple(first[1:]))
        assert (fault.expected, fault.found) == (0, 1)

    def test_signed_scores(self, simulator, tmp_path):
        net = network()
        offsets = net.layers[-1].offsets.copy()
        offsets[1] -= 10  # as many bits
        broken = replace(net, layers=(*net.layers[:-1], replace(net.layers[-1], offsets=offsets)))
        core = core_of(broken)
        simulate_with(simulator, core, net, tmp_path)
        fault = waveform.first_fault(tmp_path / "waves.vcd", design_of(net), IMAGES)
        assert (fault.layer, fault.image, fault.index) == (
            "scores",
            0,
            (1,),
        ) and fault.found == fault.expected - 10


def test_find_nothing_in_a_waveform_without_the_stages(tmp_path):
    (tmp_path / "waves.vcd").write_text(
        "$scope module top $end\n$var wire 1 ! clk $end\n$upscope $end\n$enddefinitions $end\n#0\n1!\n"
    )
    net = network()
    assert waveform.first_fault(tmp_path / "waves.vcd", design_of(net), IMAGES) is None


def test_names_as_verilator_writes_them(tmp_path):
    # Names that begin with $, a second name for a signal, a range after a name, and x that fills a word.
    (tmp_path / "waves.vcd").write_text(
        "$scope module top $end\n$var wire 1 ! clk $end\n$scope module mvtu_1 $end\n$var wire 1 % $1 $end\n"
        '$var wire 1 " o__valid $end\n$var wire 1 # o__ready$5 $end\n$var wire 4 $ o__payload [3:0] $end\n'
        "$upscope $end\n$upscope $end\n$enddefinitions $end\n"
        '#0\n0!\n1"\n1#\nb10 $\n#1\n1!\nb111 $\n#2\n0!\n#3\n1!\n0"\n'
        'bx1 $\n#4\n0!\n#5\n1!\n1"\n#6\n0!\n#7\n1!\n'
    )
    assert waveform._beats(tmp_path / "waves.vcd", {"mvtu_1", "mvtu_2"}) == {
        "mvtu_1": ["0010", "0111", "xxx1"]
    }
