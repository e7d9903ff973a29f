# watchpost: see README.md. `make run` opens it, `make test` tests it.

VERSION ?= 0.1.0
PACKAGES = postfix sasl2-bin libsasl2-modules python3 python3-aiosmtpd iproute2 openssl openssh-client ffmpeg tmux minicom picocom \
	qemu-system-x86 busybox-static cpio kmod xz-utils
GO ?= go

.PHONY: build run test deps need bench bench-mail bench-motion eval docs clean

build:
	$(GO) build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/watchpost ./cmd/watchpost

run: build
	bin/watchpost

# Tests run against real counterparts. What is missing is installed where that
# is allowed, else those tests are skipped and listed; with CI=true a skip fails.
test: need
	@$(GO) vet ./...
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "gofmt: the files above are not formatted"; exit 1; }
	@skips=$$(mktemp); trap 'rm -f $$skips' EXIT; \
	WATCHPOST_SKIPS=$$skips $(GO) test -count=1 -timeout 15m ./...; status=$$?; \
	if [ -s $$skips ]; then echo; echo "Skipped:"; sort -u $$skips; else echo "Nothing was skipped."; fi; \
	exit $$status

need:
	@if [ "$$(id -u)" = 0 ] && ! dpkg-query -W -f='$${Status}\n' $(PACKAGES) 2>/dev/null | \
		awk '/ok installed/ {n++} END {exit n != '$(words $(PACKAGES))'}'; then $(MAKE) --no-print-directory deps; fi

# The real counterparts of the tests, from Debian. Postfix is not configured as
# this machine's mail server: the tests start their own.
deps:
	apt-get update -qq
	echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PACKAGES)

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./engine/motion ./hw ./hw/mjpeg ./engine/journal ./mail

# The sender and the spool beside the disk, a bare dialogue, Postfix, nullmailer,
# msmtp and swaks: one table, after some minutes.
bench-mail:
	@$(MAKE) --no-print-directory need PACKAGES='$(PACKAGES) msmtp swaks libnet-ssleay-perl'
	@cd mail/benchmail && $(GO) test -count=1 -timeout 30m -run '^TestTable$$' -args -table

# The detector on the labelled clips, which it needs (see README.md), and on generated
# scenes: the table in docs/detection.md, after some minutes.
eval: build
	@$(GO) run ./engine/motion/eval -watchpost bin/watchpost -write docs/detection.md

# The program beside Debian's motion on one MJPEG clip, after two minutes.
bench-motion: build
	@$(MAKE) --no-print-directory need PACKAGES='$(PACKAGES) motion'
	@.ci/bench-motion bin/watchpost

docs:
	$(GO) test ./cmd/watchpost -run TestReference -update

clean:
	rm -rf bin
