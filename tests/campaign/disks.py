"""Fill the disk at every stage, and make places read-only; afterwards the same command ends as it must.

Checked: a command that cannot write ends with an error, not with a traceback or a hang. With room, or where
writing is allowed, it then ends with the bits of a command that nothing disturbed.

Where this process may mount, a disk is a tmpfs, and a read-only place is bound read-only. A store's disk is
filled while a random node is made, since commands refuse to begin on one that is nearly full. Elsewhere a
limit on the size of a file stands for the disk, and read-only places are left out.

    python -m tests.campaign.disks --cases 30 --seed 0
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .commands import COMMANDS, MOST_SECONDS, Command
from .interrupted import clear, ends_of, finished

# Folders that the commands write to; they are disks of their own.
WRITTEN = {
    "run": (".grasp_bench", "results", "leaderboard"),
    "tune": (".grasp_bench", "results"),
    "prepare": ("data",),
}
READ = {"run": (), "tune": (), "prepare": ("raw",)}
STORE, LARGE = ".grasp_bench", "400m"  # commands want 200 MB
NODES = 12  # that a command begins, at least
KIB = 1024


def main() -> int:
    """Run the campaign; 1 when something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", type=int, default=30, help="full disks")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    counts, faults = Counter[tuple[str, str]](), list[str]()
    with tempfile.TemporaryDirectory() as place:
        mounts = may_mount(Path(place))
        whole = {name: undisturbed(Path(place), command) for name, command in COMMANDS.items()}
        cases = [(name, folder) for name, folders in WRITTEN.items() for folder in folders]
        for number in range(asked.cases):
            name, folder = cases[number % len(cases)]
            draw = random.Random(f"{asked.seed}/{number}")
            need, expected = whole[name]
            room = draw.randrange(1, max(2, need[folder]))
            case = full_disk if mounts else small_files
            end, wrong = case(Path(place), COMMANDS[name], folder, room, expected)
            counts[f"{name}: {folder} full", end] += 1
            faults += [f"case {number}, {name} with {room} KiB in {folder}: {each}" for each in wrong]
        for name, folder in [*cases, *((name, f) for name, folders in READ.items() for f in folders)]:
            if mounts:
                end, wrong = read_only(Path(place), COMMANDS[name], folder, whole[name][1])
                counts[f"{name}: {folder} read-only", end] += 1
                faults += [f"{name} with {folder} read-only: {each}" for each in wrong]
    print("disks are", "tmpfs" if mounts else "limits on the size of files (mounting is not allowed)")
    for (what, end), count in sorted(counts.items()):
        print(f"{what:32}{end:12}{count:4}")
    print("\n".join(faults) or "nothing misbehaved")
    return int(bool(faults))


def undisturbed(folder: Path, command: Command) -> tuple[Mapping[str, int], Mapping[str, object]]:
    """KiB that each folder needs, and how the command ends."""
    clear(folder)
    wrong: list[str] = []
    ends = finished(command, folder, wrong)
    assert not wrong, wrong
    need = {
        path.name: sum(-(-p.stat().st_size // 4096) * 4 for p in path.rglob("*")) for path in folder.iterdir()
    }
    return need, ends


def full_disk(
    folder: Path, command: Command, where: str, room: int, expected: Mapping[str, object]
) -> tuple[str, list[str]]:
    """Give a folder so many KiB (a store from some node on), then enough."""
    clear(folder)
    command.prepare(folder)
    (folder / where).mkdir(exist_ok=True)
    size = LARGE if where == STORE else f"{room}k"
    with mounted(folder / where, "-t", "tmpfs", "-o", f"size={size}", "tmpfs"):
        filler = folder / where / "filler"
        end, wrong = filled(command, folder, filler, room) if where == STORE else disturbed(command, folder)
        filler.unlink(missing_ok=True)
        subprocess.run(["mount", "-o", f"remount,size={LARGE}", str(folder / where)], check=True)
        return end, [*wrong, *again(command, folder, expected)]


def filled(command: Command, folder: Path, filler: Path, room: int) -> tuple[str, list[str]]:
    """Run a command, and leave its disk a few KiB when it has begun some of its nodes."""
    node = room % NODES
    with command.start(folder) as process:
        assert process.stdout is not None
        heard = []
        for line in process.stdout:
            heard.append(line)
            node -= " start " in line
            if node < 0:
                break
        free = os.statvfs(filler.parent)
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_frsize - room % 64 * KIB))
        try:
            said, _ = process.communicate(timeout=MOST_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return "hangs", ["hangs"]
    return ended(process.returncode, "".join(heard) + said)


def small_files(
    folder: Path, command: Command, where: str, room: int, expected: Mapping[str, object]
) -> tuple[str, list[str]]:
    """Let no file grow beyond so many KiB, then any."""
    clear(folder)
    command.prepare(folder)
    end, wrong = disturbed(command, folder, "prlimit", f"--fsize={room * KIB}")
    return end, [*wrong, *again(command, folder, expected)]


def read_only(
    folder: Path, command: Command, where: str, expected: Mapping[str, object]
) -> tuple[str, list[str]]:
    """Allow no writing in a folder, then allow it."""
    clear(folder)
    command.prepare(folder)
    (folder / where).mkdir(exist_ok=True)
    with mounted(folder / where, "--bind", str(folder / where)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder / where)], check=True)
        end, wrong = disturbed(command, folder)
    return end, [*wrong, *again(command, folder, expected)]


def disturbed(command: Command, folder: Path, *prefix: str) -> tuple[str, list[str]]:
    """Run a command that lacks something: how it ended, and what was wrong with that."""
    try:
        code, said = command.finish(folder, *prefix)
    except subprocess.TimeoutExpired:
        return "hangs", ["hangs"]
    return ended(code, said)


def ended(code: int, said: str) -> tuple[str, list[str]]:
    """How a command ended, and what was wrong with that."""
    wrong = [f"a traceback: {said[-600:]}"] if "Traceback" in said else []
    if code and "error:" not in said:
        wrong.append(f"ended with {code} and no error: {said[-400:]}")
    if code < 0:
        wrong.append(f"died of signal {-code}: {said[-400:]}")
    return ("refused" if code else "went well"), wrong


def again(command: Command, folder: Path, expected: Mapping[str, object]) -> list[str]:
    """Run the command undisturbed: what differs from how it must end."""
    wrong: list[str] = []
    found = ends_of(command, folder, wrong)
    names = sorted(expected.keys() | found.keys())
    return [*wrong, *(f"{name} differs" for name in names if expected.get(name) != found.get(name))][:5]


@contextmanager
def mounted(where: Path, *arguments: str) -> Iterator[None]:
    """Mount something there for the block."""
    subprocess.run(["mount", *arguments, str(where)], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(where)], check=True)


def may_mount(folder: Path) -> bool:
    """Return whether this process may mount."""
    if os.geteuid() != 0:
        return False
    try:
        with mounted(folder, "-t", "tmpfs", "-o", "size=64k", "tmpfs"):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


if __name__ == "__main__":
    sys.exit(main())
