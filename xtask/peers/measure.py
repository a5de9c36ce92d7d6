"""Runs a command and prints what it and everything it started took: wall_seconds, cpu_seconds, stdout, and peak_bytes
of the largest process.

PySpark starts a JVM that it does not wait for; as a sub-reaper (Linux) this process inherits it, waits, and so counts it.
"""

import ctypes
import json
import os
import resource
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36


def main():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    begin = time.monotonic()
    status = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wall = time.monotonic() - begin
    try:
        while True:
            os.wait()
    except ChildProcessError:
        pass
    if status.returncode != 0:
        sys.stderr.write(status.stderr.decode(errors="replace"))
        sys.exit(f"{sys.argv[1]} ended with {status.returncode}")
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    stdout = status.stdout.decode(errors="replace")
    cpu = usage.ru_utime + usage.ru_stime
    peak_bytes = usage.ru_maxrss * 1024
    print(json.dumps({"wall_seconds": wall, "cpu_seconds": cpu, "peak_bytes": peak_bytes, "stdout": stdout}))


if __name__ == "__main__":
    main()
