"""CPython's own suites, unchanged, find nothing in ours that is not in its own `_ssl`."""

import pytest
import suites

SUITES = suites.load_suites()


@pytest.mark.parametrize("name", SUITES)
def test_suite(name, tmp_path):
    suite = SUITES[name]
    done = suites.run_suite(suite, tmp_path)
    listed = {test: reason for test, reason in suites.load_exceptions().items()
              if suites.belongs(test, name)}
    skips = {test for test, reason in listed.items() if reason.startswith("skipped: ")}
    allowed = set(listed) - skips

    assert skips - done.skips == set(), "exceptions.txt lists what is not skipped"
    assert done.failed - allowed == set(), done.text[-8000:]
    assert allowed - done.failed == set(), "exceptions.txt lists what does not fail"
    assert (done.code == 0) == (not allowed), done.text[-8000:]
    skipped = done.skipped - len(skips)
    if (done.ran, skipped) != (suite.ran, suite.skipped):
        # A machine may lack something, such as IPv6: then CPython's own module decides.
        stock = suites.run_suite(suite, tmp_path, stock=True)
        assert (done.ran, skipped) == (stock.ran, stock.skipped)
