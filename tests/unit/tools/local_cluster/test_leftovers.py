import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.tools.local_cluster import processes
from tests.tools.local_cluster.firewall import undo

BEFORE = ["-P INPUT ACCEPT", "-P FORWARD ACCEPT", "-A INPUT -p tcp -j ACCEPT"]
NOW = [
    "-P INPUT ACCEPT",
    "-P FORWARD DROP",
    "-N DOCKER",
    "-N DOCKER-USER",
    "-A INPUT -p tcp -j ACCEPT",
    "-A FORWARD -j DOCKER-USER",
    '-A DOCKER -m comment --comment "two words" -j RETURN',
]


def test_only_what_the_daemon_added_is_taken_from_the_firewall() -> None:
    assert undo(BEFORE, NOW) == [
        ["-D", "FORWARD", "-j", "DOCKER-USER"],
        ["-D", "DOCKER", "-m", "comment", "--comment", "two words", "-j", "RETURN"],
        ["-F", "DOCKER"],
        ["-F", "DOCKER-USER"],
        ["-X", "DOCKER"],
        ["-X", "DOCKER-USER"],
        ["-P", "FORWARD", "ACCEPT"],
    ]


def test_a_firewall_as_it_was_needs_nothing() -> None:
    assert undo(BEFORE, BEFORE) == []


def test_mounts_are_found_at_and_below_a_directory_deepest_first(tmp_path: Path) -> None:
    table = "\n".join(f"none {point} tmpfs rw 0 0" for point in ("/a", "/a/b/c", "/a/b", "/ab", "/"))
    assert processes.mounts_below(type(tmp_path)("/a"), table) == ["/a/b/c", "/a/b", "/a"]


def sleeper(path: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", str(path)])
    while str(path) not in processes.command_line(process.pid):  # between fork and exec it has no words yet
        time.sleep(0.01)
    return process


def test_a_pid_file_counts_only_while_its_process_names_the_directory(tmp_path: Path) -> None:
    process = sleeper(tmp_path / "exec" / "x")
    pidfile = tmp_path / "pid"
    pidfile.write_text(str(process.pid))
    try:
        assert processes.alive(pidfile, str(tmp_path))
        assert not processes.alive(pidfile, "/somewhere/else")
        assert not processes.alive(tmp_path / "absent", str(tmp_path))
    finally:
        process.kill()
        process.wait()
    assert not processes.alive(pidfile, str(tmp_path))


def test_stopping_ends_the_daemon_and_what_it_left_and_nobody_else(tmp_path: Path) -> None:
    daemon = sleeper(tmp_path / "exec")
    shim = sleeper(tmp_path / "exec" / "containerd.sock")
    bystander = sleeper(tmp_path / "executive")
    (tmp_path / "pid").write_text(str(daemon.pid))
    try:
        processes.stop(tmp_path / "pid", tmp_path / "exec", "no-such-cgroup", grace=0.5)
        assert daemon.wait(5) == -signal.SIGTERM
        assert shim.wait(5) == -signal.SIGKILL
        assert bystander.poll() is None
    finally:
        for process in (daemon, shim, bystander):
            process.kill()
            process.wait()


def test_cgroups_are_found_in_every_hierarchy_deepest_first(tmp_path: Path) -> None:
    for path in ("memory/ours/a/b", "cpu/ours", "cpu/other/ours", "ours"):  # both versions, and one that is not ours
        (tmp_path / path).mkdir(parents=True)
    found = [str(path.relative_to(tmp_path)) for path in processes.cgroups("ours", tmp_path)]
    assert found[0] == "memory/ours/a/b"
    assert sorted(found) == ["cpu/ours", "memory/ours", "memory/ours/a", "memory/ours/a/b", "ours"]
