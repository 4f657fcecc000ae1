"""Quantisers of larq and activations of Keras, in NumPy."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["ACTIVATIONS", "QUANTISERS", "Serialised", "by_name", "plain_name", "quantiser_of"]


def _sign(x: np.ndarray) -> np.ndarray:
    return np.where(x >= 0, x.dtype.type(1), x.dtype.type(-1))


def _magnitude_aware_sign(x: np.ndarray) -> np.ndarray:
    return _sign(x) * np.abs(x).mean(axis=tuple(range(x.ndim - 1)), dtype=x.dtype)


def _ternary(x: np.ndarray, settings: Mapping[str, Any]) -> np.ndarray:
    threshold = np.float32(settings.get("threshold_value", 0.05))
    if settings.get("ternary_weight_networks"):
        threshold = np.float32(0.7) * np.abs(x).sum(dtype=x.dtype) / x.dtype.type(x.size)
    return np.sign(np.sign(x + threshold) + np.sign(x - threshold)).astype(x.dtype)


def _dorefa(x: np.ndarray, settings: Mapping[str, Any]) -> np.ndarray:
    if settings.get("mode", "activations") != "activations":
        raise ValueError("quantises weights by DoReFa, which are not -1, 0 and +1; use SteSign or SteTern")
    steps = x.dtype.type(2 ** int(settings.get("k_bit", 2)) - 1)
    return np.round(np.clip(x, 0, 1) * steps) / steps


#: larq's quantisers by their plain names: functions of (array, settings). The sign of 0 is +1.
QUANTISERS: dict[str, Callable[[np.ndarray, Mapping[str, Any]], np.ndarray]] = {
    "approxsign": lambda x, settings: _sign(x),
    "dorefa": _dorefa,
    "magnitudeawaresign": lambda x, settings: _magnitude_aware_sign(x),
    "noop": lambda x, settings: x,
    "steheaviside": lambda x, settings: (x > 0).astype(x.dtype),
    "stesign": lambda x, settings: _sign(x),
    "stetern": _ternary,
    "swishsign": lambda x, settings: _sign(x),
}

#: A function in a model's settings: its name, or its class and settings.
Serialised = str | dict[str, Any] | None

#: Keras' activations that change values, each for itself.
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
}


def plain_name(name: str) -> str:
    """A class or function name without package, case and underscores, as in `QUANTISERS`."""
    return re.sub(r"[^a-z0-9]", "", name.rsplit(">", 1)[-1].lower())


def by_name(value: Serialised) -> Serialised:
    """The name of a function that Keras 2.15 or later serialised as an object; other values as they are."""
    return value["config"] if isinstance(value, dict) and isinstance(value.get("config"), str) else value


def quantiser_of(value: Serialised) -> Callable[[np.ndarray], np.ndarray] | None:
    """The function of a serialised quantiser, or None if there is none.

    Raises
    ------
    ValueError
        The quantiser is not one of `QUANTISERS`.
    """
    value = by_name(value)
    if value is None:
        return None
    settings: Mapping[str, Any] = {}
    if isinstance(value, str):
        name = value
    else:
        name, settings = value["class_name"], value.get("config") or {}
    function = QUANTISERS.get(plain_name(name))
    if function is None:
        raise ValueError(f"must have one of the quantisers {', '.join(sorted(QUANTISERS))}, not {name!r}")
    return lambda x: function(x, settings)
