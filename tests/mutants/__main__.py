"""`make mutants`: draws mutants of each subject by a seed, tries them, and prints those that no test noticed.

mutmut leaves out decorated functions (properties, class methods) and draws nothing by a seed; cosmic-ray changes the
checkout itself. So this is a sampler of our own: few operators, each subject's own tests, always in a copy.
"""

import argparse
import random
import signal
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.mutations import Mutant, mutants
from tests.mutants.subjects import SUBJECTS, asked_about, mirror_of, modules_of
from tests.mutants.trial import Outcome, Trials, UnsoundError, copy_tree

ROOT = Path(__file__).resolve().parents[2]
HARMLESS = Path(__file__).with_name("harmless.toml")


def harmless(path: Path = HARMLESS) -> set[tuple[str, str, str]]:
    """Module, function and change of each mutant that a person found to change nothing."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("harmless", [])
    for entry in entries:
        if sorted(entry) != ["change", "module", "why", "within"] or not entry["why"].strip():
            raise ValueError(f"{path.name}: an entry has exactly module, within, change and why: {entry}")
    return {(entry["module"], entry["within"], entry["change"]) for entry in entries}


def all_mutants(subject: str, root: Path) -> list[Mutant]:
    """Every mutant of a subject."""
    return [
        mutant
        for module in modules_of(subject, root)
        for mutant in mutants(module, (root / module).read_text(encoding="utf-8"))
    ]


def draw(subject: str, found: Sequence[Mutant], *, number: int | None, seed: int) -> list[Mutant]:
    """A sample of a subject's mutants in the order of their lines; all of them where number is None."""
    if number is None or number >= len(found):
        return list(found)
    chosen = random.Random(f"{seed} {subject}").sample(range(len(found)), number)
    return [found[place] for place in sorted(chosen)]


def report_lines(subject: str, total: int, results: Sequence[tuple[Mutant, Outcome]]) -> list[str]:
    """The subject's score and its survivors."""
    survivors = [mutant for mutant, outcome in results if outcome is Outcome.SURVIVED]
    too_long = sum(outcome is Outcome.TOO_LONG for _, outcome in results)
    noticed = len(results) - len(survivors)
    score = f"{100 * noticed / len(results):.0f} %" if results else "nothing drawn"
    slow = f", {too_long} of them by running too long" if too_long else ""
    return [
        f"{subject}: {score}: {noticed} of {len(results)} noticed{slow} ({total} mutants in all)",
        *(f"  survived {mutant}" for mutant in survivors),
    ]


def _number(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number from 1 on nor all")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the mutants; 0 when all were judged, whatever survived; 2 when the tests are not sound to begin with."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="Which small wrong changes survive?")
    parser.add_argument("--number", type=_number, default=10, metavar="N", help="mutants of each subject, or all")
    parser.add_argument("--seed", type=int, default=1, help="which ones are drawn (default 1)")
    parser.add_argument("--subject", choices=SUBJECTS, action="append", help="only this subject; may be given again")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (default 2)")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(options)
    except UnsoundError as error:
        print(f"make mutants: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _run(options: argparse.Namespace) -> int:
    known = harmless()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trials = Trials([copy_tree(ROOT, Path(folder) / str(number)) for number in range(options.jobs)])
        for subject in options.subject or SUBJECTS:
            every = all_mutants(subject, ROOT)
            open_ones = [each for each in every if (each.module, each.within, each.change) not in known]
            drawn = draw(subject, open_ones, number=options.number, seed=options.seed)
            results = list(zip(drawn, trials.outcomes(drawn), strict=True))
            print("\n".join(report_lines(subject, len(every), results)), flush=True)
            for module in modules_of(subject, ROOT):
                if not asked_about(module, ROOT):
                    print(f"  {module} is reached by no quick test: write {mirror_of(module)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
