#include "apply_phase.h"

#define FROM(phase) (1u << APPLY_##phase)

/* Any phase but IDLE may fail. */
static const struct {
	const char *name;
	unsigned from; /* bits: the phases that it may follow */
} phases[APPLY_PHASES] = {
	[APPLY_IDLE] = {"idle", FROM(WRITTEN) | FROM(TIDYING)},
	[APPLY_BEGINNING] = {"beginning", FROM(IDLE) | FROM(DISCARDING)},
	[APPLY_MERGING] = {"merging", FROM(BEGINNING)},
	[APPLY_HOLDING] = {"holding", FROM(MERGING)},
	[APPLY_DROPPING] = {"dropping", FROM(HOLDING)},
	[APPLY_ADVANCING] = {"advancing", FROM(DROPPING)},
	[APPLY_WRITTEN] = {"written", FROM(HOLDING) | FROM(ADVANCING)},
	[APPLY_COMMITTING] = {"committing", FROM(WRITTEN)},
	[APPLY_TIDYING] = {"tidying", FROM(COMMITTING)},
	[APPLY_ROLLING_BACK] = {"rolling back", FROM(MERGING) | FROM(HOLDING) | FROM(DROPPING) | FROM(ADVANCING) |
												FROM(WRITTEN) | FROM(COMMITTING)},
	[APPLY_DISCARDING] = {"discarding", FROM(ROLLING_BACK)},
	[APPLY_FAILED] = {"failed", ~FROM(IDLE)},
};

const char *
apply_phase_name(enum apply_phase phase)
{
	return phases[phase].name;
}

bool
apply_phase_may_follow(enum apply_phase from, enum apply_phase to)
{
	return (phases[to].from & (1u << from)) != 0;
}
