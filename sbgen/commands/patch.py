"""`sbgen patch`: replace the weights and thresholds in a bitstream, in seconds."""

import argparse
from pathlib import Path

from ..arguments import add_model, add_reading
from ..built import Built
from ..console import Console
from ..errors import BoardError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen patch`."""
    add_model(parser)
    parser.add_argument(
        "--bitstream",
        required=True,
        type=Path,
        metavar="FILE",
        help=(
            "the top.bin, top.bit or top.fs of a `sbgen build --patchable`, or a bitstream patched from it,"
            " in the build's folder"
        ),
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help=(
            "the new bitstream, with its network next to it as .json (default: named after the model, next to"
            " the old one)"
        ),
    )
    add_reading(parser)


def run(arguments: argparse.Namespace) -> None:
    """Write the new bitstream and its network, or raise and leave the old files."""
    from ..boards import patch
    from ..compiler import exchange, passes
    from ..compiler.frontends import model as model_file
    from ..compiler.weight_count import weights

    console = Console()
    folder = arguments.bitstream.parent
    board = patch.load(folder).board
    suffix = board.family.bitstream_suffix
    out = arguments.out or folder / f"{arguments.model.stem}{suffix}"
    for path in (out, out.with_suffix(".json")):
        if path.name in ("network.json", "design.json", "memory.json", "report.json") or out.suffix != suffix:
            raise BoardError(
                f"the new bitstream must be called NAME{suffix}, and not like a file of a build, but --out is"
                f" {out}; give"
                " another --out"
            )

    with console.step("read the model") as step:
        model = model_file.load(arguments.model, force=arguments.force, pixels=arguments.pixels)
        network = passes.apply_passes(model.network, patchable=True)
        patch.require_same_shape(Built(folder).network, network)
        step.note(f"{network.name}: {len(network.layers)} layers, {sum(weights(network)):,} weights")
    with console.step("write Verilog") as step:
        contents = patch.contents(folder, network)
        bits = sum(memory.width * len(memory.words) for memory in contents.values())
        step.note(f"{len(contents)} ROMs, {bits:,} bits")
    with console.step(f"patch {arguments.bitstream.name}") as step:
        patch.write(arguments.bitstream, out, contents)
        step.note("all bits read back")
    network_file = out.with_suffix(".json")
    exchange.save(network, network_file, recipe=model.info.get("recipe"))
    console.line(f"  {out}, network {exchange.digest(network)[:16]}... ({network_file.name})")
