#!/usr/bin/env bash
# `cpulimit --limit 25` stops a busy process for a third of a second at a time, where the kernel's quota stops it for 75 ms.
# Met by whoever holds a server back with it, as a small container is, and measures latencies: the longest are its stops.
# cpulimit 2.8 (Debian 2.8-1), 2026-11-29.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq cpulimit=2.8-1
dpkg-deb -x cpulimit_*.deb .
dpkg-deb -f cpulimit_*.deb Package Version

cat > clock.py <<'PYTHON'
import time

seen, longest, end = time.monotonic(), 0, time.monotonic() + 6
while seen < end:
    now = time.monotonic()
    longest, seen = max(longest, now - seen), now
share = time.process_time() / 6
print(f"used {share:.0%} of a core; the longest stop took {longest * 1000:.0f} ms; as long as needed are 75 ms of each 100")
raise SystemExit(longest < 0.15)
PYTHON
python3 clock.py &
usr/bin/cpulimit --lazy --pid $! --limit 25 > limiter.log 2>&1 &
wait %1
