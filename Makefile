# What each target needs is in README.md. Everything that is downloaded or
# built for the tests goes to $(AMBER_TESTBED_CACHE), by default
# ~/.cache/amber-testbed; nothing on the machine is changed.

export CGO_ENABLED := 0

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null)
DATE    := $(shell git log -1 --format=%cI 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)

.PHONY: build test testbed race e2e demo demo-quarantine incident fuzz bench bench-timeline test-duckdb harness lint vuln clean

# The manual page is written by an amber that holds the library's writer, and
# carried by one that does not: see cmd/amber/man.go.
build:
	go run ./cmd/amber man > cmd/amber/amber.8
	go build -tags urfave_cli_no_docs -trimpath -buildvcs=false -ldflags "$(LDFLAGS)" -o bin/amber ./cmd/amber

# What fails is run once more, alone, and told either way, with what it said; it
# passes only if it passes then. See docs/decisions/second-try.md.
GOTEST := go tool gotestsum --rerun-fails=1 --rerun-fails-max-failures=3 --rerun-fails-run-root-test

test: testbed
	$(GOTEST) --format standard-quiet --packages "./... ./testdata/incidents ./testdata/harness ./testdata/fuzz" -- -timeout 20m

# testbed gets the runtimes and the Kubernetes that the tests run: some 10
# minutes the first time, nothing later.
testbed:
	@if [ "$$(id -u)" = 0 ]; then testdata/testbed/fetch.sh containerd1 bash docker containerd2 etcd cni criu tmux softhsm swtpm nft podman kubernetes minio registry; \
	else echo "testbed: without root the privileged tests say what they skip"; fi

race: export CGO_ENABLED := 1
race:
	go test -race -short ./...

# e2e runs the real binary on real runtimes, killing it at every step.
e2e: testbed
	$(GOTEST) --format standard-verbose --packages ./testdata/e2e/ -- -tags e2e -count=1 -timeout 45m
	$(GOTEST) --format standard-verbose --packages ./isolate/probes/ -- -tags e2e -count=1 -timeout 20m -run TestKubelet

# harness attacks and breaks cases, SEEDS times in each way: it kills amber at
# its steps, fills its disk, cuts its input, and changes, cuts, reorders, replays
# and splices what it wrote, and ends with a table of what became of each way.
# make test does it a hundred times.
SEEDS ?= 1000
harness:
	go test -count=1 -timeout 24h -v ./testdata/harness -seeds $(SEEDS)

# demo brings up a containerd of its own with a container that misbehaves.
demo:
	@testdata/testbed/demo.sh

# demo-quarantine brings up a Kubernetes of its own with a pod that has been
# broken into.
demo-quarantine:
	@testdata/testbed/quarantine-demo.sh

# incident records testdata/incidents/webpod anew: an intrusion into a
# Kubernetes of its own, with the kernel's audit log. Four minutes, as root.
incident: testbed
	go test -tags incident -count=1 -timeout 30m -v -run TestRecord ./testdata/incidents/webpod/record -out "$(CURDIR)/testdata/incidents/webpod"

bench: build
	go run ./testdata/bench
	go run ./testdata/bench/tui
	AMBER_BENCH_ALL=1 go test -run '^$$' -bench Build -benchtime 1x ./timeline/correlate
	@echo "the sources, one after another: records/cpu-s is of one core, x150k how many times the 150,000 that are wanted"
	go test -p 1 -run '^$$' -bench . -benchtime 1s ./timeline/source/...
	@echo "rules: processor time of building without, with amber's own, and with 500 others"
	go test -run '^$$' -bench Build -benchtime 3x ./timeline/detect/findings
	cd testdata/bench/storage && go run . -amber "$(CURDIR)/bin/amber"
	@echo "the timeline, side by side with DuckDB: make bench-timeline (needs a C compiler)"

# bench-timeline and test-duckdb are of a module of their own: DuckDB is C++.
bench-timeline: build
	@command -v "$$(go env CC)" >/dev/null || { echo "bench-timeline: no C compiler ($$(go env CC)), and DuckDB needs cgo" >&2; exit 1; }
	cd testdata/bench/timeline && CGO_ENABLED=1 go run . $(BENCH_TIMELINE)

# test-duckdb has DuckDB open what amber writes, and runs docs/cookbook.md.
test-duckdb: build
	@command -v "$$(go env CC)" >/dev/null || { echo "test-duckdb: no C compiler ($$(go env CC)), and DuckDB needs cgo" >&2; exit 1; }
	cd testdata/bench/timeline && CGO_ENABLED=1 go test -count=1 ./...

# fuzz gives each fuzzer FUZZTIME, FUZZJOBS of them at once. Their corpora run
# with every make test.
FUZZTIME ?= 60s
FUZZJOBS ?= 2
fuzz:
	go run ./testdata/fuzz -time $(FUZZTIME) -jobs $(FUZZJOBS)

# Packages below testdata are not in ./...
TESTDATA := ./testdata/testbed/... ./testdata/harness/... ./testdata/e2e/... ./testdata/bench/... ./testdata/incidents/... ./testdata/fuzz/...

lint:
	@test -z "$$(go tool gofumpt -l $$(git ls-files '*.go') | tee /dev/stderr)"
	go vet ./... $(TESTDATA)
	go vet -tags e2e ./testdata/e2e/...
	go vet -tags incident ./testdata/incidents/...
	go vet -tags fault ./evidence/durable/...
	go tool staticcheck ./... $(TESTDATA)
	go tool go-errorlint -comparison=false ./...
	@! go tool unparam ./... | grep -v 'Msg).take - result 0 (error) is always nil' # they are answers of one kind
	go tool misspell -error $$(git ls-files '*.go' '*.md')

# vuln asks the Go vulnerability database, so it needs the network.
vuln:
	go tool govulncheck ./...

clean:
	rm -rf bin demo
