/*
 * The net change of the time between the two positions as rows of text, one
 * value for each carried column of a compare plan, and as the rows to lay over the source's.
 */
#ifndef SLUICE_COMPARE_IMAGES_H
#define SLUICE_COMPARE_IMAGES_H

#include "compare_rows.h"
#include "compare_sql.h"
#include "io/connection.h"
#include "merge/net_change.h"

struct compare_image {
	const char **values; /* NULL: NULL */
	bool *missing;		 /* not in the log: as in the source's row; NULL: none */
	uint32_t origin;	 /* entry of the net change under whose key the source had the row */
	int weight;
};

struct compare_images {
	const struct compare_plan *plan;
	struct compare_image *images;
	uint32_t count;
	struct arena *memory;
};

/*
 * Makes the images, completing them from the source's snapshot, and appends to `rows`: those
 * of the source's rows that were touched, with weight -1, and the images.
 */
MUST_CHECK bool compare_images_make(struct compare_images *images, const struct compare_plan *plan,
									const struct net_change *net, struct connection *source,
									struct compare_rows *rows, struct arena *memory, struct error *err);

/* Runs a statement over some images, which are its parameters. */
MUST_CHECK bool compare_images_query(const struct compare_images *images, const uint32_t *which,
									 uint32_t count, struct connection *source, const char *sql,
									 struct result **res, struct error *err);

#endif
