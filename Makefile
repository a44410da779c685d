# The commands of the project. `make demo` and `make test` need Python 3.11+ and make, nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RIVALS := .venv-rivals

.PHONY: demo test lint format bench bench-full bench-factors bench-backtest bench-learning bench-portfolio load slow attack client docs clean

demo: $(STAMP)  ## load a synthetic market, compute factors, backtest, write a report
	$(BIN)/quantflux demo

test: lint $(STAMP)  ## lint, types, import contracts, doctests, tests with coverage
	rm -f .coverage .coverage.*
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow" --cov --cov-report=term-missing:skip-covered

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## ours beside v1's way on MariaDB and InfluxDB read directly, in one run
	$(BIN)/python -m benchmarks

bench-full: $(STAMP)  ## the same with the 5,000 symbols x 10 years size (slow)
	$(BIN)/python -m benchmarks --size full

bench-factors: $(STAMP) $(RIVALS)/.installed  ## the factor engine beside Qlib, KunQuant and pandas; needs g++
	$(BIN)/python -m benchmarks.factors --rivals-python $(RIVALS)/bin/python

bench-backtest: $(STAMP) $(RIVALS)/.installed  ## the simulator beside vectorbt, backtrader, bt and Qlib
	$(BIN)/python -m benchmarks.backtest --rivals-python $(RIVALS)/bin/python

bench-learning: $(STAMP) $(RIVALS)/.installed  ## the walk-forward of Alpha158 and LightGBM beside Qlib's
	$(BIN)/python -m benchmarks.learning --rivals-python $(RIVALS)/bin/python

bench-portfolio: $(STAMP) $(RIVALS)/.installed  ## the optimiser beside skfolio alone and PyPortfolioOpt
	$(BIN)/python -m benchmarks.portfolio --rivals-python $(RIVALS)/bin/python

load: $(STAMP)  ## the HTTP API under wrk, Redis on, off and killed, beside v1's route; needs wrk, redis-server, mariadb-server
	$(BIN)/python -m benchmarks.serving

attack: $(STAMP)  ## forged tokens, roles, evil bodies and more than 20,000 generated requests, with a table of counts
	$(BIN)/python -m pytest -q -p no:randomly tests/attack

slow: $(STAMP)  ## the soak and full-size tests
	$(BIN)/python -m pytest -m slow

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "quantflux needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) --version 2>&1`. Try: make PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || \
	  { echo "Could not make a virtual environment. On Debian: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,bench]'
	@touch $(STAMP)

$(RIVALS)/.installed: benchmarks/rivals/constraints.txt
	test -x $(RIVALS)/bin/pip || $(PYTHON) -m venv $(RIVALS)
	$(RIVALS)/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

client: $(STAMP)  ## the generated part of the Python client, from the application's OpenAPI document
	$(BIN)/quantflux openapi > .openapi.json
	$(BIN)/python -m quantflux.client.generate < .openapi.json
	rm -f .openapi.json

docs: $(STAMP)  ## the documentation as a site, in ./site
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) $(RIVALS) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build site demo-data
