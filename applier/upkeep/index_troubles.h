/* What could not be done about indexes of the source, why, and until when it rests.  Has no session. */
#ifndef SLUICE_INDEX_TROUBLES_H
#define SLUICE_INDEX_TROUBLES_H

#include <stdbool.h>
#include <stdint.h>

#include "tables/index_plan.h"

/* The signature of what concerns all indexes of a table. */
#define INDEX_TROUBLE_TABLE ""
/* not_before_ms of an index that the table's definition, or the target, forbids. */
#define INDEX_TROUBLE_LASTS INT64_MAX

/* What an index does without, since the destination has refused it: first one of the two, then the other, then both. */
enum index_lacking { INDEX_LACKS_NAME = 1, INDEX_LACKS_COMMENT = 2, INDEX_LACKS_BOTH = 3 };

struct index_trouble {
	uint32_t source_oid; /* of the table */
	char *signature;
	char *reason;
	unsigned failures;		/* in a row, … */
	unsigned cancellations; /* … and of these, how often it gave way to batches, or got no lock */
	int64_t not_before_ms;
	bool quiet;		  /* nobody has to know */
	unsigned lacking; /* bits of enum index_lacking */
	bool drop;		  /* a DROP INDEX failed, otherwise something about making it */
};

struct index_troubles {
	struct index_trouble *list; /* the newest comes last; moves when one is noted */
	unsigned count;
};

void index_troubles_fini(struct index_troubles *troubles);
/* NULL: nothing has failed. */
struct index_trouble *index_troubles_find(const struct index_troubles *troubles, uint32_t source_oid,
										  const char *signature);
/* Counts one more failure. */
struct index_trouble *index_troubles_note(struct index_troubles *troubles, uint32_t source_oid,
										  const char *signature, const char *reason);
/* It rests for `pause_ms`, which doubles with each failure. */
void index_trouble_rest(struct index_trouble *trouble, int64_t pause_ms, int64_t now_ms);
void index_troubles_end(struct index_troubles *troubles, uint32_t source_oid, const char *signature);
/* Ends those about indexes of the table that the source has no more and that have no row. */
void index_troubles_end_stale(struct index_troubles *troubles, uint32_t source_oid,
							  const struct index_plan *plan);
/* The table has another definition: what the former one forbade is decided again, while other pauses go on. */
void index_troubles_reconsider(struct index_troubles *troubles, uint32_t source_oid);
/* Ends all pauses. */
void index_troubles_resume(struct index_troubles *troubles);
/* The reason of the newest trouble of a table; NULL: there is none. */
/* Whether the table, or that index of it, rests. */
bool index_troubles_rests(const struct index_troubles *troubles, uint32_t source_oid, const char *signature,
						  bool drop, int64_t now_ms);
const char *index_troubles_reason(const struct index_troubles *troubles, uint32_t source_oid);

#endif
