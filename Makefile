# SegLoss: the C library, and everything that tests and measures it. `make` alone lists the targets.

# --------------------------------------------------------------------------------------------------- settings ----

# The kernels need clang (vectors, target attributes). The Swift toolchain brings one.
ifeq ($(origin CC),default)
CC := $(or $(wildcard $(dir $(realpath $(shell command -v swift 2> /dev/null)))clang),clang)
endif

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include

# 0 builds the C library without threads and without libomp.
OPENMP ?= 1

# Debian's libomp-dev puts libomp5.so on the default search path; other systems name the library "omp".
export SEGLOSS_OPENMP_LIBRARY ?= omp5

# More options for every call of swift, such as --scratch-path.
SWIFTFLAGS ?=
# More options for the bench, such as --only focal.
BENCHFLAGS ?=

BUILD ?= build
scripts := Tests/Scripts

export CC BUILD SWIFTFLAGS

# ------------------------------------------------------------------------------------------------------ tasks ----

.PHONY: help test test-address test-undefined test-threads test-serial test-arm test-exhaustive bench bench-peers \
	bench-metrics pictures lib install uninstall clean

help:
	@echo 'make test                 everything that must hold, in debug and release, Swift and C (about 20 minutes)'
	@echo 'make test-address         the Swift tests under the address sanitizer'
	@echo 'make test-undefined       problems in C under the sanitizers for undefined behaviour, memory and leaks'
	@echo 'make test-threads         callers on many threads, and OpenMP, under the thread sanitizer'
	@echo 'make test-serial          the Swift tests without OpenMP'
	@echo 'make test-arm             the same bits on AArch64, under qemu'
	@echo 'make test-exhaustive      the slow sweeps too, such as the elementary functions over every float'
	@echo 'make bench                verifies and times every kernel; DATA=folder: on your data; BENCHFLAGS=--quick'
	@echo 'make bench-peers          times PyTorch and MONAI beside them'
	@echo 'make bench-metrics        verifies and times the metrics; BENCHFLAGS=--peers: scikit-learn and others beside them'
	@echo 'make pictures             draws losses, gradients and maps into docs/pictures; DATA=folder: of your data, elsewhere'
	@echo 'make lib                  the C library, in $(BUILD)/; OPENMP=0: without threads'
	@echo 'make install              the C library, its header and segloss.pc; PREFIX=$(PREFIX) DESTDIR='
	@echo 'make uninstall            takes them away again'
	@echo 'make clean                removes what was built'

test:
	@$(scripts)/install-missing.sh libomp-dev pkg-config gcc g++ binutils
	@$(scripts)/run-tests.sh

test-address:
	@$(scripts)/install-missing.sh libomp-dev
	@echo 'Leaks are not looked for here: XCTest and libomp have some of their own. make test-undefined does.'
	ASAN_OPTIONS=detect_leaks=0 swift test $(SWIFTFLAGS) --scratch-path $(BUILD)/swift-address --sanitize=address

test-undefined:
	@$(scripts)/check-undefined.sh

test-threads:
	@$(scripts)/install-missing.sh libomp-dev
	@$(scripts)/check-threads.sh

test-serial:
	swift test $(SWIFTFLAGS) --scratch-path $(BUILD)/swift-serial --disable-default-traits
	@$(scripts)/check-serial.sh $(BUILD)/swift-serial/debug

test-arm:
	@$(scripts)/install-missing.sh gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
	@$(scripts)/check-arm.sh

test-exhaustive:
	@$(scripts)/install-missing.sh libomp-dev
	SEGLOSS_SLOW_TESTS=1 swift test $(SWIFTFLAGS) -c release

bench:
	@$(scripts)/install-missing.sh libomp-dev libpng-dev pkg-config
	swift run -c release --package-path bench seglossbench $(if $(DATA),--data '$(abspath $(DATA))') $(BENCHFLAGS)

bench-peers:
	@$(scripts)/install-missing.sh libomp-dev libpng-dev pkg-config python3-venv
	bench/peers/setup.sh
	swift run -c release --package-path bench seglossbench --peers $(BENCHFLAGS)

bench-metrics:
	@$(scripts)/install-missing.sh libomp-dev libpng-dev pkg-config
	swift run -c release --package-path bench seglossbench metrics $(BENCHFLAGS)

pictures:
	@$(scripts)/install-missing.sh libomp-dev libpng-dev pkg-config
	swift run -c release --package-path bench seglossbench pictures $(if $(DATA),--images '$(abspath $(DATA))')

clean:
	rm -rf $(BUILD) .build bench/.build Examples/Swift/.build

# -------------------------------------------------------------------------------------------------- C library ----

