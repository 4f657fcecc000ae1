"""A model of a SPI flash in mode 0 that can be read."""

__all__ = ["SpiFlash"]


class SpiFlash:
    """Follows its pins, cycle by cycle.

    Asleep until it is released (0xAB), then ignores commands for `wake` steps; reads (0x03) from a 24-bit
    address on. A wrong command raises an `AssertionError`.
    """

    def __init__(self, contents, *, wake=0):
        self.contents = bytes(contents)
        self.awake_in = None
        self.commands = []
        self._wake = wake
        self._clk = 0
        self._bits = ""
        self._out = []
        self._level = None

    def step(self, *, cs, clk, copi):
        """The level of cipo after the next edge of the host's clock, from the levels before it; None where
        it floats.
        """
        if self.awake_in:
            self.awake_in -= 1
        rises, falls = clk and not self._clk, self._clk and not clk
        self._clk = clk
        if not cs:
            if self._bits:
                assert len(self._bits) >= 8 and not clk, "a command must be whole"
                if self.commands[-1] == 0xAB:
                    self.awake_in = self._wake
            self._bits, self._out, self._level = "", [], None
            return None
        if rises:
            self._bits += str(copi)
            if len(self._bits) == 8:
                self.commands.append(int(self._bits, 2))
                assert self.commands[-1] == 0xAB or self.awake_in == 0, "only a flash that is awake listens"
            if len(self._bits) == 32 and self.commands[-1] == 0x03:
                address = int(self._bits[8:], 2)
                self._out = [byte >> n & 1 for byte in self.contents[address:] for n in range(7, -1, -1)][
                    ::-1
                ]
        if falls and self._out:
            self._level = self._out.pop()
        return self._level
