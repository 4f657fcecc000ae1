"""What the flow needs of an oscillator in the FPGA: its frequency, and the oscillator itself."""

from abc import ABC, abstractmethod
from typing import ClassVar, Self

from amaranth.build import Platform
from amaranth.hdl import Instance, Value

__all__ = ["Oscillator"]


class Oscillator(ABC):
    """An oscillator that needs no pin."""

    #: Its primitive, and the output of that.
    primitive: ClassVar[tuple[str, str]]

    #: Share by which its frequency may differ from `clock_mhz`.
    tolerance: ClassVar[float]

    #: How long it takes from power-up until it is steady.
    settle_seconds: ClassVar[float]

    @classmethod
    @abstractmethod
    def of(cls, platform: Platform) -> Self:
        """The settings that a platform of amaranth-boards has for it."""

    @property
    @abstractmethod
    def clock_mhz(self) -> float:
        """Its frequency, in MHz."""

    @abstractmethod
    def instance(self, *, o: Value) -> Instance:
        """The oscillator, whose output is the signal `o`."""
