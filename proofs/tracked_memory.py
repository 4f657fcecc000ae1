"""A memory with one tracked word, whose other words may hold anything.

It has at least the behaviours of the real memory, so a proof with it holds for the real one. The tracked word
is the one written in a cycle that the specification chooses, so it stands for any word.
"""

from amaranth.hdl import Module, Mux, Signal
from amaranth.hdl._mem import MemoryInstance

from .circuit import Circuit

__all__ = ["TrackedMemory"]


class TrackedMemory:
    """Replaces the memory of the component of a circuit, or all of several that are never written together.

    A word that is read in the cycle in which it is written may be anything too.

    Parameters
    ----------
    circuit : Circuit
    memories : int
        Their number.

    Attributes
    ----------
    follow : Signal
        Input: track the word written in this cycle from now on.
    """

    def __init__(self, circuit: Circuit, memories: int = 1) -> None:
        self._circuit = circuit
        self.follow = Signal(name="memory_follow")
        if circuit.replace(MemoryInstance, self._module) != memories:
            raise AssertionError(f"there must be {memories} of them")

    def _module(self, memory: MemoryInstance) -> Module:
        m = Module()
        (write,) = memory._write_ports
        followed, address = Signal(name="memory_followed"), Signal(len(write._addr), name="memory_address")
        word = Signal(len(write._data), name="memory_word")
        with m.If(self.follow & write._en):
            m.d.sync += [followed.eq(1), address.eq(write._addr), word.eq(write._data)]
        with m.Elif(write._en & (write._addr == address)):
            m.d.sync += word.eq(write._data)
        for read in memory._read_ports:
            data = Signal(len(read._data), name="memory_read")
            anything = self._circuit.free(len(data), name="memory")
            known = followed & (read._addr == address) & ~(write._en & (write._addr == address))
            with m.If(read._en):
                m.d.sync += data.eq(Mux(known, word, anything))
            m.d.comb += read._data.eq(data)
        return m
