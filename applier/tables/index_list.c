#include "index_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "lsn.h"

/* ---- the texts */

static struct index_entry *
add(struct index_list *list)
{
	list->entries = memory_resize(list->entries, list->count + 1, sizeof *list->entries);
	list->entries[list->count] = (struct index_entry){.state = INDEX_LEFT};
	return &list->entries[list->count++];
}

/* The beginning of the next line, or the end of the text. */
static const char *
next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : line + strlen(line);
}

/* A name may contain anything: line breaks and backslashes are escaped. */
static char *
read_name(const char *from)
{
	char *name = memory_strdup(from), *to = name;

	for (; *from && *from != '\n'; from++) {
		if (*from == '\\' && from[1])
			*to++ = *++from == 'n' ? '\n' : *from;
		else
			*to++ = *from;
	}
	*to = '\0';
	return name;
}

static void
put_name(struct buffer *out, const char *name)
{
	for (; *name; name++) {
		if (*name == '\n' || *name == '\\')
			buffer_put_u8(out, '\\');
		buffer_put_u8(out, *name == '\n' ? 'n' : (uint8_t) *name);
	}
}

void
index_list_read(struct index_list *list, const char *indexes)
{
	*list = (struct index_list){0};
	for (const char *line = indexes; line && *line; line = next_line(line)) {
		struct index_entry read = {0};
		char state, lsn[LSN_TEXT_BYTES];
		int name = 0;

		if (sscanf(line, "%" SCNu32 " %c %11s %17s%n", &read.oid, &state, read.signature, lsn, &name) != 4 ||
			line[name] != ' ' || !strchr("lwbo", state) || !lsn_parse(lsn, &read.lsn))
			continue;
		read.state = (enum index_state) state;
		read.name = read_name(line + name + 1);
		*add(list) = read;
	}
}

void
index_list_read_source(struct index_list *list, const char *source_indexes)
{
	*list = (struct index_list){0};
	for (const char *line = source_indexes; line && *line; line = next_line(line)) {
		struct index_entry read = {.state = INDEX_LEFT};
		char unique;

		if (sscanf(line, "%" SCNu32 " %c %11s", &read.oid, &unique, read.signature) != 3)
			continue;
		read.unique = unique == 'u';
		*add(list) = read;
	}
}

void
index_list_fini(struct index_list *list)
{
	for (unsigned i = 0; i < list->count; i++)
		free(list->entries[i].name);
	free(list->entries);
	*list = (struct index_list){0};
}

void
index_entry_put(struct buffer *out, const struct index_entry *entry)
{
	char lsn[LSN_TEXT_BYTES];

	buffer_printf(out, "%" PRIu32 " %c %s %s ", entry->oid, (char) entry->state, entry->signature,
				  lsn_format(entry->lsn, lsn));
	put_name(out, entry->name);
	buffer_put_u8(out, '\n');
}

char *
index_list_text(const struct index_list *list)
{
	struct buffer out;
	char *text;

	sql_init(&out);
	for (unsigned i = 0; i < list->count; i++)
		index_entry_put(&out, &list->entries[i]);
	text = memory_strdup(sql_text(&out));
	buffer_fini(&out);
	return text;
}

/* ---- lines */

struct index_entry *
index_list_find(const struct index_list *list, uint32_t oid)
{
	for (unsigned i = 0; i < list->count; i++)
		if (list->entries[i].oid == oid)
			return &list->entries[i];
	return NULL;
}

struct index_entry *
index_list_place(struct index_list *list, uint32_t oid)
{
	struct index_entry *entry = index_list_find(list, oid);

	if (entry)
		return entry;
	entry = add(list);
	entry->oid = oid;
	return entry;
}

void
index_entry_set(struct index_entry *entry, enum index_state state, const char *signature, uint64_t lsn,
				const char *name)
{
	char *copy = memory_strdup(name);

	free(entry->name);
	entry->name = copy;
	entry->state = state;
	entry->lsn = lsn;
	snprintf(entry->signature, sizeof entry->signature, "%s", signature);
}

void
index_list_remove(struct index_list *list, struct index_entry *entry)
{
	free(entry->name);
	*entry = list->entries[--list->count];
}

/* ---- what they mean */

bool
index_list_selects(enum schema_indexes wanted, bool unique)
{
	return wanted == SCHEMA_INDEXES_ALL || (wanted == SCHEMA_INDEXES_UNIQUE && unique);
}

char *
index_list_baseline(const char *source_indexes, enum schema_indexes wanted)
{
	struct index_list source, list = {0};
	char *text;

	index_list_read_source(&source, source_indexes);
	for (unsigned i = 0; i < source.count; i++)
		if (index_list_selects(wanted, source.entries[i].unique))
			index_entry_set(index_list_place(&list, source.entries[i].oid), INDEX_LEFT,
							source.entries[i].signature, 0, "-");
	text = index_list_text(&list);
	index_list_fini(&source);
	index_list_fini(&list);
	return text;
}

bool
index_list_is_gone(const struct index_list *source, const struct index_entry *entry)
{
	return !index_list_find(source, entry->oid);
}

void
index_list_renew(struct index_list *list, const struct index_list *source)
{
	for (unsigned i = 0; i < list->count; i++) {
		struct index_entry *entry = &list->entries[i];

		if (!index_list_is_gone(source, entry))
			continue;
		for (unsigned j = 0; j < source->count; j++) {
			const struct index_entry *now = &source->entries[j];

			if (now->unique || strcmp(now->signature, entry->signature) != 0 ||
				index_list_find(list, now->oid))
				continue;
			entry->oid = now->oid;
			break;
		}
	}
}

bool
index_list_is_behind(const char *indexes, const char *source_indexes, enum schema_indexes wanted)
{
	struct index_list list, source;
	bool behind = false;

	index_list_read(&list, indexes);
	index_list_read_source(&source, source_indexes);
	for (unsigned i = 0; i < source.count && !behind; i++) {
		const struct index_entry *entry = index_list_find(&list, source.entries[i].oid);

		behind = index_list_selects(wanted, source.entries[i].unique) &&
				 (!entry || entry->state == INDEX_WANTED || entry->state == INDEX_BEGUN);
	}
	for (unsigned i = 0; i < list.count && !behind; i++)
		behind = index_list_is_gone(&source, &list.entries[i]);
	index_list_fini(&list);
	index_list_fini(&source);
	return behind && wanted != SCHEMA_INDEXES_NONE;
}
