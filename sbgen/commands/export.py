"""`sbgen export`: convert a network for other tools."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..arguments import add_model, add_reading
from ..console import Console
from ..errors import ModelError

if TYPE_CHECKING:
    from ..compiler.ir import Network

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen export`."""
    add_model(parser)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="NAME.onnx for QONNX, NAME.json for the exchange file",
    )
    add_reading(parser)


def run(arguments: argparse.Namespace) -> None:
    """Write the file as a whole or not at all."""
    from ..compiler import exchange
    from ..compiler.frontends import model as model_file

    out = arguments.out
    if out.suffix not in (".onnx", ".json"):
        raise ModelError(f"--out must end in .onnx (QONNX) or .json (the exchange file), not {out.name!r}")
    model = model_file.load(arguments.model, force=arguments.force, pixels=arguments.pixels)
    network = model.network
    try:
        if out.suffix == ".json":
            exchange.save(network, out, recipe=model.info.get("recipe"))
        else:
            _onnx(network, out)
    except OSError as error:
        raise ModelError(
            f"{out}: cannot be written: {error.strerror or error}; choose a folder that exists"
        ) from error
    Console().line(
        f"{out}: {network.name}, {len(network.layers)} layers, digest {exchange.digest(network)[:16]}"
    )


def _onnx(network: "Network", out: Path) -> None:
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise ModelError(
            f"{out}: a QONNX file needs onnx, which is not installed; try `pip install sbgen[qonnx]`, or"
            " write a .json"
        ) from error
    from ..compiler.frontends import qonnx

    qonnx.save(network, out)
