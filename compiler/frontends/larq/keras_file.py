"""The layers and weights of a Keras model in HDF5 (``model.save("net.h5")``), without Keras."""

import json
import math
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ....errors import ModelError
from ..tensors import check_size

__all__ = ["KerasLayer", "read", "read_here"]

#: Bytes of a description of layers; a longer one is a mistake or an attack.
_MAX_CONFIG = 16 << 20

#: Limits for reading a file; a model of 512 MiB takes a few seconds.
_SECONDS = 60
_BYTES = 4 << 30


@dataclass(frozen=True, kw_only=True)
class KerasLayer:
    """One layer of a model.

    Parameters
    ----------
    name : str
    kind : str
        Its class.
    config : dict
        Its settings.
    weights : dict
        Arrays by their short names (kernel, bias, gamma, ...).
    inputs : tuple of str
        Names of the layers whose outputs it takes.
    """

    name: str
    kind: str
    config: dict[str, Any]
    weights: dict[str, np.ndarray]
    inputs: tuple[str, ...]

    def __str__(self) -> str:
        return f"layer {self.name!r} ({self.kind})"


def read(path: Path | str) -> tuple[list[KerasLayer], str]:
    """The layers in order, and the name of the last one.

    A damaged file can send the HDF5 library into an endless loop or worse. It therefore works in a process of
    its own, limited to `_SECONDS` and `_BYTES`.

    Raises
    ------
    ModelError
        The file is damaged, holds only weights, or is not a plain chain or graph of layers. Other files are
        never opened.
    """
    pool = ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"), initializer=_limit_memory)
    try:
        return pool.submit(read_here, str(path)).result(timeout=_SECONDS)
    except (TimeoutError, BrokenProcessPool) as error:
        slow = isinstance(error, TimeoutError)
        why = f"took more than {_SECONDS} s" if slow else "ended the process that read it"
        raise ModelError(
            f"must be a Keras model in HDF5 that can be read, but {why}; it is damaged, save it again with"
            ' model.save("net.h5")'
        ) from None
    finally:
        for process in list((pool._processes or {}).values()):
            process.kill()  # nothing else stops a process that hangs in native code
        pool.shutdown(cancel_futures=True)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:
        return  # not on this system
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))


def read_here(path: Path | str) -> tuple[list[KerasLayer], str]:
    """`read` in this process and without limits."""
    try:
        with h5py.File(path, "r") as file:
            return _layers(file)
    except (
        OSError,
        RuntimeError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        RecursionError,
        OverflowError,
        MemoryError,
    ) as error:
        text = " ".join(str(error).split())[:200]
        raise ModelError(
            f"must be a Keras model in HDF5, but {type(error).__name__}: {text}; it may be truncated, save it"
            ' again with model.save("net.h5")'
        ) from None


def _layers(file: h5py.File) -> tuple[list[KerasLayer], str]:
    text = file.attrs.get("model_config")
    if text is None:
        raise ModelError(
            "must have a model_config, which a file of save_weights() has not; save the whole model with"
            ' model.save("net.h5")'
        )
    if len(text) > _MAX_CONFIG:
        raise ModelError(
            f"its model_config must have at most {_MAX_CONFIG >> 20} MiB, but has {len(text) >> 20} MiB"
        )
    model = json.loads(text)
    config = model["config"]
    layers = config["layers"] if isinstance(config, dict) else config
    sequential = model["class_name"] == "Sequential"
    if not sequential and model["class_name"] not in ("Functional", "Model"):
        raise ModelError(
            f"must be a Sequential or a functional model, not {model['class_name']!r}; build it of layers"
        )
    found: list[KerasLayer] = []
    for entry in layers:
        kind, settings = str(entry["class_name"]), dict(entry["config"])
        name = str(settings["name"] if sequential else entry.get("name", settings["name"]))
        before = (found[-1].name,) if found else ()
        inputs = before if sequential else _inbound(name, entry.get("inbound_nodes") or [])
        found.append(
            KerasLayer(
                name=name,
                kind=kind,
                config=settings,
                weights=_weights(file["model_weights"], name),
                inputs=inputs,
            )
        )
    if not found:
        raise ModelError("must have layers, but has none")
    last = found[-1].name
    if not sequential:
        outputs = config["output_layers"]
        outputs = outputs if isinstance(outputs[0], list) else [outputs]
        if len(outputs) != 1:
            raise ModelError(f"must have one output, the scores, but has {len(outputs)}")
        last = str(outputs[0][0])
    return found, last


def _inbound(name: str, nodes: list[Any]) -> tuple[str, ...]:
    """Names of the inputs of a functional model's layer, as Keras 2 or 3 describes them."""
    if len(nodes) > 1:
        raise ModelError(
            f"layer {name!r}: must be used once, but is used {len(nodes)} times; build a layer for each use"
        )
    if not nodes:
        return ()
    if isinstance(nodes[0], dict):
        histories: list[str] = []

        def walk(value: Any) -> None:
            if isinstance(value, dict) and "keras_history" in value.get("config", {}):
                histories.append(str(value["config"]["keras_history"][0]))
            elif isinstance(value, list):
                for each in value:
                    walk(each)

        walk(nodes[0]["args"])
        return tuple(histories)
    return tuple(str(each[0]) for each in (nodes[0] if isinstance(nodes[0][0], list) else [nodes[0]]))


def _weights(group: h5py.Group, name: str) -> dict[str, np.ndarray]:
    """The arrays of a layer, by the part of their names after the last slash: kernel, bias, gamma, ..."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        return {}
    weights = {}
    for full in group[name].attrs.get("weight_names", ()):
        full = full.decode() if isinstance(full, bytes) else str(full)
        node = group[name]
        for part in full.split("/"):
            if not isinstance(node.get(part, getlink=True), h5py.HardLink):
                raise ModelError(
                    f"layer {name!r}: its weight {full!r} is missing or in another file; save the model again"
                )
            node = node[part]
        if (
            not isinstance(node, h5py.Dataset)
            or node.is_virtual
            or node.external
            or node.dtype.kind not in "fiu"
        ):
            raise ModelError(
                f"layer {name!r}: its weight {full!r} must be a plain array of numbers in this file"
            )
        check_size(node.shape)
        if math.prod(node.shape) != node.size:
            raise ModelError(f"layer {name!r}: its weight {full!r} must have its whole shape")
        weights[full.rsplit("/", 1)[-1].split(":")[0]] = np.asarray(node[()])
    return weights
