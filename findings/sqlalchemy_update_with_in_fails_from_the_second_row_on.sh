#!/usr/bin/env bash
# An UPDATE with a constant IN list takes a list of one set of parameters, and raises for a list of two.
# Met by whoever updates rows in bulk by their state: tests and quiet days send one row, and a busy day sends more.
# SQLAlchemy 2.0.58, 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q "sqlalchemy==2.0.58"
cat > "$folder/update.py" <<'PY'
import sqlalchemy as sa

jobs = sa.table("jobs", sa.column("id", sa.Integer), sa.column("state", sa.String))
by_in = sa.update(jobs).where(jobs.c.id == sa.bindparam("job"), jobs.c.state.in_(["new", "sent"]))
by_or = sa.update(jobs).where(jobs.c.id == sa.bindparam("job"), sa.or_(jobs.c.state == "new", jobs.c.state == "sent"))


def count(statement: sa.Update, rows: int) -> str:
    with sa.create_engine("sqlite://").begin() as connection:
        connection.exec_driver_sql("CREATE TABLE jobs (id INTEGER, state TEXT)")
        connection.exec_driver_sql("INSERT INTO jobs VALUES (1, 'new'), (2, 'sent')")
        try:
            connection.execute(statement.values(state="done"), [{"job": number + 1} for number in range(rows)])
        except sa.exc.StatementError as error:
            return type(error.orig).__name__
        return str(connection.exec_driver_sql("SELECT count(*) FROM jobs WHERE state = 'done'").scalar())


print("IN, one row:", count(by_in, 1))
print("IN, two rows:", count(by_in, 2))
print("OR, two rows:", count(by_or, 2))
PY
"$folder/venv/bin/python" -c "import sqlalchemy; print('SQLAlchemy', sqlalchemy.__version__)"
seen=$("$folder/venv/bin/python" "$folder/update.py")
echo "$seen"
[ "$seen" = "IN, one row: 1
IN, two rows: InvalidRequestError
OR, two rows: 2" ]
