"""A run knows the branch and the commit that it was started from."""

from __future__ import annotations

import subprocess

import pytest

import harness
from harness.workflows.checkout import checkout


def git(folder, *words):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    (folder / "suites" / "deep").mkdir(parents=True)
    git(folder, "init", "-b", "topic/one")
    git(folder, "commit", "--allow-empty", "-m", "first")
    return folder


def test_the_branch_and_its_commit_are_read(repository):
    found = checkout(repository / "suites" / "deep", {})
    assert found == {"branch": "topic/one", "commit": git(repository, "rev-parse", "HEAD")}


def test_packed_branches_are_read_too(repository):
    commit = git(repository, "rev-parse", "HEAD")
    git(repository, "pack-refs", "--all")
    assert checkout(repository, {}) == {"branch": "topic/one", "commit": commit}


def test_a_worktree_has_a_branch_of_its_own(repository, tmp_path):
    git(repository, "worktree", "add", "-b", "other", str(tmp_path / "tree"))
    assert checkout(tmp_path / "tree", {})["branch"] == "other"
    assert checkout(tmp_path / "tree", {})["commit"] == git(repository, "rev-parse", "HEAD")


def test_of_a_commit_by_itself_the_ci_system_names_the_branch(repository):
    git(repository, "checkout", "--detach")
    commit = git(repository, "rev-parse", "HEAD")
    assert checkout(repository, {}) == {"branch": None, "commit": commit}
    assert checkout(repository, {"GITHUB_HEAD_REF": "", "GITHUB_REF_NAME": "main"})["branch"] == "main"
    assert checkout(repository, {"CI_COMMIT_REF_NAME": "topic"})["branch"] == "topic"


def test_a_branch_without_a_commit_is_a_branch(tmp_path):
    git(tmp_path, "init", "-b", "empty")
    assert checkout(tmp_path, {}) == {"branch": "empty", "commit": None}


def test_outside_of_a_checkout_nothing_is_known(tmp_path):
    assert checkout(tmp_path, {"GITHUB_REF_NAME": "main"}) is None


def test_a_damaged_checkout_stops_no_run(repository):
    (repository / ".git" / "HEAD").write_bytes(b"\xff")
    assert checkout(repository, {}) == {"branch": None, "commit": None}


def test_a_run_says_it_of_itself(repository, monkeypatch):
    monkeypatch.chdir(repository)
    (repository / "bot.yaml").write_text("name: Bot\nmodel: small-1\n")
    (repository / "app.py").write_text("def answer(question):\n    return 'Yes.'\n")
    (repository / "s.yaml").write_text(
        "suite: s\nassistant: bot.yaml\nconversations: [{id: a, turns: [{user: Hi}]}]\n"
    )
    run = harness.evaluate("s.yaml", target="function", target_function="app.py:answer")
    assert run.settings["git"]["branch"] == "topic/one"
