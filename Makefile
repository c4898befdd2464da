# Everything runs in a virtual environment that is made here: no activation, nothing outside this folder.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test test-long coverage lint messages constraints repro prefect mlflow web clean

demo: .venv/installed
	@python -m flows.compress --recipe recipes/demo.yaml

test: export PYTHONDONTWRITEBYTECODE :=
test: .venv/installed
	@python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-long: .venv/installed  ## half an hour and more: retraining, browsers, PostgreSQL, kills at random moments
	@python -m pytest -m 'long or faults'

coverage: export COVERAGE_FILE := $(CURDIR)/.coverage
coverage: .venv/installed  ## the lines that make test runs, in all of its processes; takes several times as long
	@rm -f .coverage .coverage.*
	@python -m coverage run -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(TESTS)
	@python -m coverage combine --quiet && python -m coverage report --skip-covered --sort=cover

lint: .venv/installed
	@ruff check . && ruff format --check . && mypy

messages: .venv/installed  ## the studio's catalogues, as programs read them, from those that translators edit
	@pybabel compile --directory anime_app/studio/locale

constraints: .venv/installed  ## constraints.txt anew: the newest packages that suit each other; nothing is installed
	@python -m tools.constraints

repro: .venv/installed  ## the same pipeline without Prefect
	@python -m flows.pipeline.recipe_file && python -m flows.machine.environment dvc repro && python -m flows.report

prefect: .venv/installed
	@python -m flows.machine.environment prefect server start

mlflow: .venv/installed
	@python -m flows.registry.page

web:  ## the page, as files for any static host: web/dist (needs node 20.19 or 22.12 and npm)
	@cd web && npm ci && npm run build

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it: make PYTHON=...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the pinned packages into .venv (once, a few minutes)"
	@python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

clean:
	rm -rf .venv artifacts data/demo scratch
