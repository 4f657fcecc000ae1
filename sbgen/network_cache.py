"""A model file's integer network after all passes, cached, so that it is read again without torch and in a
fraction of a second.
"""

import hashlib
from pathlib import Path

from .cache import Cache, folder
from .compiler import exchange, passes, shipped
from .compiler.frontends import model as model_file
from .compiler.ir import Network
from .errors import ModelError

__all__ = ["load"]

_FILE = "network.json"


def _reader() -> str:
    """Digest of all code that turns a file into a network."""
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(
        path for part in ("compiler", "train") for path in (root / part).resolve().rglob("*.py")
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def load(
    path: Path | str, *, force: bool = False, pixels: str | None = None, patchable: bool = False
) -> Network:
    """The network of a model file; arguments and errors as of `model.load` and `apply_passes`.

    A network that is not in the cache, or damaged there, is read from the file.
    """
    path = shipped.path_of(path)
    if not path.is_file():
        model_file.load(path)  # raises the error
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    digest = hashlib.sha256(
        "\0".join(
            (
                hashlib.sha256(data).hexdigest(),
                Path(path).stem,
                str(force),
                str(pixels),
                str(patchable),
                _reader(),
            )
        ).encode()
    )
    cache, key = Cache(folder("networks")), digest.hexdigest()
    if (files := cache.fetch(key, [_FILE])) is not None:
        return exchange.loads(files[_FILE].decode("ascii"), source=str(path))
    network = passes.apply_passes(
        model_file.load(path, force=force, pixels=pixels).network, patchable=patchable
    )
    cache.store(key, {_FILE: exchange.dumps(network).encode("ascii")})
    return network
