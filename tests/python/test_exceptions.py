"""What makes a run of CPython's suites worth something."""

import _ssl

import pytest
import suites


def test_exceptions_are_few_and_have_reasons():
    exceptions = suites.load_exceptions()

    assert len(exceptions) == len(suites.lines("exceptions.txt")) <= suites.MOST_EXCEPTIONS
    assert all(len(reason) > 20 for reason in exceptions.values())
    known = [line.split()[2] for line in suites.lines("suites.txt")]
    for test in exceptions:
        assert any(suites.belongs(test, suite) for suite in known), test


def test_cpythons_own_module_is_not_taken_for_ours(tmp_path):
    code, text = suites.run_cpython([suites.HERE / "cpython.py", suites.extension(), "test_ssl"],
                                    tmp_path, "")
    assert (code, text) == (1, f"_ssl is {getattr(_ssl, '__file__', 'built in')} and not "
                               f"{suites.extension()}\n")


def test_a_suite_without_a_result_is_a_failure():
    with pytest.raises(AssertionError, match="no result"):
        suites.read_outcome(0, "1 test skipped: test_ssl\n")


def test_failures_are_found():
    done = suites.read_outcome(2, "ERROR: setUpClass (test.test_a.B)\n"
                                  "FAIL: test_c (test.test_a.B.test_c) [more] (i=1)\n"
                                  "Ran 3 tests in 1.0s\n\n"
                                  "FAILED (failures=1, errors=1, skipped=2)\n")
    assert done[:4] == (2, 3, 2, {"test.test_a.B", "test.test_a.B.test_c"})
