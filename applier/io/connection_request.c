#include "base/memory.h"
#include "connection_parts.h"

#include <stdlib.h>
#include <string.h>

struct request *
request_create(enum request_kind kind, const char *sql, connection_done done, void *arg)
{
	struct request *req = memory_alloc_zero(1, sizeof *req);

	req->kind = kind;
	req->sql = memory_strdup(sql);
	req->done = done;
	req->arg = arg;
	return req;
}

void
request_set_params(struct request *req, const struct param *params, unsigned count)
{
	req->param_count = count;
	if (count == 0)
		return;
	req->values = memory_alloc_zero(count, sizeof *req->values);
	req->lengths = memory_alloc_zero(count, sizeof *req->lengths);
	req->formats = memory_alloc_zero(count, sizeof *req->formats);
	for (unsigned i = 0; i < count; i++) {
		size_t len = params[i].binary ? params[i].len : params[i].data ? strlen(params[i].data) + 1 : 0;

		req->formats[i] = params[i].binary;
		req->lengths[i] = (int) len;
		if (!params[i].data)
			continue;
		req->values[i] = memory_alloc(len + 1);
		memcpy(req->values[i], params[i].data, len);
	}
}

void
request_free(struct request *req)
{
	for (unsigned i = 0; i < req->param_count; i++)
		free(req->values[i]);
	free(req->values);
	free(req->lengths);
	free(req->formats);
	free(req->sql);
	free(req->statement);
	PQclear(req->result);
	free(req);
}

/* ---- the session's prepared statements */

#define NAMES_CHUNK_BYTES 4096

void
prepared_init(struct prepared *prepared)
{
	*prepared = (struct prepared){0};
	arena_init(&prepared->memory, NAMES_CHUNK_BYTES);
	keymap_init(&prepared->names);
}

void
prepared_fini(struct prepared *prepared)
{
	keymap_fini(&prepared->names);
	arena_fini(&prepared->memory);
	free(prepared->used);
}

static uint32_t
find(const struct prepared *prepared, const char *name)
{
	return keymap_find(&prepared->names, name, (uint32_t) strlen(name) + 1);
}

bool
prepared_has(const struct prepared *prepared, const char *name)
{
	uint32_t number = find(prepared, name);

	return number != KEYMAP_NONE && prepared->used[number];
}

void
prepared_add(struct prepared *prepared, const char *name)
{
	bool found;
	uint32_t number =
		keymap_insert(&prepared->names, &prepared->memory, name, (uint32_t) strlen(name) + 1, &found);

	if (number >= prepared->capacity) {
		prepared->capacity = 2 * number + 16;
		prepared->used = memory_resize(prepared->used, prepared->capacity, sizeof *prepared->used);
	}
	prepared->count += !found || !prepared->used[number];
	prepared->used[number] = ++prepared->uses;
}

void
prepared_note_use(struct prepared *prepared, const char *name)
{
	prepared->used[find(prepared, name)] = ++prepared->uses;
}

static void
forget(struct prepared *prepared, uint32_t number)
{
	prepared->count -= prepared->used[number] != 0;
	prepared->used[number] = 0;
}

void
prepared_forget(struct prepared *prepared, const char *name)
{
	uint32_t number = find(prepared, name);

	if (number != KEYMAP_NONE)
		forget(prepared, number);
}

/* ---- those that are not used any more */

/* Begins a search among the statements that there are; names of others are freed. */
static void
begin_search(struct prepared *prepared)
{
	struct prepared all = *prepared;

	prepared_init(prepared);
	for (uint32_t number = 0; number < keymap_count(&all.names); number++) {
		if (!all.used[number])
			continue;
		prepared_add(prepared, keymap_key(&all.names, number)->ptr);
		prepared->used[prepared->count - 1] = all.used[number];
	}
	prepared->uses = prepared->swept = all.uses;
	prepared->searching = true;
	prepared_fini(&all);
}

const char *
prepared_take_unused(struct prepared *prepared, uint64_t uses)
{
	if (!prepared->searching && prepared->uses - prepared->swept < uses)
		return NULL;
	if (!prepared->searching)
		begin_search(prepared);
	while (prepared->next < keymap_count(&prepared->names)) {
		uint32_t number = prepared->next++;

		if (!prepared->used[number] || prepared->uses - prepared->used[number] < uses)
			continue;
		forget(prepared, number);
		return keymap_key(&prepared->names, number)->ptr;
	}
	prepared->searching = false;
	return NULL;
}
