/*
 * Whether the values of a source's column fit into a target's, as far as their
 * types tell.
 */
#ifndef SLUICE_PRECHECK_TYPE_H
#define SLUICE_PRECHECK_TYPE_H

#include "tables/catalog.h"

enum type_fit {
	TYPE_FITS,	  /* every value does */
	TYPE_NARROWS, /* some values may not, or not exactly */
	TYPE_REZONED, /* every value does, as one of UTC */
	TYPE_CLASHES, /* hardly any does */
};

enum type_fit precheck_type_fit(const struct source_column *source, const struct target_column *target);

#endif
