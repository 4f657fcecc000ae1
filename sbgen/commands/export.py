"""`sbgen export`: a network for other tools."""

from pathlib import Path

from ..compiler import exchange
from ..compiler.frontends import model as model_file
from ..console import Console
from ..errors import ModelError

__all__ = ["add_arguments", "run"]


def add_arguments(parser):
    """Add the options of `sbgen export`."""
    parser.add_argument(
        "--model", type=Path, required=True, metavar="FILE", help="net.pt, QONNX, larq model or network.json"
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="NAME.onnx for QONNX, NAME.json for the exchange file",
    )
    parser.add_argument(
        "--pixels",
        choices=("unit", "fixed", "raw", "signed"),
        help="what a pixel p of 0 ... 255 stands for in a QONNX file or larq model, as for `sbgen build`",
    )
    parser.add_argument("--force", action="store_true", help="accept a network that is not hardened enough")


def run(arguments):
    """Write the file, as a whole or not at all."""
    out = arguments.out
    if out.suffix not in (".onnx", ".json"):
        raise ModelError(f"--out must end in .onnx (QONNX) or .json (the exchange file), not {out.name!r}")
    network = model_file.load(arguments.model, force=arguments.force, pixels=arguments.pixels).network
    try:
        if out.suffix == ".json":
            exchange.save(network, out)
        else:
            _onnx(network, out)
    except OSError as error:
        raise ModelError(
            f"{out}: cannot be written: {error.strerror or error}; choose a folder that exists"
        ) from error
    Console().line(
        f"{out}: {network.name}, {len(network.layers)} layers, digest {exchange.digest(network)[:16]}"
    )


def _onnx(network, out):
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise ModelError(
            f"{out}: a QONNX file needs onnx, which is not installed; try `pip install sbgen[qonnx]`, or"
            " write a .json"
        ) from error
    from ..compiler.frontends import to_qonnx

    to_qonnx.save(network, out)
