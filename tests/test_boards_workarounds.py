"""Known faults of tools, imitated by programs that only print, and the second attempt."""

import random
import sys

import pytest
from fake_tools import PLACE, SYNTHESIS, VERILOG
from layout_texts import gowin_text as text_of

from sbgen import boards, tools
from sbgen.boards import flow, workarounds
from sbgen.boards.gowin import frames
from sbgen.boards.gowin.chips import CHIPS
from sbgen.console import Console
from sbgen.errors import ToolError


@pytest.mark.parametrize("late, given_up", [([9, 9, 7, 7, 7, 0], False), ([9, 7, *[8, 7] * 100], True)])
def test_routing_without_progress_is_done_without_regard_to_the_clock(tmp_path, monkeypatch, late, given_up):
    route = f"""
if "--tmg-ripup" in sys.argv:
    for round, left in enumerate({late}, 1):
        print(f"Info: iter={{round}} wires=380 overused=0 overuse=0 tmgfail={{left}} archfail=NA", flush=True)
"""
    texts = {
        "yosys": SYNTHESIS,
        "nextpnr-ecp5": (PLACE.format(fmax=(0, 80), used=700, slow=()).replace("--asc", "--textcfg") + route),
        "ecppack": "open('top.bit', 'w').write(open('top.config').read())",
    }
    monkeypatch.setattr(
        tools,
        "find",
        lambda name: tools.Tool(
            name=name, argv=(sys.executable, "-c", texts[name]), version="1", origin="test"
        ),
    )
    made = flow.plan(verilog=VERILOG, board=boards.get("ulx3s_85f"), seeds=(1,))
    done = flow.implement(made, folder=tmp_path, console=Console())
    assert done.bitstream.read_text() == "1"
    assert ("--tmg-ripup" in (tmp_path / "nextpnr-ecp5-1.log").read_text().splitlines()[0]) is not given_up
    assert (tmp_path / "nextpnr-ecp5-1-stalled.log").exists() is given_up


@pytest.mark.parametrize("seed", range(20))
def test_rounds_without_progress_are_limited(seed):
    """Wires that share or are too slow count together; other lines of nextpnr are no rounds."""
    print(f"seed {seed}")
    rng, reader, least, last = random.Random(seed), workarounds._Router(), 10**6, -1
    for count in range(10**4):
        reader("Info:    Routing took 3.1 s")
        overused, slow = rng.randint(0, 40), rng.randint(0, 40)
        if overused + slow < least:
            least, last = overused + slow, count
        line = f"Info:     iter={count} wires=380 overused={overused} overuse=0 tmgfail={slow} archfail=NA"
        if count - last == workarounds._PATIENCE:
            with pytest.raises(workarounds._StalledError):
                reader(line)
            return
        reader(line)


@pytest.mark.parametrize("other", [False, True])
def test_an_assertion_of_yosys_on_names_is_avoided_without_them(tmp_path, monkeypatch, other):
    said = (
        "Assert `GetSize(conn.first) == GetSize(conn.second)' failed in rtlil.cc:3091."
        if not other
        else "Assert `ok' failed."
    )
    texts = {
        "yosys": (
            f"import sys\nif 'rename -hide' not in sys.argv[2]: sys.exit({'ERROR: ' + said!r})\n" + SYNTHESIS
        ),
        "nextpnr-ecp5": PLACE.format(fmax=(0, 80), used=700, slow=()).replace("--asc", "--textcfg"),
        "ecppack": "open('top.bit', 'w').write(open('top.config').read())",
    }
    monkeypatch.setattr(
        tools,
        "find",
        lambda name: tools.Tool(
            name=name, argv=(sys.executable, "-c", texts[name]), version="1", origin="test"
        ),
    )
    made = flow.plan(verilog=VERILOG, board=boards.get("ulx3s_85f"), seeds=(1,))
    if other:
        with pytest.raises(ToolError, match="yosys failed with code 1: ERROR: Assert `ok' failed"):
            flow.implement(made, folder=tmp_path, console=Console())
        return
    assert flow.implement(made, folder=tmp_path, console=Console()).bitstream.read_text() == "1"
    assert (
        said in (tmp_path / "yosys-failed.log").read_text()
        and "rename" in (tmp_path / "yosys.log").read_text()
    )


def test_a_hold_violation_of_gowin_is_no_success(tmp_path, monkeypatch):
    """nextpnr goes on after one and writes its files; the next seed is taken."""
    place = PLACE.format(fmax=(0, 100, 100), used=700, slow=()).replace(
        'open(option["--asc"], "w").write(str(seed))',
        'if seed == 1: print("Info: 3 Hold/min time violations (showing 10 worst paths):")',
    )
    packed = "import sys; open('top.fs', 'wb').write(open('given.fs', 'rb').read())"
    texts = {"yosys": SYNTHESIS, "nextpnr-himbaechel-gowin": place, "gowin_pack": packed}
    monkeypatch.setattr(
        tools,
        "find",
        lambda name: tools.Tool(
            name=name, argv=(sys.executable, "-c", texts[name]), version="1", origin="test"
        ),
    )
    (tmp_path / "given.fs").write_bytes(frames.pack(text_of(CHIPS[0], random.Random(1), ram=False).encode()))
    board = boards.get("tang_nano_9k")
    made = flow.plan(verilog=VERILOG, board=board, seeds=(1, 2))
    assert flow.implement(made, folder=tmp_path, console=Console(), jobs=1).seed == 2
    made = flow.plan(verilog=VERILOG, board=board, seeds=(1,))
    with pytest.raises(ToolError, match="succeed without it, but said: Info: 3 Hold/min time violations"):
        flow.implement(made, folder=tmp_path, console=Console())
