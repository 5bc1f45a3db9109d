/*
 * The text of a value that travels in binary form (typsend): what the type's
 * output function gives with DateStyle ISO, IntervalStyle postgres, TimeZone
 * UTC, extra_float_digits 1, bytea_output hex and lc_monetary C.
 *
 * Knows the built-in types, arrays and ranges of these, and enums; any other
 * type's bytes, and bytes that no value of the type has, become \x and
 * hexadecimal digits.
 */
#ifndef SLUICE_VALUE_TEXT_H
#define SLUICE_VALUE_TEXT_H

#include "buffer.h"

/* Appends the text; `type` is the OID of the type or of the domain's base
 * type, `typtype` the kind of it (struct change_column). */
void value_text_put(struct buffer *out, uint32_t type, char typtype, const uint8_t *data, size_t len);

#endif
