/* A day of a task, in memory: one point a minute, and the last errors and followed definitions. Its size is fixed. */
#ifndef SLUICE_HISTORY_H
#define SLUICE_HISTORY_H

#include <stdint.h>

#include "buffer.h"

#define HISTORY_INTERVAL_S 60
#define HISTORY_POINTS 1440
#define HISTORY_EVENTS 20
#define HISTORY_TEXT_MAX 512

struct history_point {
	int64_t at_s; /* since 1970 */
	double lag_s; /* the largest in the interval; negative: not known, likewise below */
	double lag_bytes;
	double changes_per_s;
};

struct history_event {
	int64_t at_us;
	char table[HISTORY_TEXT_MAX / 2]; /* "" for errors */
	char text[HISTORY_TEXT_MAX];
};

struct history_events {
	struct history_event items[HISTORY_EVENTS];
	unsigned first;
	unsigned count;
};

struct history {
	struct history_point points[HISTORY_POINTS];
	unsigned first;
	unsigned count;
	struct history_events errors;
	struct history_events definitions;
};

/* Adds to the interval's point, or begins the next one. */
void history_add(struct history *history, const struct history_point *point);
/* An event that repeats the previous one only updates its time. Texts that are too long are cut. */
void history_note(struct history_events *events, int64_t at_us, const char *table, const char *text);
/* {"interval_seconds":60,"points":[[time, lag in s, in bytes, changes/s], …],"definitions":[…],"errors":[…]} */
void history_put_json(const struct history *history, struct buffer *out);

#endif
