import json
import sys

import pytest
from fake_tools import PLACE, SYNTHESIS, VERILOG

from sbgen import boards, tools
from sbgen.boards import flow, harness, seeds
from sbgen.boards.ecp5.constraints import lpf
from sbgen.boards.plan import Step
from sbgen.cache import Cache
from sbgen.console import Console
from sbgen.errors import FitError, ToolError


@pytest.fixture
def fake(monkeypatch):
    """Tools that do nothing but leave what the flow reads."""

    def install(*, fmax=(0, 50, 50, 50, 50), used=700, slow=()):
        texts = {
            "yosys": SYNTHESIS,
            "nextpnr-ice40": PLACE.format(fmax=fmax, used=used, slow=slow),
            "icepack": "open('top.bin', 'w').write(open('top.asc').read())",
        }
        monkeypatch.setattr(
            tools,
            "find",
            lambda name: tools.Tool(
                name=name, argv=(sys.executable, "-c", texts[name]), version=f"{name} 1.0", origin="test"
            ),
        )

    return install


def plan(*, clock_margin=flow.MARGIN, **settings):
    return flow.plan(
        verilog=VERILOG, board=boards.get("icebreaker"), margin=clock_margin, **{"clock_mhz": 48, **settings}
    )


class TestPlan:
    def test_lists_every_file_and_command_beforehand(self, fake):
        fake()
        made = plan()
        assert list(made.files) == ["top.v", "top.pcf", "brams.v"]
        assert [step.tool.name for step in made.steps] == ["yosys", *["nextpnr-ice40"] * 4, "icepack"]
        place = made.placements[0].args
        assert place[:3] == ("--up5k", "--package", "sg48")
        assert place[place.index("--freq") + 1] == "49.44"
        # A smaller margin is another verdict on the same place and route; a larger one is more to aim at.
        assert plan(clock_margin=0).placements == made.placements != plan(clock_margin=0.1).placements

    def test_ecp5_without_wide_luts(self, monkeypatch):
        monkeypatch.setattr(
            tools, "find", lambda name: tools.Tool(name=name, argv=(name,), version="1.0", origin="test")
        )
        made = flow.plan(verilog=VERILOG, board=boards.get("ulx3s_85f"))
        assert "-nowidelut" in made.synthesis.args[1]
        assert made.placements[0].args[:5] == ("--85k", "--package", "CABGA381", "--speed", "6")
        assert made.bitstream == "top.bit"

    def test_digest_changes_with_whatever_changes_the_bitstream(self, fake, monkeypatch):
        fake()
        digests = [
            plan().digest,
            plan(clock_mhz=50).digest,
            plan(seeds=(1, 2)).digest,
            plan(every_seed=True).digest,
            flow.plan(verilog=VERILOG + "\n", board=boards.get("icebreaker")).digest,
        ]
        assert plan().digest == digests[0]
        find = tools.find
        monkeypatch.setattr(
            tools,
            "find",
            lambda name: tools.Tool(name=name, argv=find(name).argv, version="2.0", origin="test"),
        )
        digests.append(plan().digest)
        assert len(set(digests)) == len(digests)

    def test_digest_does_not_depend_on_where_a_tool_lies(self, fake, monkeypatch):
        fake()
        first = plan().digest
        find = tools.find
        monkeypatch.setattr(
            tools,
            "find",
            lambda name: tools.Tool(
                name=name, argv=("/elsewhere", *find(name).argv), version=find(name).version, origin="PATH"
            ),
        )
        assert plan().digest == first

    def test_missing_tool_is_reported_before_anything_runs(self, monkeypatch):
        def find(name):
            raise ToolError(f"{name} is not installed")

        monkeypatch.setattr(tools, "find", find)
        with pytest.raises(ToolError, match="nextpnr-ice40 is not installed"):
            plan()


