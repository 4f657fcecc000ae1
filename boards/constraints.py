"""Constraint files: which port of the top level is which pin, and how its buffer is set."""

__all__ = ["lpf", "pcf"]


def pcf(board, pins=None):
    """The constraint file of nextpnr-ice40, for the board's pins or those given.

    Only the pull-up is said here; the standards of the platforms are all 3.3 V LVCMOS or its like, which the
    buffers are by themselves.
    """
    lines = []
    for pin in board.pins if pins is None else pins:
        pullup = " -pullup yes" if dict(pin.attrs).get("PULLUP") and pin.port == "rx" else ""
        lines.append(f"set_io{pullup} {pin.port} {pin.site}")
    return "\n".join(lines) + "\n"


def lpf(board, pins=None, *, margin=0.0):
    """The constraint file of nextpnr-ecp5, for the board's pins or those given.

    The oscillator is written faster by `margin`, a fraction; the clocks of a PLL follow from it.
    """
    lines = []
    for pin in board.pins if pins is None else pins:
        lines.append(f'LOCATE COMP "{pin.port}" SITE "{pin.site}";')
        if pin.attrs:
            settings = " ".join(f"{name}={value}" for name, value in pin.attrs)
            lines.append(f'IOBUF PORT "{pin.port}" {settings};')
    lines.append(f'FREQUENCY PORT "clk" {board.oscillator_mhz * (1 + margin):g} MHZ;')
    return "\n".join(lines) + "\n"
