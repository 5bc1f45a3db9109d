/* Reads whatever it is given as the stored tree of an expression. */
#include "tables/expression.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool
see(void *arg, enum expression_object object, uint32_t oid)
{
	unsigned *seen = arg;

	if (object != EXPRESSION_FUNCTION && object != EXPRESSION_OPERATOR)
		abort();
	*seen += 1;
	return oid != 2924;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char reason[EXPRESSION_REASON_MAX] = "", *tree = malloc(len + 1);
	unsigned seen = 0;

	if (!tree)
		abort();
	memcpy(tree, data, len);
	tree[len] = '\0';
	if (expression_read(tree, see, &seen, reason)) {
		if (*reason)
			abort();
	} else if (!*reason && seen == 0) {
		abort();
	}
	free(tree);
	return 0;
}
