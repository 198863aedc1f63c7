"""What makes a run of CPython's suites worth something."""

import _ssl

import pytest
import suites


def test_exceptions_are_few_and_have_reasons():
    exceptions = [line.split(None, 2) for line in suites.lines("exceptions.txt")]
    known = [line.split() for line in suites.lines("suites.txt")]

    for version, test, reason in exceptions:
        assert len(reason) > 20
        assert any(version == words[0] and suites.belongs(test, words[2]) for words in known), test
    assert len({(version, test) for version, test, _ in exceptions}) == len(exceptions)
    for version in {version for version, _, _ in exceptions}:
        assert 0 < len(suites.load_exceptions(version)) <= suites.MOST_EXCEPTIONS


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
                                  "test_d (test.test_a.B.test_d) ... skipped 'no'\n"
                                  "Ran 3 tests in 1.0s\n\n"
                                  "FAILED (failures=1, errors=1, skipped=2)\n")
    assert done[:4] == (2, 3, 2, {"test.test_a.B", "test.test_a.B.test_c"})
    assert done.skips == {"test.test_a.B.test_d"}
