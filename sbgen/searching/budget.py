"""What a network may take on its board."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
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
    lut, bram, spram : int or None
        Maximum LUTs, block RAMs and single-port RAMs (of iCE40 UltraPlus) of the core.
    """

    fps: float | None = None
    cycles: int | None = None
    lut: int | None = None
    bram: int | None = None
    spram: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """The budget of an option, such as fps=1000,lut=4000,bram=20."""
        names = [field.name for field in fields(cls)]
        limits: dict[str, float] = {}
        for part in text.split(","):
            match = re.fullmatch(r"(\w+)=(\d+(?:\.\d+)?)", part.strip())
            least = 0 if match is not None and match[1] in ("bram", "spram") else 1e-9
            if match is None or match[1] not in names or match[1] in limits or float(match[2]) < least:
                raise FitError(
                    f"--budget must be limits of {', '.join(names)}, each once (only RAMs may be 0), such as"
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
        limits = {"lut": self.lut, "bram": self.bram, "spram": self.spram}
        given = {
            name: limit / max(1, getattr(device, name)) for name, limit in limits.items() if limit is not None
        }
        return [{name: min(part, given.get(name, part)) for name, part in share.items()} for share in shares]

    def within(self, device: "Device") -> "Device":
        """The device with no more single-port RAMs than the budget has: folding tries them all or none."""
        return device if self.spram is None else replace(device, spram=min(device.spram, self.spram))

    def words(self) -> str:
        """The limits as `parse` reads them; empty if there is none."""
        return ",".join(
            f"{field.name}={value:g}"
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None
        )
