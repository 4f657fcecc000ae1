"""The mutations of `mutate.py` still fit the code; that the tests notice them takes minutes and is
`mutate.py`'s to show.
"""

import mutate
import pytest


@pytest.mark.parametrize("mutation", mutate.MUTATIONS, ids=lambda mutation: mutation.what.replace(" ", "-"))
def test_fits(mutation):
    assert (mutate.ROOT / mutation.file).read_text(encoding="utf-8").count(mutation.old) == 1
    assert mutation.new != mutation.old
    assert all((mutate.ROOT / test.partition("::")[0]).is_file() for test in mutation.test_files)
