"""How many LUTs a design takes on a Gowin device once it is placed, without placing it."""

import json

__all__ = ["placed_luts"]

LUTS = ("LUT1", "LUT2", "LUT3", "LUT4")


def placed_luts(path, utilization):
    """LUTs, ALUs, and LUTs that compute nothing.

    Gowin's flip-flops have their input from the LUT or the ALU beside them alone, and each of these has one
    flip-flop beside it. What comes from anywhere else (a block RAM, a pin, another flip-flop) passes through
    a LUT, which nextpnr puts there when it places the design. And what it says of LUTs after packing has the
    ALUs in it.

    Parameters
    ----------
    path : Path
        The synthesised netlist.
    utilization : dict of str to dict
        Of nextpnr's report after packing.
    """
    cells = json.loads(path.read_text(encoding="ascii"))["modules"]["top"]["cells"].values()
    luts = [cell for cell in cells if cell["type"] in LUTS]
    inputs = [cell["connections"]["D"][0] for cell in cells if cell["type"].startswith("DFF")]
    beside = {cell["connections"]["F"][0] for cell in luts}
    beside |= {cell["connections"]["SUM"][0] for cell in cells if cell["type"] == "ALU"}
    return len(luts) + utilization["ALU"]["used"] + len(inputs) - len(beside & set(inputs))
