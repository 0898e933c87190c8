# make help lists the targets. CI calls `make test` and nothing else.
GO       ?= go
FUZZTIME ?= 10s
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
# The database is C that was made Go; codecs, samples, numbers and YAML only reckon: without
# them, and without checks of unsafe, which we do not have, the race detector takes half.
RACE      = -race -gcflags='all=-d=checkptr=0' $(patsubst %,-gcflags='%/...=-race=false -d=checkptr=0',$(CALM))
CALM      = modernc.org github.com/thesyncim/gopus github.com/nyaruka/phonenumbers github.com/goccy/go-yaml \
            github.com/danielgtaylor/huma/v2 github.com/hajimehoshi/go-mp3 github.com/zaf/g711 vpbx/media/audio
# These start no goroutine: they are tested without.
PURE      = ./autodialer/law ./autodialer/pace/... ./autodialer/sheet ./internal/lint ./internal/pcap ./internal/strict \
            ./media/amd ./media/sdp ./speech/words
STATIC    = $(GO) tool -modfile=tools/go.mod staticcheck

.PHONY: help build run test race flows e2e lint fuzz bench load cover setup

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile

build: ## build the static binaries bin/vpbx and bin/vpbx-amocrm-sim
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/vpbx ./cmd/vpbx
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/vpbx-amocrm-sim ./cmd/vpbx-amocrm-sim

run: build ## start a demo company and place a call through it
	./bin/vpbx demo

setup: ## install what the tests need (Debian, as root or with sudo)
	@scripts/setup

# What takes minutes under the race detector and has nothing to race with is left out
# there (media, crm, call): it runs first, without.
test: setup ## every test with the race detector; the real network after the rest, alone
	@failed=; \
	$(GO) test ./media ./crm ./call $(PURE) || failed=1; \
	CGO_ENABLED=1 $(GO) test $(RACE) -parallel 4 -timeout 45m $$($(GO) list ./... | grep -vxF "$$(echo vpbx/internal/e2e; $(GO) list $(PURE))") || failed=1; \
	CGO_ENABLED=1 $(GO) test $(RACE) -parallel 4 -timeout 25m ./internal/e2e/... || failed=1; \
	test -z "$$failed" # one run tells of everything that fails

race: ## all but the real network under the race detector, three times over
	CGO_ENABLED=1 $(GO) test $(RACE) -count=3 -timeout 40m $$($(GO) list ./... | grep -v '/internal/e2e$$')

flows: ## whole calls on the in-memory network with fake time
	$(GO) test -count=1 ./internal/flow/...

e2e: setup ## calls between vpbx and phones that are not ours, on loopback
	$(GO) test -count=1 -v ./internal/e2e/...

lint: ## format, vet, staticcheck, import table, go.mod
	@test -z "$$(gofmt -l .)" || { gofmt -l . | sed 's/^/not gofmt-ed: /'; exit 1; }
	$(GO) vet ./...
	$(STATIC) ./...
	$(GO) test ./internal/lint
	$(GO) mod tidy -diff

fuzz: ## each fuzz target for FUZZTIME (default 10s)
	@GO='$(GO)' scripts/fuzz $(FUZZTIME)

bench: ## run and print the benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

load: ## calls at once, packet delay; a soak of SOAK_CALLS calls of all kinds (minutes)
	VPBX_LOAD=1 $(GO) test -count=1 -v -timeout 60m -run '^TestLoad' ./internal/bench/...

cover: ## statements covered, by function, in cover.out
	$(GO) test -coverprofile=cover.out ./...
	$(GO) tool cover -func=cover.out | tail -1
