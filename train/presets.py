"""The named networks, each with the settings it is trained by unless told otherwise."""

from dataclasses import dataclass, replace

from .settings import Settings

__all__ = ["PRESETS", "Preset", "for_method"]


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A network and how to train it.

    Parameters
    ----------
    dataset : str
        One of `data.DATASETS`.
    thresholds : tuple of int
        Of every pixel; several make thermometer bits.
    widths : tuple of int
        Outputs of the hidden layers.
    settings : `Settings`
    """

    dataset: str
    thresholds: tuple
    widths: tuple
    settings: Settings


PRESETS = {
    "digits": Preset(dataset="digits", thresholds=(2, 6, 10, 14), widths=(64, 64), settings=Settings(
        slope_cap=2.0, hard_tail=0.5, epochs=100, batch=64, shift=0)),
    "tfc": Preset(dataset="mnist", thresholds=(128,), widths=(64, 64, 64), settings=Settings(
        slope_cap=2.0, hard_tail=0.5, epochs=60, distill=0.7, validation=0.1)),
    "sfc": Preset(dataset="mnist", thresholds=(128,), widths=(256, 256, 256), settings=Settings(
        slope_cap=2.0, hard_tail=0.5, epochs=60, shift=1, distill=0.7, validation=0.1)),
    "lfc": Preset(dataset="mnist", thresholds=(128,), widths=(1024, 1024, 1024), settings=Settings(
        slope_cap=2.0, hard_tail=0.5, epochs=30, shift=1, distill=0.7, validation=0.1)),
}


def for_method(settings, method):
    """`settings` with another method, and what belongs to it."""
    if method == settings.method:
        return settings
    if method == "self-binarizing":
        return replace(settings, method=method)
    nu = (1.0, 10.0) if method == "ede" else (1.0, 1.0)  # straight-through has no sharpness
    return replace(settings, method=method, slope_cap=None, hard_tail=0.0, nu_weights=nu, nu_activations=nu)
