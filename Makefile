# What each target needs is in README.md. Everything that is downloaded or
# built for the tests goes to $(AMBER_TESTBED_CACHE), by default
# ~/.cache/amber-testbed; nothing on the machine is changed.

export CGO_ENABLED := 0

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null)
DATE    := $(shell git log -1 --format=%cI 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)

.PHONY: build test race e2e demo fuzz bench lint vuln clean

build:
	go build -trimpath -ldflags "$(LDFLAGS)" -o bin/amber ./cmd/amber

test:
	go test ./...

race: export CGO_ENABLED := 1
race:
	go test -race -short ./...

clean:
	rm -rf bin demo
