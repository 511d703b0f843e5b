#!/usr/bin/env bash
# One index with `postgresql_where` loads SQLAlchemy's whole PostgreSQL dialect, with its asyncpg and psycopg modules, at import.
# Met by whoever counts the start-up time of a program that uses SQLite, and declares its partial indexes for both databases.
# SQLAlchemy 2.0.58, 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q "sqlalchemy==2.0.58"
cat > "$folder/indexes.py" <<'PY'
import sys

from sqlalchemy import Column, Index, Integer, MetaData, Table, create_engine, text


def loaded() -> int:
    return sum(name.startswith("sqlalchemy.dialects.postgresql") for name in sys.modules)


table = Table("hours", MetaData(), Column("id", Integer, primary_key=True))
create_engine("sqlite://").connect().close()
print("with an engine of SQLite:", "loaded" if loaded() else "not loaded")
Index("plain", table.c.id)
print("with an index:", "loaded" if loaded() else "not loaded")
Index("partial", table.c.id, sqlite_where=text("id > 0"), postgresql_where=text("id > 0"))
print("with a partial index:", "loaded" if loaded() else "not loaded", "asyncpg" if any("asyncpg" in name for name in sys.modules) else "")
PY
"$folder/venv/bin/python" -c "from importlib.metadata import version; print('SQLAlchemy', version('sqlalchemy'))"
seen=$("$folder/venv/bin/python" "$folder/indexes.py")
echo "$seen"
[ "$seen" = "with an engine of SQLite: not loaded
with an index: not loaded
with a partial index: loaded asyncpg" ]
