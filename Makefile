.DEFAULT_GOAL := help
IN_VENV := .venv/bin/
# Every process that the tests start would compile again what it imports.
unexport PYTHONDONTWRITEBYTECODE

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14
	@echo && echo "The ports of make run: APP_PORT=8000 STOREFRONT_PORT=8001 AWS_PORT=8002 EXAMPLE_PORT=8003 make run"

run: .venv/ready ## Run everything on this machine: a pretend AWS Marketplace, the app, and where to click
	@$(IN_VENV)python -m sandbox.run_all

foyer: .venv/ready ## Run a command with the settings of make run: make foyer ARGS="registrations list"
	@$(IN_VENV)python -m sandbox.run_command foyer $(ARGS)

flask: .venv/ready ## Run a flask command with the settings of make run, such as make flask ARGS="routes"
	@$(IN_VENV)python -m sandbox.run_command flask $(ARGS)

deploy: .venv/ready ## Deploy to AWS: make deploy STACK=foyer PRODUCT_CODE=... DOMAIN=start.acme.example ZONE=Z...; see docs/deploy.md
	@$(IN_VENV)python -m deploy deploy

undeploy: .venv/ready ## Remove what runs on AWS, and keep the database: make undeploy STACK=foyer
	@$(IN_VENV)python -m deploy undeploy

remote: .venv/ready ## Run a command of foyer on AWS: make remote STACK=foyer ARGS="customer 1234-5678-9012"
	@$(IN_VENV)python -m deploy run

test: .venv/ready ## Run all tests, on SQLite and PostgreSQL and in a real browser
	@$(IN_VENV)python -m tests.e2e.chromium
	@$(IN_VENV)pytest -q -n auto --ignore=tests/real

real: .venv/ready ## Test with programs that others wrote: proxies, poolers, browsers, SDKs; installs them with apt as root
	@$(IN_VENV)python -m tests.real.install
	@$(IN_VENV)pytest -q -n auto tests/real

check: .venv/ready ## Lint, check types, layers, sizes and words
	@$(IN_VENV)ruff check . && $(IN_VENV)ruff format --check . && $(IN_VENV)lint-imports && $(IN_VENV)mypy && $(IN_VENV)python -m tests.house_rules
	@$(IN_VENV)djlint --check --lint --quiet templates sandbox/templates sandbox/example/templates && $(IN_VENV)hadolint Dockerfile deploy/products.Dockerfile && $(IN_VENV)cfn-lint deploy/template.yaml deploy/load-balancer.yaml deploy/production.yaml deploy/registry.yaml

fuzz: .venv/ready ## Try thousands of odd inputs where the tests try a few
	@HYPOTHESIS_PROFILE=fuzz $(IN_VENV)pytest -q -n auto $$(find tests -name 'test_any_*.py')

bench: .venv/ready ## Measure pages, events, start-up and memory; make bench AGAINST=commit compares with a commit
	@$(IN_VENV)python -m tests.bench $(AGAINST)

endure: .venv/ready ## Kill every process under load, for ten minutes, and count what was lost
	@$(IN_VENV)python -m tests.endurance

outages: .venv/ready ## Let AWS and the database hang and crowds come, for eight minutes, and time every answer to buyers
	@$(IN_VENV)python -m tests.outages

production: .venv/ready ## Run the tasks of deploy/production.yaml here, kill, update and roll back under load, for seven minutes
	@$(IN_VENV)python -m tests.production

pictures: .venv/ready ## Take the README's pictures again
	@$(IN_VENV)python -m tests.e2e.pictures

judge: .venv/ready ## Judge the pages of three brands in nine languages with Lighthouse, for twenty minutes
	@$(IN_VENV)python -m tests.real.install
	@$(IN_VENV)python -m tests.real.lighthouse

translations: .venv/ready ## Put all texts for buyers into the catalogues, and compile these
	@$(IN_VENV)python -m tests.translations.catalogues

lock: .venv/ready ## Pin the newest versions that pyproject.toml allows
	@$(IN_VENV)uv pip compile --upgrade -q $(LOCK) pyproject.toml -o requirements.txt
	@$(IN_VENV)uv pip compile --upgrade -q $(LOCK) pyproject.toml --extra dev -c requirements.txt -o requirements-dev.txt

sbom: .venv/ready ## List the image's Python packages in foyer.cdx.json, as CycloneDX
	@$(IN_VENV)uv pip compile -q --no-deps $(LOCK_OF_IMAGE) requirements.txt -o .venv/requirements-of-image.txt
	@PYTHONWARNINGS=ignore $(IN_VENV)uv tool run -q --from cyclonedx-bom==7.5.0 cyclonedx-py requirements --pyproject pyproject.toml \
	  --output-reproducible --output-file $(SBOM) .venv/requirements-of-image.txt

SBOM := foyer.cdx.json
LOCK_OF_IMAGE := --python-platform linux --python-version 3.13 --generate-hashes --no-header --no-annotate --no-emit-index-url

LOCK := --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url

.venv/ready: requirements-dev.txt app/cli/foyer
	@sh sandbox/install.sh $<
	@ln -sf ../../app/cli/foyer $(IN_VENV)foyer && touch $@

.PHONY: help run foyer flask deploy undeploy remote test real check fuzz bench endure outages production pictures judge translations lock sbom
