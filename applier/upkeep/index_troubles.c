#include "index_troubles.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define DOUBLINGS_MAX 6

static void
discard(struct index_troubles *troubles, unsigned number)
{
	free(troubles->list[number].signature);
	free(troubles->list[number].reason);
	troubles->count--;
	memmove(&troubles->list[number], &troubles->list[number + 1],
			(troubles->count - number) * sizeof *troubles->list);
}

void
index_troubles_fini(struct index_troubles *troubles)
{
	for (unsigned i = troubles->count; i-- > 0;)
		discard(troubles, i);
	free(troubles->list);
}

struct index_trouble *
index_troubles_find(const struct index_troubles *troubles, uint32_t source_oid, const char *signature)
{
	for (unsigned i = 0; i < troubles->count; i++)
		if (troubles->list[i].source_oid == source_oid && strcmp(troubles->list[i].signature, signature) == 0)
			return &troubles->list[i];
	return NULL;
}

struct index_trouble *
index_troubles_note(struct index_troubles *troubles, uint32_t source_oid, const char *signature,
					const char *reason)
{
	struct index_trouble *trouble = index_troubles_find(troubles, source_oid, signature);

	if (!trouble) {
		troubles->list = memory_resize(troubles->list, troubles->count + 1, sizeof *troubles->list);
		trouble = &troubles->list[troubles->count++];
		*trouble = (struct index_trouble){.source_oid = source_oid, .signature = memory_strdup(signature)};
	}
	free(trouble->reason);
	trouble->reason = memory_strdup(reason);
	trouble->failures++;
	return trouble;
}

void
index_trouble_rest(struct index_trouble *trouble, int64_t pause_ms, int64_t now_ms)
{
	unsigned doublings = trouble->failures - 1 < DOUBLINGS_MAX ? trouble->failures - 1 : DOUBLINGS_MAX;

	trouble->not_before_ms = now_ms + (pause_ms << doublings);
}

void
index_troubles_end(struct index_troubles *troubles, uint32_t source_oid, const char *signature)
{
	const struct index_trouble *trouble = index_troubles_find(troubles, source_oid, signature);

	if (trouble)
		discard(troubles, (unsigned) (trouble - troubles->list));
}

void
index_troubles_end_stale(struct index_troubles *troubles, uint32_t source_oid, const struct index_plan *plan)
{
	for (unsigned i = troubles->count; i-- > 0;)
		if (troubles->list[i].source_oid == source_oid && troubles->list[i].signature[0] != '\0' &&
			!index_plan_knows(plan, troubles->list[i].signature))
			discard(troubles, i);
}

void
index_troubles_reconsider(struct index_troubles *troubles, uint32_t source_oid)
{
	for (unsigned i = 0; i < troubles->count; i++)
		if (troubles->list[i].source_oid == source_oid &&
			troubles->list[i].not_before_ms == INDEX_TROUBLE_LASTS)
			troubles->list[i].not_before_ms = 0;
}

void
index_troubles_resume(struct index_troubles *troubles)
{
	for (unsigned i = 0; i < troubles->count; i++)
		troubles->list[i].not_before_ms = 0;
}

bool
index_troubles_rests(const struct index_troubles *troubles, uint32_t source_oid, const char *signature,
					 bool drop, int64_t now_ms)
{
	const struct index_trouble *trouble = index_troubles_find(troubles, source_oid, signature);

	return trouble && now_ms < trouble->not_before_ms && (trouble->drop || !drop);
}

const char *
index_troubles_reason(const struct index_troubles *troubles, uint32_t source_oid)
{
	for (unsigned i = troubles->count; i-- > 0;)
		if (troubles->list[i].source_oid == source_oid && !troubles->list[i].quiet)
			return troubles->list[i].reason;
	return NULL;
}