class TestImplement:
    def implement(self, folder, *, cache=None, jobs=2, **settings):
        folder.mkdir(exist_ok=True)
        return flow.implement(plan(**settings), folder=folder, console=Console(), cache=cache, jobs=jobs)

    @pytest.mark.parametrize("margin", [0, 0.03, 0.13])
    def test_clocks_with_a_requirement_of_their_own_count_by_their_share(self, fake, tmp_path, margin):
        fake()
        aim = plan(clock_margin=margin).aim_mhz
        clocks = {"core": (52, aim), "usb": (60, 48.0), "gated": (51, round(aim, 3))}

        def write(**changes):
            fmax = {
                name: {"achieved": achieved, "constraint": constraint}
                for name, (achieved, constraint) in (clocks | changes).items()
            }
            (tmp_path / "report.json").write_text(json.dumps({"fmax": fmax, "utilization": {}}))
            return seeds.read_report(tmp_path / "report.json", aim_mhz=aim)[0]

        assert write() == 51
        # 48 MHz is an aim of its own where the core's is another by more than rounding.
        if abs(aim / 48 - 1) > 0.01:
            assert write(usb=(43.2, 48.0)) == pytest.approx(0.9 * aim)

    def test_first_seed_that_meets_the_clock(self, fake, tmp_path):
        fake(fmax=(0, 40, 49.4, 49.5, 60))
        done = self.implement(tmp_path)
        assert (done.seed, done.fmax_mhz, done.clock_mhz, done.margin) == (3, 49.5, 48, 0.03)
        assert done.bitstream.read_text() == "3"
        assert done.resources == {
            "lut": {"used": 700, "available": 5280},
            "ff": {"used": 2, "available": 5280},
            "bram": {"used": 0, "available": 30},
            "spram": {"used": 0, "available": 4},
            "dsp": {"used": 0, "available": 8},
        }
        assert done.tools == {name: f"{name} 1.0" for name in ("yosys", "nextpnr-ice40", "icepack")}

    @pytest.mark.parametrize("jobs", [1, 4])
    def test_an_earlier_seed_is_waited_for_and_later_ones_are_not(self, fake, tmp_path, jobs):
        fake(fmax=(0, 40, 50, 60, 60), slow=(3, 4))
        done = self.implement(tmp_path, jobs=jobs)  # seeds 3 and 4 never end by themselves
        assert [(trial.seed, trial.fmax_mhz) for trial in done.trials] == [(1, 40), (2, 50)]
        assert (done.seed, done.bitstream.read_text()) == (2, "2")

    def test_every_seed_and_the_best(self, fake, tmp_path):
        fake(fmax=(0, 49, 48.5, 61, 60))
        done = self.implement(tmp_path, every_seed=True)
        assert (done.seed, done.fmax_mhz, len(done.trials)) == (3, 61, 4)

    def test_goes_on_where_an_earlier_build_ended(self, fake, tmp_path, monkeypatch):
        fake(fmax=(0, 40, 50, 50, 50))
        finished = Cache(tmp_path / "cache")
        first = self.implement(tmp_path / "a", cache=finished, jobs=1)
        ran = []
        run = tools.run
        monkeypatch.setattr(
            tools,
            "run",
            lambda tool, *args, **settings: ran.append(tool.name) or run(tool, *args, **settings),
        )
        second = self.implement(tmp_path / "b", cache=finished, jobs=1)
        assert ran == ["icepack"] and second.bitstream.read_bytes() == first.bitstream.read_bytes()
        assert (second.fmax_mhz, second.resources, second.trials) == (
            first.fmax_mhz,
            first.resources,
            first.trials,
        )
        # Another clock is another place and route of the same netlist.
        ran.clear()
        self.implement(tmp_path / "c", cache=finished, clock_mhz=45, jobs=1)
        assert ran == ["nextpnr-ice40", "nextpnr-ice40", "icepack"]

    def test_a_seed_that_is_not_routed_is_no_obstacle(self, fake, tmp_path, monkeypatch):
        fake(fmax=(0, 0, 50, 50, 50))
        find = tools.find
        text = "import sys\nif '1' in sys.argv: raise SystemExit('ERROR: not routed')\n"
        monkeypatch.setattr(
            tools,
            "find",
            lambda name: (
                tools.Tool(
                    name=name,
                    argv=(sys.executable, "-c", text + find(name).argv[2]),
                    version="1",
                    origin="test",
                )
                if name == "nextpnr-ice40"
                else find(name)
            ),
        )
        assert self.implement(tmp_path).seed == 2

    def test_too_slow_says_how_fast_and_what_to_try(self, fake, tmp_path):
        fake(fmax=(0, 40, 41.5, 39, 40))
        with pytest.raises(
            FitError,
            match=r"must run at 48 MHz on icebreaker with .* reached 41\.5 MHz with the best of 4 "
            r"seeds; try --clock 39, or smaller pe and simd$",
        ):
            self.implement(tmp_path)
        assert not (tmp_path / "top.bin").exists()

    def test_a_clock_that_is_met_without_its_margin(self, fake, tmp_path):
        fake(fmax=(0, 48.2, 48.7, 48.1, 40))
        with pytest.raises(
            FitError,
            match=(
                r"must run at 48 MHz on icebreaker with a margin of 3 % \(Fmax of 49\.4 MHz\), but place and"
                r" route "
                r"reached 48\.7 MHz .*; try --clock 45\.75, --clock-margin 1\.4, or smaller pe and simd$"
            ),
        ):
            self.implement(tmp_path / "a")
        done = self.implement(tmp_path / "b", clock_margin=0.014)
        assert (done.seed, done.fmax_mhz, done.margin) == (2, 48.7, 0.014)
        assert self.implement(tmp_path / "c", clock_margin=0).seed == 1

    def test_constraints_leave_the_margin_to_the_clock(self):
        """On ECP5 the clock of the PLL follows from the oscillator's constraint."""
        for margin in 0.03, 0.1:
            made = lpf(boards.get("ulx3s_85f"), margin=margin)
            assert f'FREQUENCY PORT "clk" {25 * (1 + margin):g} MHZ;' in made

    def test_fastest_is_never_above_fmax(self):
        for name, fmax_mhz in ("icebreaker", 39.7), ("icebreaker", 17), ("ulx3s_85f", 81.3):
            board = boards.get(name)
            clock_mhz = flow.fastest(board, fmax_mhz)
            assert 0.97 * fmax_mhz < clock_mhz <= fmax_mhz
            assert harness.clock_and_pll(board, clock_mhz)[0] == clock_mhz

    def test_slower_than_the_pll_can_go(self, fake, tmp_path):
        fake(fmax=(0, 14, 14, 14, 14))
        with pytest.raises(FitError, match="try --clock 12,"):
            self.implement(tmp_path)

    def test_too_big_says_what_is_over(self, fake, tmp_path):
        fake(used=6000)
        with pytest.raises(FitError, match="must fit up5k on icebreaker, but it needs 6000 lut of 5280"):
            self.implement(tmp_path)

    def test_other_failure_keeps_its_log(self, fake, tmp_path, monkeypatch):
        fake()
        find = tools.find
        monkeypatch.setattr(
            tools,
            "find",
            lambda name: (
                tools.Tool(
                    name=name,
                    argv=(sys.executable, "-c", "print('ERROR: out of luck'); raise SystemExit(1)"),
                    version="1",
                    origin="test",
                )
                if name == "nextpnr-ice40"
                else find(name)
            ),
        )
        logs = tmp_path / "logs"
        logs.mkdir()
        with pytest.raises(ToolError, match="out of luck; the whole log is .*logs.nextpnr-ice40-1.log"):
            flow.implement(plan(), folder=tmp_path, console=Console(), logs=logs)
        assert "out of luck" in (logs / "nextpnr-ice40-1.log").read_text()


