/*
 * The net change between the two positions as images: rows of text, one value
 * for each carried column of a compare plan.  From them come the rows to apply
 * to the source's.
 */
#ifndef SLUICE_COMPARE_IMAGES_H
#define SLUICE_COMPARE_IMAGES_H

#include "compare_rows.h"
#include "compare_sql.h"
#include "io/connection.h"
#include "merge/net_change.h"

struct compare_image {
	const char **values; /* NULL: NULL */
	bool *missing;		 /* by column: the log has no value, the source's row has it; NULL: none */
	uint32_t origin;	 /* the entry of the net change that has the row's key in the source's snapshot */
	int weight;
};

struct compare_images {
	const struct compare_plan *plan;
	struct compare_image *images;
	uint32_t count;
	struct arena *memory;
};

/*
 * Makes the images and completes them from the source's snapshot.  Appends to `rows` the source's rows that were
 * changed, as the snapshot has them, with weight -1, and the images.
 */
MUST_CHECK bool compare_images_make(struct compare_images *images, const struct compare_plan *plan,
									const struct net_change *net, struct connection *source,
									struct compare_rows *rows, struct arena *memory, struct error *err);

/* Executes a statement with the images which[0 … count - 1] as its parameters. */
MUST_CHECK bool compare_images_query(const struct compare_images *images, const uint32_t *which,
									 uint32_t count, struct connection *source, const char *sql,
									 struct result **res, struct error *err);

#endif
