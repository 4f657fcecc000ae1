"""Names of cores: what Verilog, VHDL and C all take."""

import pytest

from sbgen.handover.names import CoreNameError, check_name


@pytest.mark.parametrize("name", ["digits", "my_net2", "A", "x1_2_3"])
def test_taken(name):
    check_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "2net", "_net", "net_", "a__b", "net-1", "n\u00e9t", "a.b", "a b", "net\n", "\\net", "x" * 61],
)
def test_no_identifier_of_all_three(name):
    with pytest.raises(CoreNameError, match="a letter, then"):
        check_name(name)


@pytest.mark.parametrize("name", ["module", "Module", "signal", "ENTITY", "logic", "volatile", "rem"])
def test_reserved_in_one_of_them(name):
    with pytest.raises(CoreNameError, match=f"reserved word .* try: {name}_core"):
        check_name(name)
