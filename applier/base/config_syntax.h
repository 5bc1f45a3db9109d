/*
 * What is wrong with a document that the YAML library does not accept, in the
 * words of somebody who wrote a configuration: a tab, a * without quotes, a
 * quote that is missing.
 */
#ifndef SLUICE_CONFIG_SYNTAX_H
#define SLUICE_CONFIG_SYNTAX_H

#include <stddef.h>
#include <yaml.h>

#include "error.h"

/* The parser has failed on the text; sets an ERROR_CONFIG with name, line and column.  Returns false. */
bool config_syntax_explain(const yaml_parser_t *parser, const char *name, const char *text, size_t len,
						   struct error *err);

#endif
