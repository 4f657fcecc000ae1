"""`sbgen patch`: another network's weights and thresholds into a finished bitstream, in seconds."""

from pathlib import Path

from ..built import Built
from ..console import Console
from ..errors import BoardError

__all__ = ["add_arguments", "run"]


def add_arguments(parser):
    """Add the options of `sbgen patch`."""
    parser.add_argument("--model", required=True, type=Path, metavar="FILE", help="as for `sbgen build`")
    parser.add_argument(
        "--bitstream",
        required=True,
        type=Path,
        metavar="FILE",
        help=(
            "the top.bin or top.bit of a `sbgen build --patchable`, or what was patched of it, in the build's"
            " folder"
        ),
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help=(
            "the new bitstream (beside the old one, with the model's name); the network goes beside it as"
            " .json"
        ),
    )
    parser.add_argument("--pixels", choices=("unit", "fixed", "raw", "signed"), help="as for `sbgen build`")
    parser.add_argument("--force", action="store_true", help="accept a network that is not hardened enough")


def run(arguments):
    """Run `sbgen patch`: writes the new bitstream and its network, or raises and leaves what was there."""
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
                f"the new bitstream must be called NAME{suffix} and not as a file of a build, not {out}; give"
                " another --out"
            )

    with console.step("read the model") as step:
        model = model_file.load(arguments.model, force=arguments.force, pixels=arguments.pixels)
        network = passes.apply_passes(model.network, patchable=True)
        patch.require_same_shape(Built(folder).network, network)
        step.note(f"{network.name}: {len(network.layers)} layers, {sum(weights(network)):,} weights")
    with console.step("write Verilog") as step:
        contents = patch.contents(folder, network)
        step.note(
            f"{len(contents)} ROMs, {sum(each.width * len(each.words) for each in contents.values()):,} bits"
        )
    with console.step(f"patch {arguments.bitstream.name}") as step:
        patch.write(arguments.bitstream, out, contents)
        step.note("all bits read back")
    beside = out.with_suffix(".json")
    exchange.save(network, beside)
    console.line(f"  {out}, network {exchange.digest(network)[:16]}... ({beside.name})")
