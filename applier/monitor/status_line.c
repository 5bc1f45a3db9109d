#include "status_line.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, COUNT, REAL, LSN };

struct field {
	const char *name;
	enum kind kind;
	size_t offset;
};

#define VIEW(field) offsetof(struct status_view, field)
#define TABLE(field) offsetof(struct status_table, field)

static const struct field view_fields[] = {
	{"pid", COUNT, VIEW(daemon_pid)},
	{"phase", TEXT, VIEW(phase)},
	{"phase_since", COUNT, VIEW(phase_since)},
	{"waiting_for", TEXT, VIEW(waiting_for)},
	{"waiting_since", COUNT, VIEW(waiting_since)},
	{"applied_lsn", LSN, VIEW(applied_lsn)},
	{"received_lsn", LSN, VIEW(received_lsn)},
	{"confirmed_lsn", LSN, VIEW(confirmed_lsn)},
	{"source_lsn", LSN, VIEW(source_lsn)},
	{"sampled_at", COUNT, VIEW(sampled_at)},
	{"lag_bytes", COUNT, VIEW(lag_bytes)},
	{"lag_seconds", REAL, VIEW(lag_s)},
	{"retained_bytes", COUNT, VIEW(retained_bytes)},
	{"safe_bytes", COUNT, VIEW(safe_bytes)},
	{"wal_status", TEXT, VIEW(wal_status)},
	{"transactions_total", REAL, VIEW(transactions_total)},
	{"changes_total", REAL, VIEW(changes_total)},
	{"transactions_per_second", REAL, VIEW(transactions_per_s)},
	{"changes_per_second", REAL, VIEW(changes_per_s)},
	{"received_bytes_per_second", REAL, VIEW(received_bytes_per_s)},
	{"source_version", TEXT, VIEW(source_version)},
	{"destination_version", TEXT, VIEW(destination_version)},
	{"last_error", TEXT, VIEW(last_error)},
};

/* The key "table" begins the next table. */
static const struct field table_fields[] = {
	{"table", TEXT, TABLE(source)},
	{"rows_copied", COUNT, TABLE(rows_copied)},
	{"rows_expected", COUNT, TABLE(rows_expected)},
	{"rows_per_second", REAL, TABLE(rows_per_s)},
	{"seconds_left", REAL, TABLE(left_s)},
	{"step", TEXT, TABLE(step)},
	{"indexing", TEXT, TABLE(indexing)},
};

#define FIELDS(array) (array), sizeof(array) / sizeof *(array)

/* ---- writing */

/* A tab separates fields, a newline ends the line. */
static void
put_text(struct buffer *out, const char *name, const char *text)
{
	buffer_printf(out, "\t%s=", name);
	for (; *text; text++)
		buffer_put_u8(out, (uint8_t) ((unsigned char) *text < ' ' ? ' ' : *text));
}

static void
put_field(struct buffer *out, const struct field *field, const char *from)
{
	const void *place = from + field->offset;

	switch (field->kind) {
	case TEXT:
		if (*(const char *const *) place)
			put_text(out, field->name, *(const char *const *) place);
		break;
	case COUNT:
		if (*(const int64_t *) place >= 0)
			buffer_printf(out, "\t%s=%" PRId64, field->name, *(const int64_t *) place);
		break;
	case REAL:
		if (*(const double *) place >= 0)
			buffer_printf(out, "\t%s=%.3f", field->name, *(const double *) place);
		break;
	case LSN:
		buffer_printf(out, "\t%s=%" PRIu64, field->name, *(const uint64_t *) place);
		break;
	}
}

static void
put_fields(struct buffer *out, const struct field *fields, size_t count, const void *from)
{
	for (size_t i = 0; i < count; i++)
		put_field(out, &fields[i], from);
}

void
status_line_put(const struct status_view *view, size_t most, struct buffer *out)
{
	put_fields(out, FIELDS(view_fields), view);
	for (unsigned i = 0; i < view->table_count; i++) {
		size_t before = out->len;

		if (view->tables[i].rows_expected < 0 && !view->tables[i].indexing)
			continue;
		put_fields(out, FIELDS(table_fields), &view->tables[i]);
		if (out->len <= most)
			continue;
		out->len = before;
		return;
	}
}

/* ---- reading */

static const struct field *
find_field(const struct field *fields, size_t count, const char *name, size_t len)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(fields[i].name) == len && memcmp(fields[i].name, name, len) == 0)
			return &fields[i];
	return NULL;
}

static void
take_field(const struct field *field, const char *value, void *to)
{
	void *place = (char *) to + field->offset;

	switch (field->kind) {
	case TEXT:
		*(const char **) place = value;
		break;
	case COUNT:
		*(int64_t *) place = strtoll(value, NULL, 10);
		break;
	case REAL:
		*(double *) place = strtod(value, NULL);
		break;
	case LSN:
		*(uint64_t *) place = strtoull(value, NULL, 10);
		break;
	}
}

static unsigned
count_tables(const char *line)
{
	unsigned count = 0;

	while ((line = strstr(line, "\ttable=")) != NULL) {
		count++;
		line++;
	}
	return count;
}

void
status_line_take(const char *line, const char *task, struct arena *memory, struct status_view *view)
{
	struct status_table *tables = arena_alloc_zero(memory, count_tables(line) * sizeof *tables);
	char *rest = arena_strdup(memory, line);

	status_view_init(view, task);
	view->tables = tables;
	while (rest) {
		char *item = strsep(&rest, "\t"), *value = strchr(item, '=');
		size_t len = value ? (size_t) (value - item) : 0;
		const struct field *field;

		if (!value)
			continue;
		field = find_field(FIELDS(view_fields), item, len);
		if (field)
			take_field(field, value + 1, view);
		field = find_field(FIELDS(table_fields), item, len);
		if (field && field->offset == TABLE(source))
			status_table_init(&tables[view->table_count++]);
		if (field && view->table_count > 0)
			take_field(field, value + 1, &tables[view->table_count - 1]);
	}
}
