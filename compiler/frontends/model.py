"""A model file as an integer network and what is known of it, whichever kind of file it is."""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ...errors import ModelError
from .. import shipped
from ..ir import Network

__all__ = ["Model", "load"]


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
        What a ``net.pt`` tells of itself: ``dataset``, ``accuracy`` ({"validation": {"float", "hardened"},
        "test": {...}}, each 0 ... 1), ``seed``, ``settings``, ``hardening``, ``pixel_range``. Empty for other
        files, except those of models that ship.
    """

    network: Network
    file: Path
    sha256: str
    info: dict


#: How an HDF5 file begins.
_HDF5 = b"\x89HDF\r\n\x1a\n"

#: A larger file is refused unread: nothing that fits an FPGA needs it.
_MAX_BYTES = 512 << 20


def _refuse_arrays(path, data):
    """A `ModelError` for NumPy's files, which hold no network."""
    arrays = []
    if data[:4] == b"PK\x03\x04":  # as an archive of torch.save begins, too
        try:
            arrays = zipfile.ZipFile(io.BytesIO(data)).namelist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError):
            pass  # whose reader says so
        if not all(name.endswith(".npy") for name in arrays):
            return
    if arrays or data[:6] == b"\x93NUMPY":
        what = ", ".join(name.removesuffix(".npy") for name in arrays[:4]) + (
            ", ..." if len(arrays) > 4 else ""
        )
        raise ModelError(
            f"{path}: must hold a network, but is NumPy's file of arrays{f' ({what})' if what else ''}; give"
            " the model's own file (net.pt, .onnx, .h5 or network.json)"
        )


def load(path, *, force=False, pixels=None):
    """Reads a ``net.pt`` (with torch), a QONNX file (with onnx), a larq model (with h5py) or a JSON exchange
    file, told apart by their content.

    Parameters
    ----------
    path : path
        Or the name of a model that ships (`shipped.NAMES`), where there is no file of that name.
    force : bool
        Whether to accept a ``net.pt`` that is not hardened enough to trust.
    pixels : str or None
        What a pixel stands for in a QONNX file or a larq model (`from_qonnx.load`, `from_larq.load`).

    Raises
    ------
    ModelError
        The file is none of them, or is refused by its reader.
    """
    given, path = path, shipped.path_of(path)
    try:
        if path.exists() and not path.is_file():
            raise ModelError(f"{path}: must be a file, but is a folder or device")
        if path.stat().st_size > _MAX_BYTES:
            raise ModelError(
                f"{path}: must have at most {_MAX_BYTES >> 20} MiB, but has {path.stat().st_size >> 20} MiB"
            )
        data = path.read_bytes()
    except OSError as error:
        names = (
            f"; models that ship are {', '.join(shipped.NAMES)}"
            if str(given) == path.name and not path.suffix
            else ""
        )
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}{names}") from error
    sha256 = hashlib.sha256(data).hexdigest()
    if data.lstrip()[:1] == b"{":
        from .. import exchange

        return Model(network=exchange.load(path), file=path, sha256=sha256, info=shipped.about(path))
    _refuse_arrays(path, data)
    torch_file = (
        data[:2] == b"PK" or data[:1] == b"\x80"
    )  # an archive of torch.save, or a pickle to be refused by its reader
    if not torch_file and (
        data[:1] == b"\x08" or path.suffix == ".onnx"
    ):  # ONNX begins with its version, a protobuf integer
        try:
            import onnx  # noqa: F401
        except ImportError as error:
            raise ModelError(
                f"{path}: a QONNX file needs onnx, which is not installed; try `pip install sbgen[qonnx]`, or"
                " use the JSON exchange file"
            ) from error
        from . import from_qonnx

        return Model(
            network=from_qonnx.loads(data, name=path.stem, source=str(path), pixels=pixels),
            file=path,
            sha256=sha256,
            info={},
        )
    if data[:8] == _HDF5:
        try:
            import h5py  # noqa: F401
        except ImportError as error:
            raise ModelError(
                f"{path}: a larq model needs h5py, which is not installed; try `pip install sbgen[larq]`, or"
                " use the JSON exchange file"
            ) from error
        from . import from_larq

        return Model(network=from_larq.load(path, pixels=pixels), file=path, sha256=sha256, info={})
    if not torch_file:
        raise ModelError(
            f"{path}: must be a net.pt, a QONNX file, a larq model (.h5) or a JSON exchange file, but begins"
            f" with {data[:8]!r}"
        )
    if path.suffix == ".keras":
        raise ModelError(
            f'{path}: must be saved as HDF5 for sbgen to read it; save the model with model.save("net.h5")'
        )
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise ModelError(
            f"{path}: a net.pt needs torch, which is not installed; try `pip install sbgen[train]`, or "
            "use the JSON exchange file"
        ) from error
    from ...train import checkpoint
    from .from_torch import to_network

    kept = checkpoint.load(path, force=force)
    return Model(
        network=to_network(kept, name=path.stem),
        file=path,
        sha256=sha256,
        info={
            "dataset": kept.dataset,
            "accuracy": kept.accuracy,
            "seed": kept.seed,
            "settings": kept.settings,
            "hardening": kept.hardening,
            "pixel_range": kept.pixel_range,
        },
    )
