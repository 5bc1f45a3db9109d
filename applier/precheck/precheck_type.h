/* Whether the values of a source column fit into a target column, judged by the types alone. */
#ifndef SLUICE_PRECHECK_TYPE_H
#define SLUICE_PRECHECK_TYPE_H

#include "tables/catalog.h"

enum type_fit {
	TYPE_FITS,	  /* every value fits */
	TYPE_NARROWS, /* some values may not fit, or only rounded */
	TYPE_REZONED, /* every value fits, but is interpreted as UTC */
	TYPE_CLASHES, /* hardly any value can be converted */
};

enum type_fit precheck_type_fit(const struct source_column *source, const struct target_column *target);

#endif
