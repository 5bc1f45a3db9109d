#include "nearest.h"

#include <limits.h>
#include <string.h>

/* Keeps only one row of the distance matrix. */
unsigned
nearest_distance(const char *a, const char *b)
{
	enum { LONGEST = 40 };
	unsigned row[LONGEST + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > LONGEST || b_len > LONGEST)
		return UINT_MAX;
	for (unsigned j = 0; j <= b_len; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a_len; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= b_len; j++) {
			unsigned replaced = diagonal + (a[i - 1] != b[j - 1]);
			unsigned inserted = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = replaced < inserted ? replaced : inserted;
		}
	}
	return row[b_len];
}

void
nearest_offer(struct nearest *nearest, const char *name)
{
	unsigned distance = nearest_distance(nearest->typed, name);
	unsigned least = nearest->name ? nearest->distance : (unsigned) strlen(nearest->typed) / 3 + 2;

	if (distance >= least)
		return;
	nearest->name = name;
	nearest->distance = distance;
}
