/*
 * The latest relation description of each table in the stream, and the numbers of replaced ones.
 *
 * When a table changes, the plugin sends its relation description under a new number and never uses the
 * old number again. The exception are partitioned tables, whose leaves may have different descriptions:
 * none of these counts as replaced, and all are kept as long as the session with the source lasts.
 */
#ifndef SLUICE_DESCRIPTIONS_H
#define SLUICE_DESCRIPTIONS_H

#include "base/error.h"
#include "base/keymap.h"
#include "change.h"

struct descriptions {
	struct arena memory;
	struct keymap oids;
	uint32_t *latest; /* number of the latest description, indexed by the OID's index in `oids` */
	uint32_t latest_capacity;
	uint32_t *replaced; /* numbers */
	unsigned replaced_count;
	unsigned replaced_capacity;
	size_t kept_bytes; /* about what the later descriptions of partitioned tables take, with their shapes */
};

void descriptions_init(struct descriptions *descriptions);
void descriptions_fini(struct descriptions *descriptions);

/* Registers a description that was received. */
void descriptions_add(struct descriptions *descriptions, const struct change_relation *relation);

/* Whether no later description of the same table was received. */
MUST_CHECK bool descriptions_is_latest(const struct descriptions *descriptions,
									   const struct change_relation *relation);

#endif
