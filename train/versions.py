"""Model files of older versions, read as those of the current one."""

from typing import Any

from .methods.surrogate import SURROGATE

__all__ = ["VERSION", "upgraded"]

#: The version that is written.
VERSION = 2

#: What version 1 (sbgen 0.1) called the method that is now "surrogate".
_OLD_NAME = "self-binarizing"


def upgraded(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a model file of a version up to `VERSION`, as that version has it."""
    return _from_1(content) if content["version"] == 1 else content


def _from_1(content: dict[str, Any]) -> dict[str, Any]:
    """Version 1 named the surrogate method wrongly, and the accuracy before hardening "float" even where the
    forward pass already was sign."""
    settings = content["settings"]
    was_smooth = settings is None or not settings.get("hard_tail") and settings.get("method") == _OLD_NAME
    return {
        **content,
        "version": 2,
        "architecture": [_renamed(layer) for layer in content["architecture"]],
        "settings": None if settings is None else _renamed(settings),
        "accuracy": {
            part: {
                {"float": "soft"}.get(name, name): value
                for name, value in values.items()
                if name != "float" or was_smooth
            }
            for part, values in content["accuracy"].items()
        },
    }


def _renamed(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of a layer, or settings, with the method's present name; a residual's layers too."""
    if fields.get("method") == _OLD_NAME:
        fields = {**fields, "method": SURROGATE.name}
    if "body" in fields:
        fields = {**fields, "body": [_renamed(layer) for layer in fields["body"]]}
    return fields
