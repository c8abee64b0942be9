# Every developer command, with what it needs. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

.PHONY: help test check fix packages clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: node_modules check ## Everything: types, lint, tests
	node scripts/test.ts

check: node_modules ## Types, lint and format
	tsc
	biome ci

fix: node_modules ## Format, and mend what the linter can mend
	biome check --write

packages: ## Install the Debian packages the lab and the tests run
	@scripts/install-packages

clean: ## Remove what was built
	rm -rf dist node_modules

node_modules: package.json package-lock.json
	npm ci
	@touch node_modules
