# Everything that is installed stays in this directory: .uv, .venv and .meltano.

UV := $(shell command -v uv || echo .uv/bin/uv)
RUN := $(UV) run --no-sync

.PHONY: help
help:
	@echo "make setup            install the tap, its tools, and Meltano's plugins"
	@echo "make demo             copy a fake storage API into PostgreSQL with Meltano"
	@echo "make test             check style and types, run the tests (20 minutes)"
	@echo "make coverage         run the tests, and see that they reach every part (half an hour)"
	@echo "make bench            measure the tap beside its peers (40 minutes; OPTIONS=--quick: one)"
	@echo "make scaling          fit the model of docs/scaling.md, and hold it against other runs (9 minutes)"
	@echo "make hazards          put the hazards of paging to the tap and its peers (15 minutes)"
	@echo "make torture          attack the tap at random (10 minutes; OPTIONS='--seed N --minutes M')"
	@echo "make attacks          leaks, fuzz, kills of Meltano and PostgreSQL, ten million records (45 minutes)"
	@echo "make example-airflow  let Airflow spread a first load over tasks (2 minutes)"
	@echo "make build            make the wheel and the source distribution, in dist, and check them"
	@echo "make test-wheel       run the tests with the wheel"
	@echo "make hub              make the definition for Meltano Hub, in hub, from what the tap says of itself"
	@echo "make format           correct the style"
	@echo "make clean            remove what the others have made"

.PHONY: setup
setup: packages .meltano/installed

.uv/bin/uv:
	@echo "==> Installing uv into .uv"
	python3 -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.8.14,<1'

.PHONY: packages
packages: $(UV)
	@echo "==> Installing the tap and its tools into .venv"
	$(UV) sync --locked

.meltano/installed: meltano.yml pyproject.toml $(wildcard plugins/loaders/*.lock) | packages
	@echo "==> Installing Meltano's plugins into .meltano"
	$(RUN) meltano install
	@touch $@

.PHONY: demo
demo: setup
	@echo "==> Running the demo"
	$(RUN) python -m demo.run

.PHONY: bench
bench: packages
	@echo "==> Measuring the tap beside its peers"
	$(RUN) python -m benchmarks $(OPTIONS)

.PHONY: scaling
scaling: packages
	@echo "==> Measuring runs of many kinds"
	$(RUN) python -m benchmarks.scaling $(OPTIONS)

.PHONY: hazards
hazards: packages
	@echo "==> Putting the hazards to the tap and its peers"
	$(RUN) python -m benchmarks.hazards $(OPTIONS)

.PHONY: torture
torture: packages
	@echo "==> Attacking the tap"
	$(RUN) python -m torture $(OPTIONS)

.PHONY: attacks
attacks: setup
	@echo "==> Searching for secrets in all that the tap leaves"
	$(RUN) python -m torture.leaks
	@echo "==> Feeding it what no API should answer"
	$(RUN) python -m torture.fuzz
	@echo "==> Killing Meltano, PostgreSQL, the target and the tap"
	$(RUN) python -m torture.pipeline
	@echo "==> Reading ten million records"
	$(RUN) python -m torture.long_run

.airflow/venv: examples/airflow/requirements.txt | $(UV)
	@echo "==> Installing Airflow into .airflow/venv"
	$(UV) venv --quiet --clear .airflow/venv
	$(UV) pip install --quiet --python .airflow/venv --requirement examples/airflow/requirements.txt
	@touch $@

.PHONY: example-airflow
example-airflow: setup .airflow/venv
	@echo "==> Letting Airflow spread a first load over tasks"
	$(RUN) python -m examples.airflow.run

.PHONY: test
test: setup
	@echo "==> Checking style and types"
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy
	@echo "==> Running the tests"
	$(RUN) pytest

.PHONY: coverage
coverage: setup
	@echo "==> Running the tests, and watching what they run"
	$(RUN) coverage erase
	$(RUN) coverage run -m pytest
	$(RUN) coverage combine --quiet
	$(RUN) coverage report

.PHONY: build
build: packages
	@echo "==> Building the wheel and the source distribution"
	rm -rf dist
	$(UV) build --quiet --out-dir dist
	@echo "==> Checking them"
	$(RUN) twine check --strict dist/*.whl dist/*.tar.gz
	@echo "==> Made"
	@ls -l dist/*.whl dist/*.tar.gz | awk '{print $$9, $$5, "bytes"}'

.PHONY: test-wheel
test-wheel: setup build
	@echo "==> Installing the wheel in place of the checkout; make packages undoes it"
	$(UV) pip install --python .venv --reinstall-package tap-storage $(OPTIONS) dist/*.whl
	@echo "==> Running the tests"
	$(RUN) pytest

.PHONY: hub
hub: packages
	@echo "==> Making the definition for Meltano Hub"
	$(RUN) python -m hub.generate

.PHONY: format
format: packages
	@echo "==> Correcting the style"
	$(RUN) ruff check --fix
	$(RUN) ruff format

.PHONY: clean
clean:
	@echo "==> Removing environments, caches and output"
	rm -rf .uv .venv .meltano .airflow .demo .bench .recipes output dist .coverage* .hypothesis .*_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
