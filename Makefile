# A thin front: it installs what is missing, then calls Meson. `make help` lists
# the targets.

PREFIX ?= /usr/local
# A distribution's package would say lib64, or lib/x86_64-linux-gnu.
LIBDIR ?= lib
# Warnings are errors where the project is checked (.ci/run), not where it is used.
WERROR ?= false
# For `make fuzz FUZZ=name SECONDS=60`.
FUZZ ?=
SECONDS ?= 60
# For the tests: only those whose name contains this, such as unit/uri.
ONLY ?=
# For `make bench`: a folder for what comes out.
OUT ?=
# For `make test-trixie`: what is made there.
TARGET ?= test

BUILD_PACKAGES = gcc libc6-dev meson ninja-build pkg-config libssl-dev libidn2-dev \
	libjansson-dev libhttp-parser-dev libpcap-dev scdoc
# AES-GCM that is faster, on amd64.
OPTIONAL_BUILD_PACKAGES = libipsec-mb-dev
TEST_PACKAGES = g++ libcmocka-dev python3 python3-pytest python3-dev python3-pip python3-setuptools \
	python3-wheel openssl gnutls-bin curl procps ca-certificates gnuplot-nox tshark
# Where this release of Debian has them: keys in a token, the suites of its Python, and programs in Python.
OPTIONAL_TEST_PACKAGES = softhsm2 pkcs11-provider libpython3.11-testsuite libpython3.13-testsuite \
	python3-requests python3-urllib3 python3-aiohttp python3-httpx python3-websockets \
	python3-tornado gunicorn python3-django $(SERVER_PACKAGES) $(LIBRARY_PACKAGES)
# What takes a context, and loops of others that examples are in.
LIBRARY_PACKAGES = libcurl4-openssl-dev libuv1-dev libevent-dev
# Mail, file and web servers, directories and databases of others. The tests start their own, where there are these.
SERVER_PACKAGES = postfix dovecot-imapd dovecot-pop3d dovecot-lmtpd dovecot-managesieved vsftpd nginx \
	postgresql-15 postgresql-17 mariadb-server-core slapd prosody
LINT_PACKAGES = clang clang-tidy clang-format cppcheck python3 python3-dev git binutils
FUZZ_PACKAGES = clang libclang-rt-dev
# What Cinch is compared with, where this release of Debian has it.
BENCH_PACKAGES = python3 gnuplot-nox openssl ca-certificates
OPTIONAL_BENCH_PACKAGES = python3-dev libgnutls28-dev libtls-dev libwolfssl-dev libmbedtls-dev golang-go
# What makes a system in a folder.
TRIXIE_PACKAGES = debootstrap util-linux git tar
DEMO_PACKAGES = curl openssl python3 python3-dev ca-certificates gnuplot-nox

TOOLS = tests/tools
NEED = $(TOOLS)/need-packages
# A Python from elsewhere on the PATH must not stand in for the system's.
PYTHON = $$(test -x /usr/bin/python3 && echo /usr/bin/python3 || echo python3)
MESON = $$(test -x /usr/bin/meson && echo /usr/bin/meson || echo meson)
NINJA = ninja -C
CONFIGURE = $(TOOLS)/configure
RUN_TESTS = $(PYTHON) $(TOOLS)/run-tests $(if $(ONLY),--only "$(ONLY)")
RELEASE = -Dwerror=$(WERROR) $(INSTALL_OPTIONS)
# clang wants b_lundef=false for shared libraries under a sanitizer.
SANITIZED = -Dwerror=$(WERROR) -Db_lundef=false
INSTALL_OPTIONS = -Dprefix=$(abspath $(PREFIX)) -Dlibdir=$(LIBDIR)

.PHONY: all build help demo demo-packages test test-quick test-python-full test-trixie build-asan \
	build-tsan bench bench-packages lint fuzz install map format deps clean test-packages
# Ninja is what works in parallel; two of these at a time would get into each other's way.
.NOTPARALLEL:

all: build

