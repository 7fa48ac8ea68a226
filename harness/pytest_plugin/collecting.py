"""Files of suites become tests: a conversation is one, however often it is run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.pytest_plugin import options
from harness.pytest_plugin.playing import playing
from harness.pytest_plugin.told import TooFewPassed, judge, properties, told
from harness.suite.records import Conversation, Suite
from harness.workflows import Job, load

_OF_PYTEST = frozenset("skip skipif xfail usefixtures parametrize filterwarnings".split())
_FILES = pytest.StashKey[dict[str, Path]]()


class SuiteFile(pytest.File):
    """A file with suites; their conversations are tests."""

    suites: tuple[Suite, ...] = ()

    def collect(self) -> Iterable[pytest.Item]:
        """A test for each conversation, in the order of the file."""
        try:
            self.suites = tuple(self._loaded(self.path))
        except HarnessError as error:
            raise self.CollectError(told(error)) from error
        for suite in self.suites:
            for conversation in suite.conversations:
                yield ConversationItem.of(self, suite, conversation)

    def _loaded(self, *paths: Path) -> list[Suite]:
        """The suites of files; a name that another file's suite has would mix up their results."""
        named = tuple(str(path) for path in paths)
        suites = load(Job(named, options.settings_of(self.config), options.assistants_of(self.config)))
        files = self.session.stash.setdefault(_FILES, {})
        for suite in suites:
            other = files.setdefault(suite.name, self.path)
            if other != self.path and len(paths) == 1:
                self._loaded(other, self.path)  # says where the one and the other stand
        return suites

    def __repr__(self) -> str:
        return f"<SuiteFile {self.name}>"


class ConversationItem(pytest.Item):
    """A conversation, run as often as asked for."""

    suite: Suite
    conversation: Conversation

    @classmethod
    def of(cls, parent: SuiteFile, suite: Suite, conversation: Conversation) -> ConversationItem:
        """The test of this conversation, with its tags as marks."""
        several = len(parent.suites) > 1
        name = f"{suite.name}/{conversation.id}" if several else conversation.id
        item: ConversationItem = cls.from_parent(parent, name=name)
        item.suite, item.conversation = suite, conversation
        for tag in _marks(conversation):
            parent.config.addinivalue_line("markers", f"{tag}: conversations with this tag")
            item.add_marker(tag)
        return item

    def runtest(self) -> None:
        """Runs all trials, and fails when too few of them pass."""
        asked = playing(self.session)
        played = asked.play(self.suite, self.conversation)
        self.user_properties += properties(played)
        judge(played, self.conversation, self.config.getoption("harness_rate"))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **named: Any) -> Any:
        """What was expected and what was said, without the harness's own code."""
        if isinstance(excinfo.value, HarnessError):
            return told(excinfo.value)
        if isinstance(excinfo.value, TooFewPassed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args, **named)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where the conversation stands, and its name."""
        return self.path, None, f"{self.suite.name}/{self.conversation.id}"

    def __repr__(self) -> str:
        tags = ", ".join(self.conversation.tags)
        return f"<Conversation {self.name}{f' [{tags}]' if tags else ''}>"


def _marks(conversation: Conversation) -> Iterator[str]:
    """The tags, without those that would mean something else as marks."""
    return (tag for tag in conversation.tags if not tag.startswith("_") and tag not in _OF_PYTEST)