@pytest.mark.parametrize("name", ["icebreaker", pytest.param("ulx3s_12f", marks=pytest.mark.slow)])
def test_real_tools_make_the_same_bytes_twice(name, tmp_path):
    board = boards.get(name)
    try:
        made = flow.plan(verilog=VERILOG, board=board, clock_mhz=board.oscillator_mhz)
    except ToolError as error:
        pytest.skip(str(error))
    bitstreams = []
    for folder in tmp_path / "a", tmp_path / "elsewhere":
        folder.mkdir()
        done = flow.implement(made, folder=folder, console=Console())
        bitstreams.append(done.bitstream.read_bytes())
        assert done.resources["ff"]["used"] == 8
        assert 0 < done.resources["lut"]["used"] < 30
        assert str(tmp_path).encode() not in done.bitstream.read_bytes()
        assert str(tmp_path) not in (folder / "top.json").read_text()
        assert json.loads((folder / "nextpnr-1.json").read_text())["fmax"]
    assert bitstreams[0] == bitstreams[1]


def test_key_of_a_step_depends_on_whatever_its_output_does(tmp_path):
    def key(args=("-p", "synth"), version="0.70"):
        tool = tools.Tool(name="yosys", argv=("yosys",), version=version, origin="PATH")
        step = Step(title="", tool=tool, args=args, reads=("top.v",), writes=("top.json",))
        return step.key(tmp_path)

    (tmp_path / "top.v").write_text("module top;")
    keys = [key(), key(args=("-p",)), key(version="0.71")]
    (tmp_path / "top.v").write_text("module  top;")
    keys.append(key())
    assert len(set(keys)) == 4
    assert key(version="") is None
