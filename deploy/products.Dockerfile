# Foyer's image with your products.toml, and with the files beside it. The folder has to contain nothing else:
#
#   docker build --file deploy/products.Dockerfile --build-arg BASE=foyer --tag foyer-acme FOLDER
ARG BASE=foyer

FROM ${BASE}
COPY --chown=10001 . /srv/foyer/products/
ENV PRODUCTS_FILE=/srv/foyer/products/products.toml
