# One entry for everything. Every target works as the first command on a machine with Python 3.11 and make.
PYTHON ?= python3
UV_VERSION = 0.13.8
RUN = .venv/bin
export UV_PROJECT_ENVIRONMENT = .venv

.PHONY: install demo test check fmt proto bench clean

install: .venv/installed

.venv/installed: pyproject.toml uv.lock
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@test -x .venv/bin/uv || .venv/bin/pip install --quiet --disable-pip-version-check "uv>=$(UV_VERSION)"
	@.venv/bin/uv sync --quiet --locked --all-extras
	@touch $@

demo: install
	@$(RUN)/parley demo $(if $(OUT),--out $(OUT))

test: install
	$(RUN)/pytest -n 2

check: install
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports

fmt: install
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

bench: install
	$(RUN)/python -m benchmarks

clean:
	rm -rf .venv node_modules .pytest_cache .mypy_cache .ruff_cache
