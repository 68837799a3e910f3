# One entry for everything. Every target works as the first command on a machine with Python 3.11 and make.
PYTHON ?= python3
UV_VERSION = 0.13.8
RUN = .venv/bin
export UV_PROJECT_ENVIRONMENT = .venv

.PHONY: install demo demo-sealed mutants test check fmt proto system docs spec vectors formal conformance bench evidence clean

install: .venv/installed

.venv/installed: pyproject.toml uv.lock
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@test -x .venv/bin/uv || .venv/bin/pip install --quiet --disable-pip-version-check "uv>=$(UV_VERSION)"
	@.venv/bin/uv sync --quiet --locked --all-extras
	@touch $@

demo: install
	@$(RUN)/parley demo $(if $(OUT),--out $(OUT))

# Sealed mode: three processes under three users, a chamber between them.
demo-sealed: install system
	@$(RUN)/parley demo --sealed $(if $(OUT),--out $(OUT))

test: install system
	@if command -v npm >/dev/null 2>&1; then $(MAKE) --no-print-directory node_modules; fi
	$(RUN)/pytest -n 2

# Debian packages that some tests need; where they cannot be installed, those tests say so and skip.
system:
	@tools/system.sh

check: install
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports

fmt: install
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

# The generator is pinned and old, so that the code loads on a wide range of protobuf versions.
proto: install node_modules
	node_modules/.bin/buf lint proto
	node_modules/.bin/buf format proto -d --exit-code
	$(RUN)/uv run --quiet --isolated --no-project --with grpcio-tools==1.71.2 --with "setuptools<81" \
	  python -m grpc_tools.protoc -I proto --python_out=proto --pyi_out=proto --grpc_python_out=proto $(shell find proto -name "*.proto")

node_modules: package.json package-lock.json
	npm ci --silent --no-audit --no-fund
	@touch $@

docs: install
	$(RUN)/python docs/generate.py

evidence: install
	$(RUN)/python tests/evidence_table.py

# The draft as text and HTML, by kramdown-rfc (Debian), xml2rfc (PyPI) and idnits (npm).
spec: install node_modules
	$(RUN)/python spec/tools/tables.py
	$(RUN)/python spec/tools/requirements.py
	spec/tools/build.sh

# Test vectors first: the draft's worked example reads them.
vectors: install
	$(RUN)/python spec/tools/vectors.py
	$(RUN)/python spec/tools/tables.py

# The formal models and their broken variants: E and Spin (Debian), z3 (PyPI), Quint (npm).
formal: install system node_modules
	$(RUN)/python spec/formal/run.py

# Every single-site weakening of the reference's checks; SHARD=1/4 runs a quarter, tests/weakenings merges.
mutants: install
	PYTHONPATH=tests nice $(RUN)/python -m weakenings all $(if $(SHARD),--shard $(SHARD))

conformance: install
	$(RUN)/pytest -q tests/conformance

bench: install
	$(RUN)/python -m benchmarks

clean:
	rm -rf .venv node_modules .pytest_cache .mypy_cache .ruff_cache
