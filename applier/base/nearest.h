/*
 * Finds the name that a mistyped word probably means, among keys of the configuration, verbs or options.
 */
#ifndef SLUICE_NEAREST_H
#define SLUICE_NEAREST_H

struct nearest {
	const char *typed;
	const char *name; /* the nearest name so far; NULL: no name is near enough */
	unsigned distance;
};

/*
 * The number of letters that must be replaced, inserted or removed to turn one word into the other
 * (Levenshtein); UINT_MAX for words of more than 40 bytes.
 */
unsigned nearest_distance(const char *a, const char *b);
/* Considers a name. A third of the typed letters, plus one, may be wrong. */
void nearest_offer(struct nearest *nearest, const char *name);

#endif
