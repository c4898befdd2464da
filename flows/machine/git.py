"""What git says about a folder, and in words why it says nothing."""

import subprocess
from pathlib import Path

UNKNOWN = "unknown"


def ask(root: Path, *arguments: str) -> tuple[str, str]:
    """What git answers, and why it does not: one of both is empty, or both where there is nothing to say."""
    try:
        command = ["git", "-C", str(root), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except OSError:
        return "", "git is not installed"
    return (done.stdout, "") if done.returncode == 0 else ("", _problem(root, done.stderr))


def _problem(root: Path, stderr: str) -> str:
    if "dubious ownership" in stderr:
        return f"{root} belongs to another user: git config --global --add safe.directory '{root}'"
    if "not a git repository" in stderr:
        return f"{root} is no git repository"
    return " ".join(stderr.split())[:200] or "git failed without a word"


def commit(root: Path) -> tuple[str, str]:
    """The commit that the working tree stands on, `unknown` without one, and why it is not known."""
    text, problem = ask(root, "rev-parse", "HEAD")
    return text.strip() or UNKNOWN, problem


def has_repository(root: Path) -> bool:
    """Whether a `.git` is there or above: a folder, or the file of a worktree."""
    return any((folder / ".git").exists() for folder in (root, *root.parents))
