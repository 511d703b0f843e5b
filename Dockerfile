FROM python:3.13-slim AS build
WORKDIR /build
COPY requirements.txt .
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir --require-hashes --requirement requirements.txt

FROM python:3.13-slim
# With two arenas, not one or more for each core, malloc keeps 10 MB less for the threads of each process.
ENV PATH=/opt/venv/bin:$PATH MALLOC_ARENA_MAX=2
WORKDIR /srv/foyer
COPY --from=build /opt/venv /opt/venv
COPY wsgi.py gunicorn.conf.py ./
COPY templates templates
COPY app app
# `docker run ... foyer status` works as well. Bytecode is written now, because a read-only container cannot; instance/
# holds SQLite where it is used.
RUN ln -s /srv/foyer/app/cli/foyer /opt/venv/bin/foyer && python -m compileall -q app wsgi.py && useradd --system --uid 10001 foyer && install -d -o foyer instance
USER 10001
VOLUME /srv/foyer/instance
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["gunicorn", "--bind", "0.0.0.0:8000"]
