"""Runs the scenarios that are named, or all. `run` has prepared everything, and calls it."""

import argparse
import importlib.util
import inspect
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import unittest

import results
from faults import HERE, CheckFailed, Faults


def scenarios():
    """The scenarios by name: what is in their folder."""
    found = {}
    for path in sorted((HERE / "scenarios").glob("*.py")):
        specification = importlib.util.spec_from_file_location(f"scenario_{path.stem}", path)
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        found[path.stem] = module
    return found


def promise(module):
    """The first sentence of what a scenario says of itself."""
    return inspect.cleandoc(module.__doc__).split("\n\n")[0].replace("\n", " ")


def has_only_long_form(module):
    """Whether a scenario is no part of the short form: it says LONG_ONLY."""
    return getattr(module, "LONG_ONLY", False)


def arguments(known):
    parser = argparse.ArgumentParser(prog="Tests/Faults/run", description="Attacks the promises of the sidecar.", allow_abbrev=False)
    parser.add_argument("--long", action="store_true", help="the long form, which writes the table of results")
    parser.add_argument("--seed", type=int, help="where all randomness comes from; else another one each time")
    parser.add_argument("--sidecar", metavar="PATH", help="the program; else $RENDERSTATE_BIN, else it is built")
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    # For `run`: says whether the arguments are right, and does nothing else.
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO", help="one of: " + " ".join(known))
    try:
        return parser.parse_args()
    except SystemExit as error:
        sys.exit(64 if error.code else 0)


def main():
    known = scenarios()
    chosen = arguments(known)
    if chosen.list:
        for name, module in known.items():
            print(f"{name:20} {promise(module)}{' (long form only)' if has_only_long_form(module) else ''}")
        return 0
    unknown = [name for name in chosen.scenario if name not in known]
    if unknown:
        print(f"there is no scenario {', '.join(unknown)}; there are: {' '.join(known)}", file=sys.stderr)
        return 64
    only_long = [name for name in chosen.scenario if has_only_long_form(known[name])]
    if only_long and not chosen.long:
        print(f"{', '.join(only_long)} has a long form only: say --long", file=sys.stderr)
        return 64
    if chosen.check:
        return 0
    program = pathlib.Path(chosen.sidecar or os.environ["RENDERSTATE_BIN"]).resolve()
    if not os.access(program, os.X_OK):
        print(f"there is no program {program}", file=sys.stderr)
        return 64
    # A shell that starts this in the background has it ignore SIGINT, and so would the sidecars.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Who judges is judged first.
    os.environ["RENDERSTATE_BIN"] = str(program)
    tests = unittest.defaultTestLoader.discover(str(HERE), "test_*.py")
    if not unittest.TextTestRunner(verbosity=0, warnings="error").run(tests).wasSuccessful():
        return 1
    seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(10**6)

    rows, failed = [], []
    for name in chosen.scenario or (name for name in known if chosen.long or not has_only_long_form(known[name])):
        row = attempt(name, known[name], program, seed, chosen)
        if row:
            rows.append(row)
        else:
            failed.append(name)
    if chosen.long and rows:
        results.write(HERE / "README.md", rows, list(known), program, whole=len(rows) == len(known))
    if failed:
        print(f"failed: {' '.join(failed)}", file=sys.stderr)
        return 1
    return 0


def attempt(name, module, program, seed, chosen):
    """Runs one scenario; returns its row of the table, or None if it failed."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"renderstate-faults-{name}."))
    # The same program throughout, also if somebody builds it anew meanwhile.
    copy = folder / "renderstate"
    shutil.copy(program, copy)
    work = folder / "work"
    work.mkdir()
    faults = Faults(name, copy, work, seed, chosen.long)
    began = time.monotonic()
    failure = None
    try:
        result = module.run(faults)
    except CheckFailed as error:
        failure = str(error)
    except Exception:
        failure = traceback.format_exc()
    finally:
        faults.end()
        if failure is None:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            faults.keep_journals()
    seconds = time.monotonic() - began
    if failure is not None:
        form = "--long " if chosen.long else ""
        print(
            f"FAILED {name} after {seconds:.1f} s: {failure}\n"
            f"  again: Tests/Faults/run {form}--seed {seed} {name}\n"
            f"  its folder is kept: {folder}",
            file=sys.stderr, flush=True,
        )
        return None
    print(f"{name}: {result.did} {result.held} ({seconds:.1f} s, seed {seed})", flush=True)
    return results.Row(name, result.did, result.held, seconds, seed)


if __name__ == "__main__":
    sys.exit(main())
