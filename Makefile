# Builds the program and the plugin into $(BUILD); nothing is written elsewhere.
#
#	make                  build/sluice and build/plugin/sluice.so
#	make install          program to PREFIX/bin, plugin to the server's library folder
#	make demo             the whole pipeline between two throw-away servers
#	make check            every test
#	make help             the rest
#
# Variables: PG_CONFIG, CC, CFLAGS, PREFIX, DESTDIR, BUILD, SANITIZE=1, FUZZ=1, V=1.

VERSION = 0.1.0

# Variables of the command line reach other makes by the environment, where the
# server's own CC and CFLAGS win: the plugin is to be built as its server was.
MAKEOVERRIDES =

PG_CONFIG ?= pg_config
PREFIX ?= /usr/local
bindir = $(PREFIX)/bin
mandir = $(PREFIX)/share/man
INSTALL = install

# The folder of this file, so that a build may be started from anywhere.
SRC := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))

ifdef SANITIZE
BUILD ?= $(SRC)/build-asan
CFLAGS ?= -O1 -g
sanitize = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
ifdef FUZZ # only clang has the library
BUILD ?= $(SRC)/build-fuzz
CFLAGS ?= -O1 -g
CC = clang
sanitize = -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
endif
ifdef COVERAGE
BUILD ?= $(SRC)/build-coverage
CFLAGS ?= -O0 -g
sanitize = --coverage
endif
BUILD ?= $(SRC)/build
CFLAGS ?= -O2 -g
override BUILD := $(abspath $(BUILD))

warnings = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2
# For quotes only: an error.h of ours must not stand in for the C library's.
applier_cppflags = -iquote $(SRC) -iquote $(SRC)/common -iquote $(SRC)/applier \
	-I$(shell $(PG_CONFIG) --includedir) -D_GNU_SOURCE= -DSLUICE_VERSION=\"$(VERSION)\"
applier_cflags = -std=c11 $(warnings) $(sanitize) $(CFLAGS)
applier_libs = -L$(shell $(PG_CONFIG) --libdir) -Wl,--as-needed \
	-lpq -luv -lyaml -lxxhash -llz4 -lsystemd -lmicrohttpd -lm

sources = $(patsubst $(SRC)/%,%,$(wildcard $(SRC)/common/*.c $(SRC)/applier/*/*.c))
objects = $(sources:%.c=$(BUILD)/%.o)

# What the unit tests and the fuzzers link, as far as they need it.
testable = $(BUILD)/testable.a

# One short line a step; V=1 shows the commands.  A comma in
# either argument would end it.
run = $(if $(V),$(2),@echo '  $(1)'; $(2))

all: program plugin
program: $(BUILD)/sluice $(BUILD)/compile_commands.json
plugin: $(BUILD)/plugin/sluice.so

$(BUILD)/sluice: $(objects)
	$(call run,link sluice,$(CC) $(sanitize) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(applier_libs))

$(testable): $(filter-out $(BUILD)/applier/verbs/main.o,$(objects))
	@rm -f $@
	@ar rcs $@ $^

# The target is named outright: a compiler's cache may write it otherwise than make knows it.
dependencies = -MMD -MP -MT

$(BUILD)/%.o: $(SRC)/%.c $(BUILD)/settings
	@mkdir -p $(@D)
	$(call run,$(<:$(SRC)/%=%),$(CC) $(applier_cppflags) $(CPPFLAGS) $(applier_cflags) $(dependencies) $@ -c -o $@ $<)

# Rewritten only when a build with other settings follows, which then rebuilds all.
settings = $(CC) $(CPPFLAGS) $(applier_cflags) $(dependencies) $(VERSION) $(shell $(PG_CONFIG) --version --pgxs)
$(BUILD)/settings: FORCE
	@command -v '$(PG_CONFIG)' >/dev/null || { echo "$(PG_CONFIG) is missing: install libpq-dev for the program," \
		"postgresql-server-dev-NN for the plugin, or name it by PG_CONFIG=" >&2; exit 1; }
	@mkdir -p $(@D)
	@echo '$(settings)' | cmp -s - $@ || echo '$(settings)' > $@

