"""Where and how a training computes: device and number format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import SettingsError

if TYPE_CHECKING:  # options need no torch
    import torch

__all__ = ["DEVICES", "HERE", "Execution", "chosen"]

#: Devices by the name that a user gives them. "auto" is a GPU, if there is one.
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How a training computes. It affects rounding, hence the result, but not what is trained.

    Parameters
    ----------
    device : str
        A torch device, "cpu" or "cuda" or "cuda:1". Images, labels and teacher are there during training;
        the trained network is left on the CPU, where sums of signs are exact by any algorithm.
    bf16 : bool
        Whether products of the forward and backward pass are of bfloat16. Everything that is measured
        is computed in float32.
    """

    device: str = "cpu"
    bf16: bool = False

    @property
    def where(self) -> torch.device:
        """The torch device."""
        import torch

        return torch.device(self.device)

    def described(self) -> dict[str, object]:
        """What a resumed training must share with the one that was interrupted."""
        import torch

        name = torch.cuda.get_device_name(self.where) if self.where.type == "cuda" else self.device
        return {"device": name, "bf16": self.bf16}

    def check(self) -> None:
        """Raise a `SettingsError` if this machine lacks what is asked for."""
        import torch

        if self.where.type == "cuda" and not torch.cuda.is_available():
            why = "finds none" if torch.version.cuda else "is built without CUDA"
            raise SettingsError(
                f"--device cuda must have a GPU, but torch {torch.__version__} {why}; give --device cpu"
            )
        if self.bf16 and not _has_bf16(self.where.type):
            raise SettingsError(
                f"--bf16 must have a processor that computes with bfloat16, but this {self.where.type} does"
                " not; leave it out"
            )

    def random_state(self) -> list[torch.Tensor]:
        """States of torch's generators that a training draws from."""
        import torch

        states = [torch.get_rng_state()]
        return states + ([torch.cuda.get_rng_state(self.where)] if self.where.type == "cuda" else [])

    def set_random_state(self, states: list[torch.Tensor]) -> None:
        """Continue from states of `random_state`."""
        import torch

        torch.set_rng_state(states[0])
        if self.where.type == "cuda":
            torch.cuda.set_rng_state(states[1], self.where)


#: One CPU, in float32.
HERE = Execution()


def _has_bf16(kind: str) -> bool:
    import torch

    if kind == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def chosen(name: str, *, bf16: bool = False, local: int = 0) -> Execution:
    """The execution for one of `DEVICES`, checked.

    Parameters
    ----------
    name : str
        One of `DEVICES`.
    bf16 : bool
        As in `Execution`.
    local : int
        Which GPU of this machine.
    """
    import torch

    kind = name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    execution = Execution(device=f"cuda:{local}" if kind == "cuda" else "cpu", bf16=bf16)
    execution.check()
    if kind == "cuda":  # the same run gives the same bits
        torch.backends.cudnn.deterministic = True
    return execution
