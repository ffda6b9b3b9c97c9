"""A suite that must run whole fails where a test was skipped for want of something that can be installed."""

from __future__ import annotations

import pytest

from whole import missing_tools

TESTS = """
import pytest

def test_that_runs(): pass

@pytest.mark.skipif(True, reason={reason!r})
def test_that_is_skipped(): pass
"""


@pytest.mark.parametrize(
    ("reason", "must_be_whole", "failed"),
    [
        ("no chromium on this machine", "1", True),
        ("no chromium on this machine", "", False),
        ("it takes one goal", "1", False),
    ],
)
def test_a_skip_fails_the_run_only_where_all_must_run_and_a_tool_is_missing(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, reason: str, must_be_whole: str, failed: bool
) -> None:
    monkeypatch.setenv("ETUDE_TESTS_WHOLE", must_be_whole)
    pytester.makepyfile(TESTS.format(reason=reason))
    done = pytester.runpytest_inprocess("-p", "conftest", "-p", "no:cacheprovider")
    assert (done.ret != 0) is failed
    assert (reason in done.stdout.str()) is failed


def test_a_module_that_could_not_be_imported_is_a_missing_tool() -> None:
    reasons = ["could not import 'deephyper': No module named 'deephyper'", "it takes one goal", "no axe-core here"]
    assert missing_tools(reasons) == [reasons[0], reasons[2]]
