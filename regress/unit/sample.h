/*
 * One stream with every message of the change format: how each is encoded, its
 * golden bytes, and its text form.
 */
#ifndef SLUICE_TEST_SAMPLE_H
#define SLUICE_TEST_SAMPLE_H

#include "common/change.h"

struct sample {
	const char *name;
	void (*put)(struct buffer *b, struct change_base *base);
	const char *hex; /* blanks are ignored */
	const char *line;
};

/* In the order of the stream; ends with a NULL name. */
extern const struct sample samples[];

/* Appends the bytes that hexadecimal digits stand for. */
void sample_put_hex(struct buffer *b, const char *hex);

/* Appends all messages, from their fixed bytes. */
void sample_put_all(struct buffer *b);

#endif
