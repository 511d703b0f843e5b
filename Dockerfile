# To pin the base image to one build, see docs/go-live.md: --build-arg BASE=python:3.13-slim@sha256:...
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
# hadolint ignore=DL3008
RUN apt-get update -q && apt-get install -q --yes --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
WORKDIR /srv/foyer
COPY requirements.txt deploy/image_build.py /build/
# Bytecode is written now, because a read-only container cannot. Whatever an image builder does to the files' times, it
# stays valid: nothing changes the libraries, and of the application, which you may change, the text is compared.
RUN python -m venv --without-pip /opt/venv \
  && python -m pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --require-hashes --requirement /build/requirements.txt \
  && python /build/image_build.py trim /opt/venv/lib/python3.*/site-packages \
  && find /opt/venv -name '*.so' -exec strip --strip-unneeded {} + \
  && /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib
COPY wsgi.py gunicorn.conf.py ./
COPY templates templates
COPY app app
RUN ln -s /srv/foyer/app/cli/foyer /opt/venv/bin/foyer \
  && /opt/venv/bin/python -m compileall -q --invalidation-mode checked-hash app wsgi.py \
  && PYTHONPATH=. /opt/venv/bin/python /build/image_build.py start-clients

FROM ${BASE}
# With two arenas, not one or more for each core, malloc keeps 10 MB less for the threads of each process.
ENV PATH=/opt/venv/bin:$PATH MALLOC_ARENA_MAX=2
WORKDIR /srv/foyer
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv/foyer /srv/foyer
# instance/ holds SQLite where it is used.
RUN useradd --system --uid 10001 foyer && install -d -o foyer instance
USER 10001
# A volume of a task on Fargate takes its owner and mode from here.
VOLUME /tmp /srv/foyer/instance
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["gunicorn", "--bind", "0.0.0.0:8000"]
