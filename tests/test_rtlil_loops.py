"""Wires of RTLIL that are copies of themselves."""

import pytest

from sbgen.compiler.rtlil_loops import MARK, mark_copies_of_itself

_MODULE = """\
module \\other
  wire width 4 \\w
  connect \\w 4'0000
end
module \\top
  wire width 4 offset 2 \\w
  wire width 4 input 1 \\v$1
  cell \\other \\x
    connect \\w \\w
  end
  connect {connection}
end
"""


@pytest.mark.parametrize(
    ("connection", "marked"),
    [
        ("\\w [3:2] \\w [1:0]", "\\w"),
        ("{ \\w [3] \\w [2] } { \\v$1 [0] \\w [0] }", "\\w"),
        ("\\w [3] { \\w [0] }", "\\w"),
        ("\\w \\v$1", ""),
        ("\\w [3:2] { \\v$1 [0] 1'0 }", ""),
        ("{ \\v$1 [0] \\v$1 [2] } { \\v$1 [1] \\w [0] }", "\\v$1"),
    ],
)
def test_a_wire_that_is_marked(connection, marked):
    text = _MODULE.format(connection=connection)
    found, count = mark_copies_of_itself(text)
    assert count == bool(marked)
    mark = f"  attribute \\{MARK} 1\n"
    assert found.replace(mark, "") == text
    after = [
        line for mark_, line in zip(found.splitlines(), found.splitlines()[1:], strict=False) if MARK in mark_
    ]
    assert [line.split()[-1] for line in after] == [marked] * count
    if count:  # in the module of the connection
        assert found.index(mark) > found.index("module \\top")
