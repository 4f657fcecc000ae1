"""A model file of any kind as an integer network."""

import hashlib
import importlib
import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import ModelError
from .. import exchange, shipped
from ..ir import Network

__all__ = ["Model", "load"]

#: How an HDF5 file begins.
_HDF5 = b"\x89HDF\r\n\x1a\n"

#: No network that fits an FPGA has a larger file.
_MAX_BYTES = 512 << 20

#: Arrays of a NumPy file that a message names.
_NAMED_ARRAYS = 4


@dataclass(frozen=True, kw_only=True)
class Model:
    """An integer network from a file.

    Parameters
    ----------
    network : Network
    file : Path
    sha256 : str
        Of the file's bytes.
    info : dict
        What a ``net.pt`` records: ``dataset``, ``accuracy`` ({"validation": {"soft", "hardened"}, "test":
        {...}}, each 0 ... 1), ``seed``, ``settings``, ``hardening``, ``pixel_range``; and ``recipe``, how
        samples become inputs (`sbgen.samples.Recipe.primitives`), or None. Other files have a recipe at most,
        except those of shipped models.
    """

    network: Network
    file: Path
    sha256: str
    info: dict[str, Any] = field(default_factory=dict)


def load(path: Path | str, *, force: bool = False, pixels: str | None = None) -> Model:
    """Read a ``net.pt`` (needs torch), a QONNX file (needs onnx), a larq model (needs h5py) or an exchange
    file.

    The content of the file decides which of them it is.

    Parameters
    ----------
    path : path
        Or the name of a shipped model (`shipped.NAMES`), if there is no file of that name.
    force : bool
        Whether to accept a ``net.pt`` that is not hardened enough to be trusted.
    pixels : str or None
        What a pixel stands for in a QONNX file or a larq model (`qonnx.load`, `larq.load`); other files say
        so themselves.

    Raises
    ------
    ModelError
        The file is none of them, its reader refuses it, or `pixels` does not apply to it.
    """
    given, path = path, shipped.path_of(path)
    data = _read(path, given)
    sha256 = hashlib.sha256(data).hexdigest()
    if data.lstrip()[:1] == b"{":
        _refuse_pixels(path, pixels, "an exchange file")
        recipe = exchange.load_recipe(path)
        info = shipped.about(path) | ({} if recipe is None else {"recipe": recipe})
        return Model(network=exchange.load(path), file=path, sha256=sha256, info=info)
    _refuse_arrays(path, data)
    # An archive of torch.save, or a pickle, which its reader refuses.
    is_torch = data[:2] == b"PK" or data[:1] == b"\x80"
    if is_torch and path.suffix == ".keras":
        raise ModelError(
            f'{path}: must be saved as HDF5 for sbgen to read it; save the model with model.save("net.h5")'
        )
    if is_torch:
        _refuse_pixels(path, pixels, "a net.pt")
        network, info = _load_torch(path, force)
        return Model(network=network, file=path, sha256=sha256, info=info)
    if data[:1] == b"\x08" or path.suffix == ".onnx":  # ONNX begins with its version, a protobuf integer
        _require("onnx", path, "a QONNX file", "qonnx")
        from . import qonnx

        network = qonnx.loads(data, name=path.stem, source=str(path), pixels=pixels)
        return Model(network=network, file=path, sha256=sha256)
    if data[:8] == _HDF5:
        _require("h5py", path, "a larq model", "larq")
        from . import larq

        return Model(network=larq.load(path, pixels=pixels), file=path, sha256=sha256)
    raise ModelError(
        f"{path}: must be a net.pt, a QONNX file, a larq model (.h5) or a JSON exchange file, but begins with"
        f" {data[:8]!r}"
    )


def _read(path: Path, given: Path | str) -> bytes:
    """The bytes of a file that is not too large; `given` is how the user named it."""
    try:
        if path.exists() and not path.is_file():
            raise ModelError(f"{path}: must be a file, but is a folder or device")
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise ModelError(
                f"{path}: must have at most {_MAX_BYTES >> 20} MiB, but has {size >> 20} MiB; check that it"
                " is a model"
            )
        return path.read_bytes()
    except OSError as error:
        could_be_a_name = str(given) == path.name and not path.suffix
        names = f"; shipped models are {', '.join(shipped.NAMES)}" if could_be_a_name else ""
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}{names}") from error


def _refuse_pixels(path: Path, pixels: str | None, what: str) -> None:
    """A `ModelError` if the user says what a pixel stands for in a file that says so itself."""
    if pixels is not None:
        raise ModelError(
            f"{path}: --pixels applies to QONNX files and larq models, but this is {what}, which says itself"
            f" what pixels stand for; leave out --pixels {pixels}"
        )


def _refuse_arrays(path: Path, data: bytes) -> None:
    """A `ModelError` for a NumPy file, which holds no network."""
    arrays: list[str] = []
    if data[:4] == b"PK\x03\x04":  # as an archive of torch.save begins, too
        try:
            arrays = zipfile.ZipFile(io.BytesIO(data)).namelist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError):
            pass  # its reader reports the damage
        if not all(name.endswith(".npy") for name in arrays):
            return
    if arrays or data[:6] == b"\x93NUMPY":
        names = ", ".join(name.removesuffix(".npy") for name in arrays[:_NAMED_ARRAYS])
        names += ", ..." if len(arrays) > _NAMED_ARRAYS else ""
        raise ModelError(
            f"{path}: must hold a network, but is a NumPy file of arrays{f' ({names})' if names else ''};"
            " give the model's own file (net.pt, .onnx, .h5 or network.json)"
        )


def _require(package: str, path: Path, what: str, extra: str) -> None:
    """A `ModelError` if the package that reads a kind of file is not installed."""
    try:
        importlib.import_module(package)
    except ImportError as error:
        raise ModelError(
            f"{path}: {what} needs {package}, which is not installed; try `pip install sbgen[{extra}]`, or"
            " use the JSON exchange file"
        ) from error


def _load_torch(path: Path, force: bool) -> tuple[Network, dict[str, Any]]:
    """The network of a ``net.pt`` and what it records."""
    _require("torch", path, "a net.pt", "train")
    from ...train import checkpoint
    from .from_torch import to_network

    trained = checkpoint.load(path, force=force)
    names = ("dataset", "accuracy", "seed", "settings", "hardening", "pixel_range")
    info = {name: getattr(trained, name) for name in names}
    if trained.recipe is not None:
        info["recipe"] = trained.recipe
    return to_network(trained, name=path.stem), info
