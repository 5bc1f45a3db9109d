/*
 * The plugin options of a stream: what is sent, and in which form.  docs/plugin.md describes them.
 */
#ifndef SLUICE_STREAM_OPTIONS_H
#define SLUICE_STREAM_OPTIONS_H

#include "base/config.h"
#include "buffer.h"
#include "tables/catalog.h"

#define STREAM_OPTIONS_MAX 9

struct stream_options {
	const char *pairs[2 * STREAM_OPTIONS_MAX]; /* name, value, name, value … */
	unsigned count;							   /* of pairs */
	struct buffer tables;
	struct buffer exclude_tables;
	struct buffer operations;
	struct buffer text_tables;
	struct buffer filters;
};

/* `text_names`: further tables whose values are needed as text; `streaming`: transactions are sent while they are open, too. */
void stream_options_init(struct stream_options *options, const struct config *config,
						 const struct catalog *catalog, const struct buffer *text_names, bool streaming);
void stream_options_fini(struct stream_options *options);

#endif
