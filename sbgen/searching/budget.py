"""What a network may take on its board."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from ..errors import FitError

if TYPE_CHECKING:
    from ..compiler.device import Device

__all__ = ["Budget"]


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Limits; None is none but the board's.

    Parameters
    ----------
    fps : float or None
        Minimum samples per second at the core's clock.
    cycles : int or None
        Maximum cycles per sample.
    lut, bram : int or None
        Maximum LUTs and block RAMs of the core.
    """

    fps: float | None = None
    cycles: int | None = None
    lut: int | None = None
    bram: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """The budget of an option, such as fps=1000,lut=4000,bram=20."""
        names = [field.name for field in fields(cls)]
        limits: dict[str, float] = {}
        for part in text.split(","):
            match = re.fullmatch(r"(\w+)=(\d+(?:\.\d+)?)", part.strip())
            if match is None or match[1] not in names or match[1] in limits or float(match[2]) <= 0:
                raise FitError(
                    f"--budget must be limits of {', '.join(names)}, each once and above 0, such as"
                    f" fps=1000,lut=4000,bram=20, not {text!r:.60}"
                )
            limits[match[1]] = float(match[2]) if match[1] == "fps" else int(float(match[2]))
        return cls(**limits)  # type: ignore[arg-type]

    def cycles_at(self, clock_mhz: float) -> int | None:
        """Maximum cycles per sample at a clock, None for as few as fit."""
        limits = [] if self.cycles is None else [self.cycles]
        if self.fps is not None:
            limits.append(int(clock_mhz * 1e6 / self.fps))
        return min(limits, default=None)

    def fills(self, device: "Device", cycles: int | None) -> list[dict[str, float]]:
        """Shares of the device to try one after the other, as `compiler.fold.fold` takes them."""
        from ..compiler.fit import FILL, easy_fill

        shares: list[Mapping[str, float]] = [FILL] if cycles is not None else [easy_fill(device), FILL]
        limits = {"lut": self.lut, "bram": self.bram}
        given = {name: limit / getattr(device, name) for name, limit in limits.items() if limit is not None}
        return [{name: min(part, given.get(name, part)) for name, part in share.items()} for share in shares]

    def words(self) -> str:
        """The limits as `parse` reads them; empty if there is none."""
        return ",".join(
            f"{field.name}={value:g}"
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None
        )
