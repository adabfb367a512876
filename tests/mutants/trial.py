"""Trying mutants: each in a copy of the tree, the tests of its module against it, with a limit in time and memory."""

import itertools
import os
import queue
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from tests.mutants.mutations import Mutant
from tests.mutants.subjects import asked_about

NOT_COPIED = (".git", ".venv", "build", "dist", "demo-data", "__pycache__", ".*_cache", ".hypothesis")
MEMORY_MAX_BYTES = 6 * 1024**3
BASELINE_MAX_S = 900.0
SLOWER_MAX = 4
GRACE_S = 20.0
NOTHING_FAILED = (0, 5)  # pytest's 5: no test in these files is of this run, as in those of the campaigns
PLUGINS = ("pytest_asyncio.plugin", "pytest_timeout", "tests.mutants.quick", "no:cacheprovider")
"""All that the quick tests need; loading every one that is installed takes longer than most of them."""
OPTIONS = ("-x", "-q", *(part for plugin in PLUGINS for part in ("-p", plugin)))

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


class Outcome(Enum):
    """What the tests said of a mutant."""

    NOTICED = "noticed"
    TOO_LONG = "ran too long"
    SURVIVED = "survived"


class StoppedError(Exception):
    """The whole run is being ended: nothing more is started."""


class UnsoundError(Exception):
    """The tests fail before anything is changed: no mutant can be judged."""


@dataclass
class Tree:
    """A copy of the repository in which one module at a time is changed."""

    root: Path
    _stamps: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1_000_000_000))
    _child: "subprocess.Popen[bytes] | None" = None
    _is_stopped: bool = False

    def write(self, module: str, text: str) -> None:
        """Replace a module. Its time is new each time, so that no compiled file of another text is taken for it."""
        path = self.root / module
        path.write_text(text, encoding="utf-8")
        stamp = next(self._stamps)
        os.utime(path, (stamp, stamp))

    def run(self, tests: Sequence[str], *, limit_s: float) -> Outcome:
        """Run test files until the first failure."""
        if self._is_stopped:
            raise StoppedError
        command = [sys.executable, "-m", "pytest", *OPTIONS, *tests]
        environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": str(self.root)}
        self._child = child = subprocess.Popen(
            command,
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            resource.prlimit(child.pid, resource.RLIMIT_AS, (MEMORY_MAX_BYTES, MEMORY_MAX_BYTES))
            return Outcome.SURVIVED if child.wait(limit_s) in NOTHING_FAILED else Outcome.NOTICED
        except subprocess.TimeoutExpired:
            return Outcome.TOO_LONG
        finally:
            _end(child)

    def stop(self) -> None:
        """End what runs in this tree; nothing starts in it any more."""
        self._is_stopped = True
        if self._child is not None:
            _end(self._child)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End the child's whole session: tests may have started programs."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        child.wait()


def copy_tree(root: Path, to: Path) -> Tree:
    """The files of the repository without what commands have made in it."""
    shutil.copytree(root, to, ignore=shutil.ignore_patterns(*NOT_COPIED))
    return Tree(to)


class Trials:
    """Runs mutants, several at a time, each in a tree of its own."""

    def __init__(self, trees: Sequence[Tree]) -> None:
        self._trees = trees
        self._free: queue.Queue[Tree] = queue.Queue()
        for tree in trees:
            self._free.put(tree)
        self._seconds: dict[str, float] = {}

    def outcomes(self, mutants: Iterable[Mutant]) -> list[Outcome]:
        """What becomes of each mutant, in their order; raises UnsoundError where the tests fail by themselves."""
        with ThreadPoolExecutor(len(self._trees)) as pool:
            try:
                return list(pool.map(self._outcome, mutants))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for tree in self._trees:
                    tree.stop()
                raise

    def _outcome(self, mutant: Mutant) -> Outcome:
        for tests in asked_about(mutant.module, self._trees[0].root):
            limit_s = GRACE_S + SLOWER_MAX * sum(self._usual_s(test) for test in tests)
            with self._tree() as tree:
                original = (tree.root / mutant.module).read_text(encoding="utf-8")
                try:
                    tree.write(mutant.module, mutant.text)
                    outcome = tree.run(tests, limit_s=limit_s)
                finally:
                    tree.write(mutant.module, original)
            if outcome is not Outcome.SURVIVED:
                return outcome
        return Outcome.SURVIVED

    def _usual_s(self, test: str) -> float:
        """How long a test file takes on the unchanged tree."""
        if test not in self._seconds:
            with self._tree() as tree:
                began = time.monotonic()
                if tree.run((test,), limit_s=BASELINE_MAX_S) is not Outcome.SURVIVED:
                    raise UnsoundError(f"{test} fails without any change: mend it first")
                self._seconds[test] = time.monotonic() - began
        return self._seconds[test]

    @contextmanager
    def _tree(self) -> Iterator[Tree]:
        tree = self._free.get()
        try:
            yield tree
        finally:
            self._free.put(tree)
