"""Fixtures that tests of many rooms share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from projects import Project
from whole import missing_tools

settings.register_profile("etude", deadline=None)
settings.load_profile("etude")
"""How long an example takes says how busy the machine is, and nothing of the code."""


pytest_plugins = ["pytester"]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run that must be whole (`ETUDE_TESTS_WHOLE=1`) if a test was skipped for want of a tool."""
    missing = reasons_to_fail(session.config)
    if missing and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for reason in reasons_to_fail(terminalreporter.config):
        terminalreporter.write_line(f"FAILED: a test that must run was skipped: {reason}", red=True)


def reasons_to_fail(config: pytest.Config) -> list[str]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("ETUDE_TESTS_WHOLE") or reporter is None:
        return []
    skipped = reporter.stats.get("skipped", [])
    return missing_tools(report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project of a user."""
    return Project(tmp_path)
