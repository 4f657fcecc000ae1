"""What a shell costs: LUTs and flip-flops on an ECP5, and cycles from the first word to the last result.

    python benchmarks/shells.py [MODEL]

LUTs are those of the core in the shell, less those of the core alone. Cycles are measured by the folder's own
bench, without stalls.
"""

import json
import sys
import tempfile
from pathlib import Path

import record

from sbgen import tools
from sbgen.compiler import cycles, fold, passes
from sbgen.compiler.device import DEVICES
from sbgen.compiler.frontends import model as model_file
from sbgen.compiler.random_network import random_images
from sbgen.handover import check, folder
from sbgen.handover.shell import SHELLS

DEVICE, CYCLES = "ecp5-85f", 2000


def cells(verilog: str, name: str) -> dict[str, int]:
    """Cells after synthesis."""
    with tools.temporary() as scratch:
        (scratch / "core.v").write_text(verilog)
        script = f"read_verilog core.v; synth_ecp5 -top {name}; tee -o stat.json stat -json"
        tools.run(tools.find("yosys"), ["-p", script], cwd=scratch, log=scratch / "yosys.log")
        text = (scratch / "stat.json").read_text()
    found = json.loads(text[text.index("{") :])["design"]["num_cells_by_type"]
    return {
        "lut": found.get("LUT4", 0) + 2 * found.get("CCU2C", 0),
        "ff": found.get("TRELLIS_FF", 0),
        "bram": found.get("DP16KD", 0),
    }


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "digits"
    network = passes.apply_passes(model_file.load(Path(name)).network)
    design = fold.fold(network, DEVICES[DEVICE], cycles=CYCLES)
    predicted = cycles.predict(design)
    images = random_images(1, network, 4)
    rows, alone = [], {}
    for shell, packed in [
        ("none", False),
        *((each, False) for each in list(SHELLS)[1:]),
        ("stream", True),
        ("wishbone", True),
    ]:
        context = folder.prepare(
            design, images, name="core", shell=shell, cycles=predicted, clock_mhz=100, packed=packed
        )
        with tempfile.TemporaryDirectory() as scratch:
            checked = check.bench(context, folder.files(context), Path(scratch), simulator="icarus")
        found = cells(context.verilog.text, context.name)
        alone = alone or found
        rows.append(
            {
                "shell": shell,
                "packed": packed,
                "word_bits": context.width,
                "words_per_image": context.words,
                "bus": context.shell.limit,
                "latency_cycles": checked.latency,
                **{f"shell_{kind}": found[kind] - alone[kind] for kind in found},
            }
        )
        print(rows[-1], flush=True)
    record.write(
        "shells",
        {
            "model": name,
            "device": DEVICE,
            "core": {**alone, "cycles_per_image": predicted.interval, "latency_cycles": predicted.latency},
            "rows": rows,
        },
    )


if __name__ == "__main__":
    main()
