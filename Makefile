# make help lists what there is.

GO ?= go
FUZZTIME ?= 30s
BIN := bin/cloakroom
GOTEST := $(GO) tool -modfile=tools/go.mod gotestsum --format pkgname-and-test-fails --
STATICCHECK := $(GO) tool -modfile=tools/go.mod staticcheck
SOURCES := find . -name node_modules -prune -o -name '*.go' -print

.DEFAULT_GOAL := help
.PHONY: help demo build test check unit race client e2e soak bench capacity budget fuzz needs clean defences

# section runs $(2) under the heading $(1) and says how long it took.
define section
@printf '\n==== %s\n' '$(1)'; start=$$(date +%s); \
	( $(2) ); code=$$?; \
	printf -- '---- %s: %s after %d s\n' '$(1)' "$$([ $$code = 0 ] && echo passed || echo FAILED)" $$(($$(date +%s) - start)); \
	exit $$code
endef

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## build and start the demo on http://localhost:8080
	@exec ./$(BIN) demo

build: ## build the static binary bin/cloakroom
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN) ./cmd/cloakroom

test: ## install what the tests need, then run all of them: check, unit, race, defences, client, e2e
	@$(MAKE) --no-print-directory needs
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory race
	@$(MAKE) --no-print-directory defences CORE=1
	@$(MAKE) --no-print-directory client
	@$(MAKE) --no-print-directory e2e

check: ## formatting, vet, staticcheck, and the arrows between packages
	$(call section,check: formatting,bad=$$($(SOURCES) | xargs gofmt -l); if [ -n "$$bad" ]; then echo "$$bad"; echo "run: gofmt -w on these files"; exit 1; fi)
	$(call section,check: vet,$(GO) vet ./...)
	$(call section,check: staticcheck,$(STATICCHECK) ./...)
	$(call section,check: defences,$(GO) run ./bench/defences -dry)
	$(call section,check: arrows,$(GO) test -run '^Test(Arrows|Names|Files)$$' ./cmd/cloakroom)

# The quick pass comes first, so that most mistakes show within a minute; the
# thorough one runs under the race detector, so that its time is spent once.
unit: ## Go tests, the quick form, in random order
	$(call section,unit,$(GOTEST) -short -shuffle=on ./...)

race: ## all Go tests under the race detector (needs a C compiler)
	$(call section,race,CGO_ENABLED=1 $(GOTEST) -race -count=1 -timeout=30m ./...)

defences: ## turn each defence off and see that its test fails (CORE=1: the main ones only)
	$(call section,defences,$(GO) run ./bench/defences $(if $(CORE),-core))

client: ## the npm package for apps: build, types, tests, sizes, what would be published
	$(call section,client,cd web/client && npm ci --ignore-scripts --no-audit --no-fund && npm test)

e2e: build ## a certified provider, a real browser, the real binary
	$(call section,e2e,cd e2e && npm ci --ignore-scripts --no-audit --no-fund && npm test)

SOAK ?= 10m

soak: ## kills, restarts and a sick provider for SOAK (10m); writes bench/results/soak.md
	@mkdir -p bench/results
	$(GO) test -run '^TestSoak$$' -v -count=1 -timeout 60m ./cmd/cloakroom \
		-soak.duration=$(SOAK) -soak.sessions=2000 -soak.rate=700 -soak.out=$(CURDIR)/bench/results/soak.md

BENCH ?=

bench: ## what a call costs beside other proxies, 18 minutes; writes bench/results/compare.md (BENCH="-quick": flags)
	$(GO) run ./bench -out bench/results $(BENCH)

capacity: ## how many sessions, how fast, how big (20 min, 20 GB in bin/); writes bench/results/capacity.md (QUICK=1: 2 min, writes nothing)
	taskset -c 1 $(GO) run ./bench/capacity $(if $(QUICK),-quick)

budget: ## what the hot path costs beside bench/baseline.txt: time, bytes, allocations, instructions (BASELINE=1: make that anew)
	@mkdir -p bin
	tools/budget > bin/budget.txt
	$(GO) tool -modfile=tools/go.mod benchstat bench/baseline.txt bin/budget.txt
	$(if $(BASELINE),cp bin/budget.txt bench/baseline.txt)

fuzz: ## every fuzz target for FUZZTIME (30s)
	@set -e; for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			printf '\n==== %s %s\n' "$$package" "$$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$package; \
		done; \
	done

needs: ## install Debian's gcc and chromium, if they are missing
	$(call section,needs,tools/needs)

clean: ## remove what was built
	rm -rf bin e2e/results web/client/dist
