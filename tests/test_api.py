"""The Python API, and that its doctests say what is so."""

import doctest
import importlib
import subprocess
import sys

import numpy as np
import pytest

import sbgen
from sbgen import cli, engines, verification
from sbgen.compiler import design_file, exchange, fast_reference
from sbgen.compiler.cycles import predict
from sbgen.compiler.estimate import estimate
from sbgen.compiler.frontends import model as model_file
from sbgen.compiler.simulate import Simulation
from sbgen.errors import BoardError, DataError, FitError, ModelError
from sbgen.verdict import MismatchError

MODULES = ["network", "design", "build", "inputs"]


@pytest.fixture(scope="module")
def network():
    return sbgen.load("digits")


@pytest.fixture(scope="module")
def design(network):
    return network.fold("icebreaker", fps=100_000)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(2).integers(0, 17, (4, 8, 8)).astype(np.uint8)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    module = importlib.import_module(f"sbgen.api.{name}")
    outcome = doctest.testmod(module)
    assert outcome.failed == 0 and (outcome.attempted or name in ("build", "inputs"))


def test_import_is_cheap():
    code = (
        "import sys, sbgen; slow = {'numpy', 'amaranth', 'torch', 'jinja2', 'sklearn'} & {*sys.modules};"
        " assert not slow, slow; assert 'load' in dir(sbgen)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_all_public_names_are_there():
    assert all(getattr(sbgen, name) for name in sbgen.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'lode'"):
        assert sbgen.lode


class TestNetwork:
    def test_what_it_is(self, network):
        assert network.labels == tuple("0123456789") and network.name == "digits" and network.recipe is None
        assert repr(network).startswith("LoadedNetwork(digits: 8 x 8 pixels, 4 layers, 82,560 weights")
        assert "linear1" in network._repr_html_()

    def test_scores_are_those_of_the_reference(self, network, images):
        scores, classes = fast_reference.evaluate(network.integer, images)
        assert np.array_equal(network.scores(images.reshape(4, 64)), scores)
        assert np.array_equal(network.predict(images), classes)

    def test_a_file_of_samples(self, network, images, tmp_path):
        np.savez(tmp_path / "x.npz", images=images)
        assert np.array_equal(network.images(tmp_path / "x.npz"), images)
        assert np.array_equal(network.predict(str(tmp_path / "x.npz")), network.predict(images))

    @pytest.mark.parametrize("x", [np.zeros((2, 8, 8)), np.zeros((2, 63), np.uint8), np.zeros((), np.uint8)])
    def test_other_arrays(self, network, x):
        with pytest.raises(DataError, match=r"array of uint8 \(N, ...\) with 64 pixels each \(8 x 8\)"):
            network.predict(x)

    def test_no_file(self):
        with pytest.raises(ModelError, match="shipped models are"):
            sbgen.load("digit")

    def test_a_recipe_makes_inputs_of_numbers(self, tmp_path):
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(60, 3)), np.repeat([0, 1, 2], 20)
        X[np.arange(60), y] += 4
        trained = sbgen.Classifier(hidden=(8,), epochs=2, random_state=0).fit(X, y)
        trained.save(tmp_path / "net.pt")
        network = sbgen.load(tmp_path / "net.pt")
        assert network.recipe is not None
        assert np.array_equal(network.images(X), trained.recipe_.apply(X))
        assert np.array_equal(network.predict(X), trained.predict(X))
        assert np.array_equal(network.predict(X), network.predict(network.images(X)))


class TestFold:
    def test_as_the_command_line_folds(self, network, design):
        assert design.cycles() == predict(design.foldings)
        assert (
            design.estimate().resources["lut"]["used"]
            == estimate(design.foldings, design.target.device)["lut"]
        )
        assert design.estimate().images_per_second >= 100_000
        assert design.target.board.name == "icebreaker" and design.network is network

    def test_an_estimate_prints_what_the_command_prints(self, network, design, tmp_path, capsys):
        exchange.save(network.integer, tmp_path / "network.json")
        design.save(tmp_path / "design.json")
        options = ["--board", "icebreaker", "--design", str(tmp_path / "design.json")]
        assert cli.main(["estimate", "--model", str(tmp_path / "network.json"), *options]) == 0
        wanted = [line for line in capsys.readouterr().out.splitlines() if "estimated in" not in line]
        found = str(network.fold("icebreaker", design=tmp_path / "design.json").estimate()).splitlines()
        assert len(found) > 12 and found == wanted[: len(found)] and not any(wanted[len(found) :])

    def test_a_design_file(self, network, design, tmp_path):
        design.save(tmp_path / "design.json")
        again = network.fold("icebreaker", design=tmp_path / "design.json")
        assert again.foldings == design.foldings
        assert design_file.load(tmp_path / "design.json", network.integer) == design.foldings

    @pytest.mark.parametrize("pe", ["linear1=4", {"linear1": 4}])
    def test_by_hand(self, network, design, pe):
        by_hand = network.fold("ulx3s_85f", fps=1000, pe=pe)
        assert by_hand.estimate().layers[1]["pe"] == 4
        assert network.fold("ulx3s_85f", pe=[4, 2, 1], simd=(8, 8, 8)).estimate().layers[3]["simd"] == 8

    def test_a_part(self, network):
        found = network.fold(part="lut6=53200,bram36=140", clock=50).estimate()
        assert (found.clock_mhz, found.host_link) == (50, False)
        with pytest.raises(BoardError, match="must be for a board"):
            network.fold(part="xc7z020").build("never")

    def test_patchable(self, network):
        assert network.fold("icebreaker", fps=1000, patchable=True).foldings.patchable

    @pytest.mark.parametrize("target", [{}, {"board": "icebreaker", "part": "xc7z020"}])
    def test_a_board_or_a_part(self, network, target):
        with pytest.raises(BoardError, match="a board or a part"):
            network.fold(**target)

    def test_refusals(self, network):
        with pytest.raises(FitError, match="cycles"):
            network.fold("icebreaker", fps=1e9)
        with pytest.raises(ModelError, match="whole numbers"):
            network.fold("icebreaker", pe=3)

    def test_the_picture(self, design):
        page = design._repr_html_()
        assert page.count("<svg") == 1 and "linear2" in page and "100" in page and ":root" not in page


class TestEngines:
    def test_components_have_the_scores_of_the_reference(self, design, images):
        found = design.scores(images[:1], engine="amaranth")
        assert np.array_equal(found, design.scores(images[:1])) and found.shape == (1, 10)

    def test_hardware_that_differs_is_an_error(self, design, images, monkeypatch):
        def wrong(core, network, images, **settings):
            scores, classes = fast_reference.evaluate(network, images)
            return Simulation(
                scores=scores + 1,
                ranked=classes[:, None],
                first_beats=scores[:, 0],
                last_scores=scores[:, 0],
                simulator="wrong",
            )

        monkeypatch.setattr(engines.amaranth_simulator, "simulate", wrong)
        with pytest.raises(MismatchError, match="the components in wrong must have the scores"):
            design.predict(images, engine="amaranth")

    def test_no_such_engine(self, design, images):
        with pytest.raises(ModelError, match="reference, amaranth, verilog.*is of a build"):
            design.predict(images, engine="netlist")


@pytest.fixture(scope="module")
def built(design, tmp_path_factory):
    folder = tmp_path_factory.mktemp("api") / "out"
    return design.build(folder, bitstream=False, simulate=False, images=3)


class TestBuild:
    def test_is_what_the_command_builds(self, built, design, tmp_path, capsys):
        options = ["--fps", "100000", "--no-bitstream", "--no-sim", "--images", "3"]
        out = ["--out", str(tmp_path / "out")]
        assert cli.main(["build", "--model", "digits", "--board", "icebreaker", *options, *out]) == 0
        for path in built.folder.iterdir():
            assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes(), path.name
        assert built.verilog == design.verilog
        assert exchange.load(built.folder / "network.json") == design.network.integer

    def test_its_report(self, built):
        assert built.report["board"] == "icebreaker" and built.report["verdict"]["status"] == "not run"
        assert "digits on icebreaker" in repr(built) and "not simulated" in repr(built)
        assert built._repr_html_().startswith('<iframe srcdoc="&lt;!')
        assert sbgen.open_build(str(built.folder)).report == built.report

    def test_predicts(self, built, network, images):
        assert np.array_equal(built.predict(images), network.predict(images))
        assert np.array_equal(built.scores(images), network.scores(images))
        with pytest.raises(ModelError, match="reference, verilog, netlist"):
            built.predict(images, engine="board")

    def test_verify(self, built, monkeypatch, capsys):
        monkeypatch.setattr(verification, "LEVELS", verification.LEVELS[:2])
        ledger = built.verify(images=2, seed=1)
        assert not ledger.failed and ledger.outcomes[0].status == "PASS"
        assert "files of the build" in str(ledger) and "files of the build" in ledger._repr_html_()
        assert capsys.readouterr().out == ""
        (built.folder / "core.v").write_text(built.verilog + "\n")
        assert built.verify(images=1, seed=1).failed

    def test_no_build(self, tmp_path):
        with pytest.raises(ModelError, match="must be a folder of `sbgen build`"):
            sbgen.open_build(tmp_path)

    def test_no_self_test_without_a_led(self, network):
        with pytest.raises(BoardError, match="LED"):
            network.fold("colorlight_5a_75b").build("never", self_test=True)


def test_the_model_of_a_loaded_network(network):
    assert network.model.sha256 == model_file.load("digits").sha256
