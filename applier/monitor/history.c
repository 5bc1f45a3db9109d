#include "history.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "status_view.h"

static double
larger(double a, double b)
{
	return a > b ? a : b;
}

static struct history_point *
point_at(struct history *history, unsigned position)
{
	return &history->points[(history->first + position) % HISTORY_POINTS];
}

void
history_add(struct history *history, const struct history_point *point)
{
	struct history_point *last = history->count ? point_at(history, history->count - 1) : NULL;

	if (last && point->at_s / HISTORY_INTERVAL_S == last->at_s / HISTORY_INTERVAL_S) {
		last->lag_s = larger(last->lag_s, point->lag_s);
		last->lag_bytes = larger(last->lag_bytes, point->lag_bytes);
		last->changes_per_s = larger(last->changes_per_s, point->changes_per_s);
		return;
	}
	if (history->count == HISTORY_POINTS)
		history->first = (history->first + 1) % HISTORY_POINTS;
	else
		history->count++;
	*point_at(history, history->count - 1) = *point;
}

/* A character that is cut in two becomes U+FFFD in the output. */
static void
copy_text(char *to, size_t bytes, const char *from)
{
	snprintf(to, bytes, "%s", from);
}

void
history_note(struct history_events *events, int64_t at_us, const char *table, const char *text)
{
	struct history_event event = {.at_us = at_us};
	struct history_event *last =
		events->count ? &events->items[(events->first + events->count - 1) % HISTORY_EVENTS] : NULL;

	copy_text(event.table, sizeof event.table, table);
	copy_text(event.text, sizeof event.text, text);
	if (last && strcmp(last->table, event.table) == 0 && strcmp(last->text, event.text) == 0) {
		last->at_us = at_us;
		return;
	}
	if (events->count == HISTORY_EVENTS)
		events->first = (events->first + 1) % HISTORY_EVENTS;
	else
		events->count++;
	events->items[(events->first + events->count - 1) % HISTORY_EVENTS] = event;
}

static void
put_number(struct buffer *out, double number)
{
	buffer_printf(out, number < 0 ? ",null" : ",%.3f", number);
}

static void
put_events(struct buffer *out, const char *name, const struct history_events *events)
{
	buffer_printf(out, ",\"%s\":[", name);
	for (unsigned i = 0; i < events->count; i++) {
		const struct history_event *event = &events->items[(events->first + i) % HISTORY_EVENTS];

		buffer_printf(out, i ? ",{\"time\":" : "{\"time\":");
		status_put_time(out, event->at_us);
		if (event->table[0]) {
			buffer_printf(out, ",\"table\":");
			json_string(out, event->table);
		}
		buffer_printf(out, ",\"text\":");
		json_string(out, event->text);
		buffer_put_u8(out, '}');
	}
	buffer_put_u8(out, ']');
}

void
history_put_json(const struct history *history, struct buffer *out)
{
	buffer_printf(out, "{\"interval_seconds\":%d,\"points\":[", HISTORY_INTERVAL_S);
	for (unsigned i = 0; i < history->count; i++) {
		const struct history_point *point = &history->points[(history->first + i) % HISTORY_POINTS];

		buffer_printf(out, "%s[%" PRId64, i ? "," : "", point->at_s);
		put_number(out, point->lag_s);
		put_number(out, point->lag_bytes);
		put_number(out, point->changes_per_s);
		buffer_put_u8(out, ']');
	}
	buffer_put_u8(out, ']');
	put_events(out, "definitions", &history->definitions);
	put_events(out, "errors", &history->errors);
	buffer_printf(out, "}\n");
}
