"""Assistants as they are at a git revision: the file, its base and its documents come from there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.errors import SuiteError
from harness.suite.assistants import load_variant
from harness.suite.revisions import commit_of, load_at_revision, split_revision

BOT = "name: Bot\nmodel: m\ninstructions: Be kind.\ntools: [{type: file_search}]\nknowledge: [../docs/*.md]\n"


def git(folder: Path, *arguments: str) -> str:
    own = ["-c", "user.name=Tester", "-c", "user.email=tester@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *own, *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.strip()


def commit(folder: Path, **files: str) -> str:
    """Write files (two underscores stand for a folder), commit them; the commit's id."""
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "a change")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bot with a document on the branch main, and both changed in the working tree."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    commit(
        root, bots__bot_dot_yaml=BOT, docs__guide_dot_md="Old guide.", docs__other_dot_txt="Not asked for."
    )
    (root / "bots" / "bot.yaml").write_text(BOT.replace("kind", "brief"), "utf-8")
    (root / "docs" / "guide.md").write_text("New guide.", "utf-8")
    monkeypatch.chdir(root)
    return root


def problem_of(path: Path, revision: str) -> str:
    with pytest.raises(SuiteError) as caught:
        load_at_revision(path, revision)
    return str(caught.value.problems[0])


def test_file_and_documents_are_those_of_the_revision_and_not_of_the_folder(repository: Path) -> None:
    variant = load_at_revision(Path("bots/bot.yaml"), "main")
    assert variant.assistant.instructions == "Be kind."
    assert [path.read_text("utf-8") for path in variant.documents] == ["Old guide."]
    assert variant.name == "bot@main"
    assert variant.revision == git(repository, "rev-parse", "main")
    assert (repository / "docs" / "guide.md").read_text("utf-8") == "New guide."


def test_the_same_content_has_the_same_fingerprint_at_any_revision_and_in_the_folder(
    repository: Path,
) -> None:
    old = load_at_revision(Path("bots/bot.yaml"), "main")
    assert load_variant(Path("bots/bot.yaml")).fingerprint != old.fingerprint
    git(repository, "checkout", "-q", "--", ".")
    commit(repository, unrelated_dot_txt="x")
    new = load_at_revision(Path("bots/bot.yaml"), "HEAD")
    assert new.revision != old.revision
    assert new.fingerprint == old.fingerprint == load_variant(Path("bots/bot.yaml")).fingerprint


def test_a_patch_has_its_base_from_the_same_revision(repository: Path) -> None:
    commit(repository, bots__short_dot_yaml="base: bot.yaml\ninstructions: Be short.\n")
    (repository / "bots" / "bot.yaml").write_text(BOT.replace("Bot", "Other"), "utf-8")
    variant = load_at_revision(Path("bots/short.yaml"), "main")
    assert (variant.assistant.name, variant.assistant.instructions) == ("Bot", "Be short.")
    assert [path.name for path in variant.documents] == ["guide.md"]


def test_a_file_that_is_gone_from_the_folder_is_read_as_it_was(repository: Path) -> None:
    git(repository, "rm", "-rqf", "bots")
    git(repository, "commit", "-q", "-m", "away")
    assert load_at_revision(Path("bots/bot.yaml"), "HEAD~1").assistant.name == "Bot"


def test_the_file_is_found_from_a_folder_below_too(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository / "docs")
    assert load_at_revision(Path("../bots/bot.yaml"), "main").assistant.name == "Bot"


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("bot.yaml@main", ("bot.yaml", "main")),
        ("bot.yaml@HEAD@{1}", ("bot.yaml", "HEAD@{1}")),
        ("team@acme.yaml@v1.2", ("team@acme.yaml", "v1.2")),
        ("a/b.yml@feature/x", ("a/b.yml", "feature/x")),
        ("bot.yaml@", ("bot.yaml", "")),
        ("bot.yaml", None),
        ("team@acme.yaml", None),
    ],
)
def test_a_revision_follows_the_at_sign_after_the_file(text: str, split: tuple[str, str] | None) -> None:
    assert split_revision(text) == (split and (Path(split[0]), split[1]))


def test_a_file_whose_name_holds_an_at_sign_is_that_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bot.yaml@main").write_text(BOT, "utf-8")
    assert split_revision("bot.yaml@main") is None


def test_mistakes_are_told_with_the_revision_and_their_place(repository: Path) -> None:
    commit(repository, bots__bot_dot_yaml="name: Bot\nmodel: m\ntemperature: 3\n")
    assert problem_of(Path("bots/bot.yaml"), "main").startswith(
        "bots/bot.yaml@main:3:14: temperature must be"
    )


def test_a_document_that_is_not_at_the_revision_is_named_with_the_nearest(repository: Path) -> None:
    commit(repository, bots__bot_dot_yaml=BOT.replace("../docs/*.md", "../docs/giude.md"))
    assert problem_of(Path("bots/bot.yaml"), "main") == (
        "bots/bot.yaml@main:5:13: no file 'docs/giude.md'\n    hint: did you mean 'docs/guide.md'?"
    )


def test_an_unknown_revision_is_told_with_the_nearest_name(repository: Path) -> None:
    told = problem_of(Path("bots/bot.yaml"), "mian")
    assert "there is no revision 'mian'" in told
    assert "did you mean 'main'?" in told


@pytest.mark.parametrize("revision", ["", "--all", "no such\nthing"])
def test_what_can_be_no_revision_is_refused(repository: Path, revision: str) -> None:
    assert "revision" in problem_of(Path("bots/bot.yaml"), revision)


def test_a_shallow_clone_says_that_it_may_lack_the_revision(repository: Path, tmp_path: Path) -> None:
    old = git(repository, "rev-parse", "HEAD")
    commit(repository, more_dot_txt="x")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", "shallow")
    assert "git fetch --unshallow" in problem_of(tmp_path / "shallow" / "bots" / "bot.yaml", old)


def test_a_file_that_is_not_at_the_revision_is_named_with_the_nearest(repository: Path) -> None:
    told = problem_of(Path("bots/bto.yaml"), "main")
    assert "there is no file 'bots/bto.yaml' at the revision 'main'" in told
    assert "did you mean 'bots/bot.yaml'?" in told


def test_outside_of_a_repository_that_is_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "bot.yaml").write_text(BOT, "utf-8")
    assert "is in no git repository" in problem_of(tmp_path / "bot.yaml", "main")


def test_a_revision_means_the_same_commit_for_ever(repository: Path) -> None:
    before = commit_of(Path("bots/bot.yaml"), "main")
    commit(repository, more_dot_txt="x")
    assert commit_of(Path("bots/bot.yaml"), "main") != before
    assert load_at_revision(Path("bots/bot.yaml"), before).revision == before
