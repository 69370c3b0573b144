"""The table of results in the README, made by the long form.

A run of some scenarios replaces their rows only, and only if machine and versions are those of the table.
Each row has its own date.
"""

import dataclasses
import datetime
import json
import os
import pathlib
import subprocess
import tempfile

BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"
HEAD = ("scenario", "what was done", "what held", "duration", "seed", "date")


@dataclasses.dataclass
class Row:
    """What one scenario came to."""

    scenario: str
    did: str
    held: str
    seconds: float
    seed: int

    def cells(self):
        duration = f"{self.seconds:.0f} s" if self.seconds < 120 else f"{self.seconds / 60:.0f} min"
        date = datetime.date.today().isoformat()
        return (f"`{self.scenario}`", self.did, self.held, duration, str(self.seed), date)


def versions(program):
    """The sidecar's own word for its version and SQLite's."""
    lines = "".join(json.dumps({"jsonrpc": "2.0", "id": n, "method": name}) + "\n" for n, name in enumerate(("initialize", "stats")))
    with tempfile.TemporaryDirectory(prefix="renderstate-faults-version.") as folder:
        done = subprocess.run(
            [program, "serve", "--database", f"{folder}/v.sqlite"], input=lines.encode(), capture_output=True,
            check=True, timeout=60,
        )
    hello, stats = (json.loads(line)["result"] for line in done.stdout.splitlines())
    return f"{hello['server']['name']} {hello['server']['version']}, SQLite {stats['store']['sqliteVersion']}"


def machine():
    """Where it ran, as the benchmarks say it."""
    processor = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    disk = subprocess.run(
        ["df", "--output=fstype,size", "-BG", tempfile.gettempdir()], capture_output=True, text=True, check=True
    ).stdout.splitlines()[1].split()
    return f"{processor}, {os.cpu_count()} cores, {memory:.0f} GiB of memory, {disk[0]} ({disk[1]}), Linux {os.uname().release}"


def write(readme, rows, order, program, whole):
    """Puts the rows into the table. `whole` says that they are all there are, made in one run.

    Rows of some scenarios go into a table of the same machine and versions only.
    """
    before, rest = readme.read_text().split(BEGIN)
    figures, after = rest.split(END)
    heading = f"{machine()}.\n{versions(program)}."
    table = {}
    if not whole:
        if not figures.startswith(heading) and figures.strip():
            print("the table is of another machine or version: it stays until a long run of all scenarios replaces it")
            return
        table = {line.split("`")[1]: line for line in figures.splitlines() if line.startswith("| `")}
    table |= {row.scenario: _line(row.cells()) for row in rows}
    lines = [heading, "", _line(HEAD), _line(["---"] * len(HEAD))] + [table[name] for name in order if name in table]
    readme.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + after)


def _line(cells):
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
