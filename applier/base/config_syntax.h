/*
 * Explains why the YAML library rejected a document, in words for the author of a configuration: a tab, a
 * * without quotes, a missing quote.
 */
#ifndef SLUICE_CONFIG_SYNTAX_H
#define SLUICE_CONFIG_SYNTAX_H

#include <stddef.h>
#include <yaml.h>

#include "error.h"

/*
 * For a parser that has failed on the text: sets an ERROR_CONFIG with name, line and column. Returns
 * false.
 */
bool config_syntax_explain(const yaml_parser_t *parser, const char *name, const char *text, size_t len,
						   struct error *err);

#endif
