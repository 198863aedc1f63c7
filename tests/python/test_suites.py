"""CPython's own suites, unchanged, find nothing in ours that is not in its own `_ssl`."""

import pytest
import suites

SUITES = suites.load_suites()


@pytest.mark.parametrize("name", SUITES)
def test_suite(name, tmp_path):
    suite = SUITES[name]
    done = suites.run_suite(suite, tmp_path)
    allowed = {test for test in suites.load_exceptions() if suites.belongs(test, name)}

    assert done.failed - allowed == set(), done.text[-8000:]
    assert allowed - done.failed == set(), "exceptions.txt lists what does not fail"
    assert (done.code == 0) == (not allowed), done.text[-8000:]
    if (done.ran, done.skipped) != (suite.ran, suite.skipped):
        # A machine may lack something, such as IPv6: then CPython's own module decides.
        stock = suites.run_suite(suite, tmp_path, stock=True)
        assert (done.ran, done.skipped) == (stock.ran, stock.skipped)