sources := $(wildcard Sources/CLossKernels/*/*.c)
header := Sources/CLossKernels/include/closs.h
version_part = $(shell sed -n 's/^.define CLOSS_VERSION_$(1) //p' $(header))
major := $(call version_part,MAJOR)
version := $(major).$(call version_part,MINOR)

lib := $(BUILD)/$(if $(filter 1,$(OPENMP)),openmp,serial)
objects := $(sources:Sources/CLossKernels/%.c=$(lib)/objects/%.o)
shared := libsegloss.so.$(version)
soname := libsegloss.so.$(major)

# As in Package.swift: optimised, and no contraction, or the bits would depend on the compiler.
kernel_flags := -std=c11 -Wall -Wextra -O3 -ffp-contract=off -fno-math-errno -fvisibility=hidden -fPIC -DNDEBUG \
	-ISources/CLossKernels -ISources/CLossKernels/include
libraries := -lm
ifeq ($(OPENMP),1)
kernel_flags += -fopenmp -Werror=source-uses-openmp
libraries := -l$(SEGLOSS_OPENMP_LIBRARY) -lm
endif

lib: $(lib)/libsegloss.a $(lib)/$(shared)

# Rewritten only where the command has changed, so that objects of other flags are built again.
compile := $(CC) $(kernel_flags) $(CFLAGS)
$(lib)/command: FORCE
	@mkdir -p $(@D)
	@echo '$(compile)' | cmp -s - $@ || echo '$(compile)' > $@

.PHONY: FORCE
FORCE:

# Asked before minutes of compiling.
missing := libomp cannot be linked (-l$(SEGLOSS_OPENMP_LIBRARY)): install libomp-dev, or name the library with \
	SEGLOSS_OPENMP_LIBRARY=omp and its folder with LDFLAGS=-L..., or build without threads with OPENMP=0
$(lib)/linked: $(lib)/command
	@echo 'int main(void) { return 0; }' | $(CC) $(LDFLAGS) -x c - -o $@ $(libraries) || \
		{ echo '$(missing)' >&2; exit 1; }

$(lib)/objects/%.o: Sources/CLossKernels/%.c $(lib)/command Makefile | $(if $(filter 1,$(OPENMP)),$(lib)/linked)
	@mkdir -p $(@D)
	$(compile) -MMD -MP -c $< -o $@

-include $(objects:.o=.d)

# One object whose inner names are local: a program that links it statically may use them for its own.
$(lib)/segloss.o: $(objects)
	$(CC) -r -nostdlib -o $@ $^
	objcopy --localize-hidden $@

$(lib)/libsegloss.a: $(lib)/segloss.o
	rm -f $@
	ar rcs $@ $<

# Visibility hides our own names; some linkers add names of theirs.
$(lib)/exports: Makefile $(lib)/command
	echo '{ global: closs_*; local: *; };' > $@

$(lib)/$(shared): $(objects) $(lib)/exports
	$(CC) -shared -Wl,-soname,$(soname) -Wl,--no-undefined -Wl,--version-script,$(lib)/exports $(LDFLAGS) -o $@ \
		$(objects) $(libraries)
	ln -sf $(shared) $(lib)/$(soname)
	ln -sf $(soname) $(lib)/libsegloss.so

define pkg_config_file
prefix=$(PREFIX)
libdir=$(LIBDIR)
includedir=$(INCLUDEDIR)

Name: segloss
Description: Fused segmentation losses with gradients, the same bits everywhere
Version: $(version)
Libs: -L$${libdir} -lsegloss
Libs.private: $(libraries)
Cflags: -I$${includedir}
endef
export pkg_config_file

install: lib
	install -d '$(DESTDIR)$(INCLUDEDIR)' '$(DESTDIR)$(LIBDIR)/pkgconfig'
	install -m 644 $(header) '$(DESTDIR)$(INCLUDEDIR)/closs.h'
	install -m 644 $(lib)/libsegloss.a '$(DESTDIR)$(LIBDIR)/libsegloss.a'
	install -m 755 $(lib)/$(shared) '$(DESTDIR)$(LIBDIR)/$(shared)'
	ln -sf $(shared) '$(DESTDIR)$(LIBDIR)/$(soname)'
	ln -sf $(soname) '$(DESTDIR)$(LIBDIR)/libsegloss.so'
	printenv pkg_config_file > '$(DESTDIR)$(LIBDIR)/pkgconfig/segloss.pc'

uninstall:
	rm -f '$(DESTDIR)$(INCLUDEDIR)/closs.h' '$(DESTDIR)$(LIBDIR)/libsegloss.a' '$(DESTDIR)$(LIBDIR)/$(shared)' \
		'$(DESTDIR)$(LIBDIR)/$(soname)' '$(DESTDIR)$(LIBDIR)/libsegloss.so' \
		'$(DESTDIR)$(LIBDIR)/pkgconfig/segloss.pc'
