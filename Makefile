# Every developer command, with what it needs. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

.PHONY: help demo test test-unit check fix build image-root image chart reference seed-guide lab-up lab-down bench control-plane packages clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: node_modules packages ## A Service gets an address and real routers learn the route (MODE=l2: a node answers by ARP and is killed; ONCE=1: end after the answer; API=real: build the control plane)
	node lab/demo/main.ts $(if $(MODE),--mode=$(MODE)) $(if $(ONCE),--once) $(if $(API),--api=$(API))

test: node_modules packages control-plane check ## Everything: types, lint, unit, program, real FRR, real network, real API server
	node scripts/test.ts

test-unit: node_modules check ## Types, lint and the tests that need nothing but Node
	node scripts/test.ts unit program

check: node_modules ## Types, lint and format
	tsc
	biome ci

fix: node_modules ## Format, and mend what the linter can mend
	biome check --write

build: node_modules ## Bundle the programs into dist/
	node scripts/build.ts

image-root: node_modules ## The image's file tree in a folder, to run from without an engine
	node scripts/image-root.ts

image: ## The image itself, with Docker (PLATFORM=linux/arm64: for another machine)
	version=$$(node -p 'require("./package.json").version'); \
	docker build $(if $(PLATFORM),--platform $(PLATFORM)) --build-arg VERSION=$$version --tag metallb-ts/metallb:$$version .

chart: node_modules control-plane ## Render, lint and dry-run charts/metallb, and print what its roles allow (GENERATE=1: write what is made of it)
	node scripts/chart.ts $(if $(GENERATE),generate,check)

reference: node_modules ## Write docs/reference/ from the sources
	node scripts/reference.ts

seed-guide: node_modules packages control-plane ## Walk through the seed guide and write docs/seed-guide.md
	node test/install/seed-guide/main.ts

lab-up: node_modules packages ## The lab of lab/containerlab.yml in network namespaces
	node lab/netns/main.ts up --detach

lab-down: node_modules ## Take the lab down
	node lab/netns/main.ts down

bench: node_modules packages control-plane build ## Speed and memory as tables, each beside a reference of the same run
	node bench/main.ts

control-plane: node_modules ## Find, build once or download etcd, Kubernetes, helm, what plays the kubelet, and MetalLB to migrate from, for the tests
	node test/cluster/main.ts assets

packages: ## Install the Debian packages the lab and the tests run
	@scripts/install-packages

clean: ## Remove what was built
	rm -rf dist node_modules

node_modules: package.json package-lock.json
	npm ci
	@touch node_modules