# For editors and analyzers, which look for it here: how each C file is compiled.
known = $(sources) $(patsubst $(SRC)/%,%,$(wildcard $(foreach d,unit fuzz bench,$(SRC)/regress/$(d)/*.c)))
known_plugin = $(patsubst $(SRC)/%,%,$(wildcard $(SRC)/plugin/*.c))
plugin_cflags = -iquote $(SRC) -iquote $(SRC)/common -I$(shell $(PG_CONFIG) --includedir-server) \
	-D_GNU_SOURCE -DSLUICE_VERSION=\"$(VERSION)\" -std=gnu11
$(BUILD)/compile_commands.json: $(BUILD)/settings $(SRC)/Makefile $(known:%=$(SRC)/%) $(known_plugin:%=$(SRC)/%)
	@{ for f in $(known); do echo "$$f" '$(CC) $(applier_cppflags) $(CPPFLAGS) $(applier_cflags)'; done; \
	for f in $(known_plugin); do echo "$$f" '$(CC) $(plugin_cflags)'; done; } | sed 's/[\\"]/\\&/g' | \
	awk 'BEGIN { printf "[" } { f = $$1; $$1 = ""; printf "%s\n{\"directory\": \"$(SRC)\", \"file\": \"%s\", \"command\": \"%s -c %s\"}", \
		(NR > 1 ? "," : ""), f, substr($$0, 2), f } END { print "\n]" }' > $@
# The page that the daemon serves becomes part of the program.
$(BUILD)/applier/monitor/page.o: $(SRC)/applier/monitor/page.html
applier_cppflags += -DPAGE_HTML=\"$(SRC)/applier/monitor/page.html\"

# PGXS builds in its current folder, which therefore is one below $(BUILD).
pgxs = $(MAKE) -C $(BUILD)/plugin -f $(SRC)/plugin/Makefile --no-print-directory \
	$(if $(V),,--silent) PG_CONFIG='$(PG_CONFIG)' SLUICE_VERSION='$(VERSION)' \
	SLUICE_SANITIZE='$(SANITIZE)'

$(BUILD)/plugin/sluice.so: $(BUILD)/settings FORCE
	@+mkdir -p $(BUILD)/plugin/plugin $(BUILD)/plugin/common && $(pgxs)

install: install-program install-plugin

install-program: program
	$(INSTALL) -d '$(DESTDIR)$(bindir)'
	$(INSTALL) -m 755 $(BUILD)/sluice '$(DESTDIR)$(bindir)/sluice'

# Manual pages, by lowdown(1) from the program's help and from docs/.
manual: $(addprefix $(BUILD)/man/,sluice.1 sluice.yaml.5 sluice-plugin.7)

$(BUILD)/man/%: $(SRC)/packaging/manual $(SRC)/docs/configuration.md $(SRC)/docs/plugin.md $(BUILD)/sluice
	@mkdir -p $(@D)
	$(call run,man $*,$(SRC)/packaging/manual $(basename $*) $(BUILD)/sluice >$@)

install-manual: manual
	for page in sluice.1 sluice.yaml.5 sluice-plugin.7; do \
		$(INSTALL) -D -m 644 $(BUILD)/man/$$page "$(DESTDIR)$(mandir)/man$${page##*.}/$$page" || exit 1; \
	done

install-plugin: plugin
	@+$(pgxs) install
	@echo "installed $(DESTDIR)$$('$(PG_CONFIG)' --pkglibdir)/sluice.so for $$('$(PG_CONFIG)' --version)."
	@echo "Next, on that server: where it knows output_plugin_libraries, add sluice to it; set wal_level = logical."

uninstall:
	rm -f '$(DESTDIR)$(bindir)/sluice'
	@+mkdir -p $(BUILD)/plugin && $(pgxs) uninstall

clean:
	rm -rf $(BUILD) $(if $(SANITIZE)$(FUZZ)$(COVERAGE),,$(BUILD)-asan $(BUILD)-fuzz $(BUILD)-coverage $(BUILD)-matrix)

# Tests. The scripts install what is missing, build, and leave nothing behind.

# What a C file of the applier is compiled with, for the checks in regress/lint.
flags:
	@echo "$(applier_cppflags) -std=c11"

# Brings the C files into the shape that `make lint` asks for.
format:
	clang-format -i $(wildcard $(addprefix $(SRC)/,$(foreach d,common applier/* plugin regress/unit regress/fuzz regress/bench,$(d)/*.c $(d)/*.h)))

packages:
	@$(SRC)/regress/packages

check lint: packages
	@+$(SRC)/regress/run $@

demo:
	@$(SRC)/regress/packages demo
	@+$(SRC)/regress/run $@

bench:
	@$(SRC)/regress/packages bench
	@+$(SRC)/regress/run $@

# Traffic and faults at random, round by round: ROUNDS=1000 SEED=; ROUND= and LEAVE= repeat a part of it, DESTINATION= with FAULT_COMMAND= on a server of yours; SANITIZE=1.
faults: packages
	@+$(SRC)/regress/run $@

# Regression tests of PostgreSQL and of other plugins as traffic; FOREIGN= names the folder for their sources.
foreign: packages
	@$(SRC)/regress/packages foreign
	@+export FOREIGN="$${FOREIGN:-/var/tmp/sluice-foreign}" && $(SRC)/regress/foreign/fetch "$$FOREIGN" && $(SRC)/regress/run $@

# Hours of traffic with changed definitions, copies, large transactions and restarts: nothing may grow. MINUTES=60, RATE=200.
soak: packages
	@+$(SRC)/regress/run $@

# The plugin under valgrind, in a server built for it in the folder MEMCHECK; the traffic is that of `make foreign`.
memcheck: packages
	@$(SRC)/regress/packages memcheck
	@+export FOREIGN="$${FOREIGN:-/var/tmp/sluice-foreign}" MEMCHECK="$${MEMCHECK:-/var/tmp/sluice-memcheck}" && \
		$(SRC)/regress/foreign/fetch "$$FOREIGN" && $(SRC)/regress/memcheck/build "$$FOREIGN/postgresql" "$$MEMCHECK" && \
		PG_CONFIG="$$MEMCHECK/server/bin/pg_config" BUILD="$$MEMCHECK/build" $(SRC)/regress/run $@

# Debian packages of the program, and of the plugin for each server version whose headers are installed.
deb:
	@$(SRC)/regress/packages deb
	@+$(SRC)/packaging/deb '$(BUILD)/deb' '$(VERSION)'

# The daemon's page in Chromium (SCREENSHOTS=FOLDER keeps pictures), and the alerts.
check-page:
	@$(SRC)/regress/packages page
	prove $(SRC)/regress/page/page.t
	cd $(SRC)/packaging/prometheus && promtool test rules sluice.rules.test.yml

# The core of the tests with each version of PostgreSQL that Debian has, as source and as destination; as root.
check-matrix:
	@+$(SRC)/regress/matrix

installcheck: packages
	@test -n "$$DESTINATION" || { echo "usage: make installcheck DESTINATION='conninfo'" >&2; exit 2; }
	@+$(SRC)/regress/run $@

# One unit test program for each regress/unit/test_*.c.
unit_tests = $(patsubst $(SRC)/%.c,$(BUILD)/%,$(wildcard $(SRC)/regress/unit/test_*.c))
unit_helpers = $(patsubst $(SRC)/%.c,$(BUILD)/%.o,\
	$(filter-out $(SRC)/regress/unit/test_%,$(wildcard $(SRC)/regress/unit/*.c)))
tests: $(unit_tests) ; @:

# Those tests that need no server, in seconds.
unit: tests
	@cd $(SRC) && CMOCKA_MESSAGE_OUTPUT=TAP prove --jobs $$(nproc) --exec '' $(unit_tests)

# What they reach, in lines and branches, and whether that is still enough.
coverage:
	@+$(SRC)/regress/coverage

# This test makes the nth allocation fail.
$(BUILD)/regress/unit/test_memory: override LDFLAGS += $(wrap_memory)
wrap_memory = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

$(unit_tests): %: %.o $(unit_helpers) $(testable)
	$(call run,link $(@F),$(CC) $(sanitize) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(applier_libs) -lcmocka)

# With FUZZ=1: one fuzzer for each regress/fuzz/fuzz_*.c.
fuzzers = $(patsubst $(SRC)/%.c,$(BUILD)/%,$(wildcard $(SRC)/regress/fuzz/fuzz_*.c))
fuzzers: $(fuzzers) ; @:

link_fuzzer = $(CC) $(sanitize) -fsanitize=fuzzer $(CFLAGS) $(LDFLAGS)
$(fuzzers): %: %.o $(testable)
	$(call run,link $(@F),$(link_fuzzer) -o $@ $^ $(applier_libs))

fuzz:
	+$(MAKE) FUZZ=1 fuzzers
	$(SRC)/regress/fuzz/longer

help:
	@echo 'make [program | plugin]    build all, or one of the two'
	@echo 'make install               DESTDIR=, PREFIX=$(PREFIX), PG_CONFIG=$(PG_CONFIG)'
	@echo 'make install-program, make install-plugin, make uninstall, make clean'
	@echo 'make manual                the manual pages, in build/man; make install-manual'
	@echo 'make deb                   Debian packages, in build/deb'
	@echo 'make demo                  see it work: copy, live changes, comparison'
	@echo 'make check                 every test; installs the Debian packages that are missing'
	@echo 'make lint                  the part of it that needs no server'
	@echo 'make unit                  those of the tests that need no server, in seconds'
	@echo 'make coverage              what those reach, in lines and branches'
	@echo 'make check-page            the status page in Chromium, and the alerts'
	@echo 'make check-matrix          the core of the tests with each version of PostgreSQL, as root'
	@echo 'make format                clang-format over every C file'
	@echo 'make bench                 measure it beside its peers; SECTIONS=, SCALE=, DESTINATION='
	@echo "make installcheck DESTINATION='conninfo'"
	@echo '                           the end-to-end tests against a destination of yours'
	@echo 'make foreign               regression tests of PostgreSQL and of other plugins as traffic'
	@echo 'make faults                traffic and faults at random; ROUNDS=1000 SEED=, ROUND=17 SEED= repeats one'
	@echo 'make fuzz                  an hour for each fuzzer, then keeps the corpus; FUZZ_MINUTES=60 FUZZERS="fold"'
	@echo 'make soak                  an hour of traffic, in which nothing may grow; MINUTES=60 RATE=200'
	@echo 'make memcheck              the plugin under valgrind, in a server built for it'
	@echo 'TESTS="regress/t/001_smoke.t ..."   with check: only these; JOBS=4 at once; SEED='
	@echo 'FULL=1                     with check and lint: what takes long, too'
	@echo 'SANITIZE=1                 with address and undefined behaviour sanitizers, in build-asan'

FORCE:
.PHONY: check-page check-matrix all program plugin install install-program install-plugin uninstall clean \
	manual install-manual deb packages demo check lint bench installcheck faults foreign soak memcheck tests unit coverage fuzzers fuzz format flags help FORCE
.SECONDARY:

-include $(objects:.o=.d) $(unit_tests:=.d) $(fuzzers:=.d) $(unit_helpers:.o=.d)
