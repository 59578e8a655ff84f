// Rewriting the global offset table of a loaded object. Only slots of functions are touched: jump slots and
// the addresses that are called through a pointer in the table (-fno-plt, BIND_NOW). Objects that were bound
// at start have their table read-only, so the page's protection is looked up, lifted, and put back.
// SPDX-License-Identifier: MIT
#include "got.h"

#include "cleanup.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)
#define SLOT_JUMP R_X86_64_JUMP_SLOT
#define SLOT_DATA R_X86_64_GLOB_DAT
#elif defined(__aarch64__)
#define SLOT_JUMP R_AARCH64_JUMP_SLOT
#define SLOT_DATA R_AARCH64_GLOB_DAT
#else
#error "got.c knows the relocations of x86-64 and aarch64 only"
#endif

struct imports {
	const ElfW(Sym) * symbols;
	const char *strings;
	struct {
		const ElfW(Rela) * at;
		size_t n;
	} tables[2];
};

static void close_file(FILE *file) {
	fclose(file);
}
DEFINE_CLEANUP(FILE *, close_file)

// The protection of the mapping that holds 'address', or -errno.
static int protection_of(uintptr_t address) {
	CLEANUP(close_filep) FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	if (maps == NULL)
		return -errno;
	while (fgets(line, sizeof(line), maps) != NULL) {
		uintptr_t from, to;
		char r, w, x;

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %c%c%c", &from, &to, &r, &w, &x) != 5 ||
		    address < from || address >= to)
			continue;
		return (r == 'r' ? PROT_READ : 0) | (w == 'w' ? PROT_WRITE : 0) | (x == 'x' ? PROT_EXEC : 0);
	}
	return -ENOENT;
}

static int write_slot(void **slot, void *value) {
	uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t address = (uintptr_t)slot;
	void *page = (char *)slot - address % page_size;
	int protection = protection_of(address);
	bool locked;

	if (protection < 0)
		return protection;
	locked = (protection & PROT_WRITE) == 0;
	if (locked && mprotect(page, page_size, protection | PROT_WRITE) < 0)
		return -errno;
	__atomic_store_n(slot, value, __ATOMIC_RELEASE);
	if (locked && mprotect(page, page_size, protection) < 0)
		return -errno;
	return 0;
}

// glibc adds the load base to most of the dynamic section's addresses, other loaders don't.
static const void *located(const struct dl_phdr_info *object, ElfW(Addr) address) {
	const char *base = (const char *)object->dlpi_addr;

	return address < object->dlpi_addr ? base + address : (const char *)address;
}

static int read_imports(const struct dl_phdr_info *object, struct imports *ret) {
	const ElfW(Dyn) *dynamic = NULL;
	bool rela = true;

	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		if (object->dlpi_phdr[i].p_type == PT_DYNAMIC)
			dynamic = (const void *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
	}
	if (dynamic == NULL)
		return -ENOENT;
	memset(ret, 0, sizeof(*ret));
	for (; dynamic->d_tag != DT_NULL; dynamic++) {
		switch (dynamic->d_tag) {
		case DT_SYMTAB:
			ret->symbols = located(object, dynamic->d_un.d_ptr);
			break;
		case DT_STRTAB:
			ret->strings = located(object, dynamic->d_un.d_ptr);
			break;
		case DT_JMPREL:
			ret->tables[0].at = located(object, dynamic->d_un.d_ptr);
			break;
		case DT_PLTRELSZ:
			ret->tables[0].n = dynamic->d_un.d_val / sizeof(ElfW(Rela));
			break;
		case DT_RELA:
			ret->tables[1].at = located(object, dynamic->d_un.d_ptr);
			break;
		case DT_RELASZ:
			ret->tables[1].n = dynamic->d_un.d_val / sizeof(ElfW(Rela));
			break;
		case DT_PLTREL:
			rela = dynamic->d_un.d_val == DT_RELA;
			break;
		default:
			break;
		}
	}
	return ret->symbols != NULL && ret->strings != NULL && rela ? 0 : -ENOENT;
}

static struct redirection *find(struct redirection *redirections, size_t n, const char *symbol) {
	for (size_t i = 0; i < n; i++) {
		if (strcmp(redirections[i].symbol, symbol) == 0)
			return &redirections[i];
	}
	return NULL;
}

// Returns 1 when the relocation's slot was redirected, 0 when it is none of ours.
static int redirect_slot(const struct dl_phdr_info *object, const struct imports *imports,
                         const ElfW(Rela) * relocation, struct redirection *redirections, size_t n) {
	uint32_t type = (uint32_t)ELF64_R_TYPE(relocation->r_info);
	const ElfW(Sym) *symbol = &imports->symbols[ELF64_R_SYM(relocation->r_info)];
	struct redirection *redirection;
	int rc;

	if ((type != SLOT_JUMP && type != SLOT_DATA) || symbol->st_shndx != SHN_UNDEF)
		return 0;
	redirection = find(redirections, n, imports->strings + symbol->st_name);
	if (redirection == NULL)
		return 0;
	rc = write_slot((void **)(object->dlpi_addr + relocation->r_offset), redirection->replacement);
	if (rc < 0)
		return rc;
	redirection->n_slots++;
	return 1;
}

int got_redirect(const struct dl_phdr_info *object, struct redirection *redirections, size_t n) {
	struct imports imports;
	int written = 0, rc;

	if (read_imports(object, &imports) < 0)
		return 0; // nothing is imported
	for (size_t table = 0; table < 2; table++) {
		for (size_t i = 0; imports.tables[table].at != NULL && i < imports.tables[table].n; i++) {
			rc = redirect_slot(object, &imports, &imports.tables[table].at[i], redirections, n);
			if (rc < 0)
				return rc;
			written += rc;
		}
	}
	return written;
}