help:
	@echo 'make              builds build/cinch and the library'
	@echo 'make demo         shows what works, with programs that are not ours'
	@echo 'make test         all tests, then again under sanitizers'
	@echo 'make test-quick   all tests, without sanitizers; with ONLY=unit/uri some of them'
	@echo 'make test-python-full  the suites of CPython that take long, which the others leave out'
	@echo 'make test-trixie  make test on Debian 13, in a folder; as root; also with ONLY= or TARGET=demo'
	@echo 'make lint         format, static analysis, house rules'
	@echo 'make fuzz FUZZ=conn SECONDS=60'
	@echo 'make bench        compares with other TLS libraries; OUT= is where JSON and plot go'
	@echo 'make install PREFIX=/usr/local LIBDIR=lib DESTDIR='
	@echo 'make map          writes the list of exported symbols from the headers'
	@echo 'make format       formats the C files'
	@echo 'make deps         installs every Debian package used below'
	@echo 'make clean'

build:
	@$(NEED) $(BUILD_PACKAGES) --optional $(OPTIONAL_BUILD_PACKAGES)
	@$(CONFIGURE) build $(RELEASE)
	@$(NINJA) build

# Before the build: the extension for Python is left out where there are no headers.
demo-packages:
	@$(NEED) $(BUILD_PACKAGES) $(DEMO_PACKAGES)

demo: demo-packages build
	@examples/demo.sh build

# Before the build, because Meson leaves out the tests that it has no tools for.
test-packages:
	@$(NEED) $(BUILD_PACKAGES) $(TEST_PACKAGES) --optional $(OPTIONAL_TEST_PACKAGES)

test-quick: test-packages build
	@$(RUN_TESTS) build

test-python-full: test-packages build
	@$(RUN_TESTS) build=python-full

test: test-packages build build-asan build-tsan
	@$(RUN_TESTS) build build-asan build-tsan=threads

# Not a part of `make test`: it fetches a system of 300 MB. `rm -r build-trixie` removes it.
test-trixie:
	@if [ "$$(id -u)" = 0 ]; then $(NEED) $(TRIXIE_PACKAGES); fi
	@$(TOOLS)/trixie build-trixie "$(TARGET)" WERROR="$(WERROR)" ONLY="$(ONLY)"

build-asan:
	@$(NEED) $(BUILD_PACKAGES) --optional $(OPTIONAL_BUILD_PACKAGES)
	@$(CONFIGURE) build-asan $(SANITIZED) -Doptimization=1 -Db_sanitize=address,undefined
	@$(NINJA) build-asan

build-tsan:
	@$(NEED) $(BUILD_PACKAGES) --optional $(OPTIONAL_BUILD_PACKAGES)
	@$(CONFIGURE) build-tsan $(SANITIZED) -Db_sanitize=thread
	@$(NINJA) build-tsan

# Before the build: libraries that are not here are left out.
bench-packages:
	@$(NEED) $(BUILD_PACKAGES) $(BENCH_PACKAGES) --optional $(OPTIONAL_BENCH_PACKAGES)

bench: bench-packages build
	@$(NINJA) build bench-peers
	@$(PYTHON) bench/run build $(if $(OUT),--out "$(OUT)")

lint: build
	@$(NEED) $(LINT_PACKAGES)
	@$(TOOLS)/lint build

fuzz:
	@$(NEED) $(BUILD_PACKAGES) $(FUZZ_PACKAGES)
	@$(TOOLS)/fuzz "$(FUZZ)" "$(SECONDS)"

install: build
	@$(MESON) install -C build --no-rebuild

map:
	@$(PYTHON) $(TOOLS)/house-rules --write-map

format:
	@git ls-files --cached --others --exclude-standard -- '*.c' '*.h' | xargs -r clang-format -i

deps:
	@$(NEED) $(BUILD_PACKAGES) $(TEST_PACKAGES) $(LINT_PACKAGES) $(FUZZ_PACKAGES) \
		$(DEMO_PACKAGES) $(BENCH_PACKAGES) $(TRIXIE_PACKAGES) \
		--optional $(OPTIONAL_BUILD_PACKAGES) $(OPTIONAL_TEST_PACKAGES) $(OPTIONAL_BENCH_PACKAGES)

clean:
	rm -rf build build-asan build-tsan build-fuzz
