"""The CPU time of a process: nothing of it is lost when a thread or a child ends."""

import os
from pathlib import Path

from tests.support import processes

BUSY = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
PROGRAM = f"""
import subprocess, sys, threading, time
BUSY = {BUSY!r}
thread = threading.Thread(target=exec, args=(BUSY,))
thread.start()
thread.join()
subprocess.run([sys.executable, "-c", BUSY])
print(flush=True)
time.sleep(30)
"""


def test_cpu_time_includes_ended_threads_and_children(tmp_path: Path) -> None:
    with processes.run_python(["-c", PROGRAM], dict(os.environ), tmp_path / "log") as process:
        assert process.stdout
        process.stdout.readline()

        assert processes.cpu_seconds(process.pid) > 0.4
