"""Whether a design fits a device, and if not, what would."""

from ..errors import FitError
from .capacity import holds, lacks
from .design import Design
from .device import DEVICES, Device
from .estimate import estimate
from .fit import FILL, excess, excess_words
from .ir import Network
from .layers import rules, scores_rule
from .linked import check_design
from .narrow import narrow, widths
from .search import Search
from .weight_count import weights

__all__ = ["check_fit", "fits", "remedies", "slowest"]

#: Steps of the width that a narrower network is searched in.
_WIDTHS = 16


def check_fit(design: Design, device: Device) -> None:
    """Refuse a design that by the estimate is too big for the whole device, or that the board's host link
    cannot serve. A core that reports only the label needs none where the device has none.

    Raises
    ------
    FitError
        With what is over, by how much, and what would fit.
    """
    if device.host_link or not design.label_only:
        check_design(design)
    over = excess(estimate(design, device), device, dict.fromkeys(FILL, 1.0))
    if over:
        what = f"the design does not fit {device.name}: {excess_words(over)}"
        raise FitError("; ".join([what, *remedies(design.network, device, patchable=design.patchable)]))


def slowest(network: Network) -> int:
    """Cycles an image of the smallest folding, one input and one output at a time."""
    return max(
        network.pixels, scores_rule(network).results_cycles, *(rule.slowest for rule in rules(network))
    )


def fits(network: Network, device: Device, *, patchable: bool) -> bool:
    """Whether a network fits a device at any folding."""
    if not holds(network, device, patchable=patchable):
        return False
    # Mostly a folding fits whose weight words are as wide as a block RAM, and no search is needed. In a
    # patchable design memories are of another kind.
    for width, _ in () if patchable else device.fabric.bram_shapes:
        foldings = tuple(
            rule.folding(pe=min(width, getattr(rule.layer, "outputs", 1)), simd=1) for rule in rules(network)
        )
        design = Design(network=network, foldings=foldings)
        if not excess(estimate(design, device, exact=False), device, FILL):
            return True
    search = Search(network, device, fill=FILL, patchable=patchable)
    return search.design(slowest(network), any_fits=True) is not None


def remedies(network: Network, device: Device, *, patchable: bool) -> list[str]:
    """What would fit: the smallest known device that does, and how narrow the network would have to be; none
    if another folding fits.
    """
    if fits(network, device, patchable=patchable):
        return []
    found = lacks(network, device, patchable=patchable)
    for other in sorted(DEVICES.values(), key=lambda each: each.lut):
        if other.lut > device.lut and fits(network, other, patchable=patchable):
            found.append(f"it would fit {other.name}")
            break
    # A search for each width takes seconds. Where all memories are too small, it is enough to count bits.
    stored = not holds(network, device, patchable=patchable)

    def suffices(narrower: Network) -> bool:
        if stored:
            return not lacks(narrower, device, patchable=patchable)
        return fits(narrower, device, patchable=patchable)

    low, high, widest = 0, _WIDTHS, None  # shares of the width; `high` does not fit
    while high - low > 1:
        middle = (low + high) // 2
        narrower = narrow(network, middle / _WIDTHS)
        if narrower is None:
            break
        if suffices(narrower):
            low, widest = middle, narrower
        else:
            high = middle
    if widest is not None:
        what = "has weights for these memories" if stored else "fits"
        found.append(
            f"a network of this kind {what} with hidden layers of {', '.join(map(str, widths(widest)))} in"
            f" place of {', '.join(map(str, widths(network)))} ({sum(weights(widest)):,} weights)"
        )
    return found
