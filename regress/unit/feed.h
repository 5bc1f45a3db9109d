/*
 * Feeds changes of one table, given as lists of texts, through the real encoder
 * and decoder into a net change.
 */
#ifndef SLUICE_FEED_H
#define SLUICE_FEED_H

#include "merge/net_change.h"
#include "sketch.h"

/* Stands for a TOASTed value that did not change and is not in the stream. */
extern const char feed_unchanged[];

struct feed {
	struct sketch sketch; /* may be changed before feed_open() */
	struct arena arena;
	struct change_decoder decoder;
	struct buffer frame;
	struct shape shape;
	struct net_change net;
	struct error err; /* of the call that returned false */
};

void feed_init(struct feed *f, char identity, bool text, const struct sketch_column *columns, unsigned count);
bool feed_open(struct feed *f, bool triggers_fire);
void feed_close(struct feed *f);

/* `row` has a text for each column of the source, or NULL.  In a binary table
 * the texts of columns of a fixed width become integers. */
bool feed_insert(struct feed *f, const char *const *row);
bool feed_update(struct feed *f, enum change_old kind, const char *const *old, const char *const *row);
bool feed_delete(struct feed *f, enum change_old kind, const char *const *old);

#define ROW(...) ((const char *const[]){__VA_ARGS__})

#endif
