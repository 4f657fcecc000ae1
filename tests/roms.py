"""Random reads, for tests of everything with a ROM's interface."""

__all__ = ["check_reads"]


async def check_reads(ctx, dut, words, rng):
    """A word comes one cycle after its request, and stays while `en` is low."""
    expected = None
    for _ in range(100):
        address, enabled = rng.randrange(len(words)), rng.randrange(2)
        ctx.set(dut.addr, address)
        ctx.set(dut.en, enabled)
        await ctx.tick()
        expected = words[address] if enabled else expected
        if expected is not None:
            assert ctx.get(dut.data) == expected
