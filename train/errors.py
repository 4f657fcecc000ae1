"""The error of training's own settings."""

from ..errors import SbgenError

__all__ = ["SettingsError"]


class SettingsError(SbgenError):
    """A training setting out of its range."""
