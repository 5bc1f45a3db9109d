#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "precheck/precheck_type.h"

#define TEXT(string) ((char *) (uintptr_t) (string))

/* Types as format_type() and pg_type.typname have them. */
static enum type_fit
fit_in(const char *from, const char *from_formatted, const char *schema, const char *to,
	   const char *to_formatted)
{
	const struct source_column source = {
		.base_name = TEXT(from),
		.base_formatted = TEXT(from_formatted),
		.element = from[0] == '_' ? 1 : 0,
	};
	const struct target_column target = {
		.base_schema = TEXT(schema),
		.base_name = TEXT(to),
		.formatted = TEXT(to_formatted),
	};

	return precheck_type_fit(&source, &target);
}

static enum type_fit
fit(const char *from, const char *to)
{
	return fit_in(from, from, "pg_catalog", to, to);
}

static enum type_fit
fit_modified(const char *from, const char *from_formatted, const char *to, const char *to_formatted)
{
	return fit_in(from, from_formatted, "pg_catalog", to, to_formatted);
}

static void
test_equal_types_fit(void **state)
{
	(void) state;
	assert_int_equal(fit("int4", "int4"), TYPE_FITS);
	assert_int_equal(fit("point", "point"), TYPE_FITS);
	assert_int_equal(fit("_int4", "_int4"), TYPE_FITS);
	assert_int_equal(fit_in("mood", "public.mood", "dw", "mood", "dw.mood"), TYPE_FITS);
}

static void
test_wider_types_fit(void **state)
{
	(void) state;
	assert_int_equal(fit("int2", "int8"), TYPE_FITS);
	assert_int_equal(fit("int8", "numeric"), TYPE_FITS);
	assert_int_equal(fit("jsonb", "json"), TYPE_FITS);
	assert_int_equal(fit("cidr", "inet"), TYPE_FITS);
	assert_int_equal(fit("_int2", "_int8"), TYPE_FITS);
	assert_int_equal(fit("float4", "float8"), TYPE_FITS);
	assert_int_equal(fit("float8", "float4"), TYPE_NARROWS);
}

static void
test_narrower_types_narrow(void **state)
{
	(void) state;
	assert_int_equal(fit("int8", "int4"), TYPE_NARROWS);
	assert_int_equal(fit("numeric", "float8"), TYPE_NARROWS);
	assert_int_equal(fit("timestamptz", "date"), TYPE_NARROWS);
	assert_int_equal(fit("timestamp", "timestamptz"), TYPE_REZONED);
	assert_int_equal(fit("timestamptz", "timestamp"), TYPE_REZONED);
	assert_int_equal(fit("time", "timetz"), TYPE_REZONED);
	assert_int_equal(fit("timetz", "time"), TYPE_NARROWS);
	assert_int_equal(fit("text", "int4"), TYPE_NARROWS);
	assert_int_equal(fit_in("mood", "public.mood", "public", "humour", "humour"), TYPE_NARROWS);
}

static void
test_other_types_clash(void **state)
{
	(void) state;
	assert_int_equal(fit("int4", "bytea"), TYPE_CLASHES);
	assert_int_equal(fit("bool", "int4"), TYPE_CLASHES);
	assert_int_equal(fit("int4", "_int4"), TYPE_CLASHES);
	assert_int_equal(fit("_int4", "int4"), TYPE_CLASHES);
	assert_int_equal(fit("mood", "int4"), TYPE_CLASHES);
}

static void
test_everything_fits_into_text(void **state)
{
	(void) state;
	assert_int_equal(fit("macaddr8", "text"), TYPE_FITS);
	assert_int_equal(fit("_int4", "text"), TYPE_FITS);
	assert_int_equal(fit("_macaddr8", "_text"), TYPE_FITS);
	assert_int_equal(fit_modified("varchar", "character varying(10)", "text", "text"), TYPE_FITS);
	assert_int_equal(fit_modified("uuid", "uuid", "varchar", "character varying(10)"), TYPE_NARROWS);
}

static void
test_modifiers_are_compared(void **state)
{
	(void) state;
	assert_int_equal(fit_modified("varchar", "character varying(10)", "varchar", "character varying(20)"),
					 TYPE_FITS);
	assert_int_equal(fit_modified("varchar", "character varying(10)", "varchar", "character varying(9)"),
					 TYPE_NARROWS);
	assert_int_equal(fit_modified("varchar", "character varying", "varchar", "character varying(9)"),
					 TYPE_NARROWS);
	assert_int_equal(fit_modified("numeric", "numeric(12,2)", "numeric", "numeric(12,2)"), TYPE_FITS);
	assert_int_equal(fit_modified("numeric", "numeric(12,2)", "numeric", "numeric(14,2)"), TYPE_FITS);
	assert_int_equal(fit_modified("numeric", "numeric(12,2)", "numeric", "numeric(12,4)"), TYPE_NARROWS);
	assert_int_equal(fit_modified("numeric", "numeric(12,2)", "numeric", "numeric"), TYPE_FITS);
	assert_int_equal(fit_modified("timestamp", "timestamp without time zone", "timestamp",
								  "timestamp(3) without time zone"),
					 TYPE_NARROWS);
	assert_int_equal(fit_modified("int4", "integer", "numeric", "numeric(4,0)"), TYPE_NARROWS);
	assert_int_equal(
		fit_in("geometry", "public.geometry(Point,4326)", "gis", "geometry", "gis.geometry(Point,4326)"),
		TYPE_FITS);
	assert_int_equal(
		fit_in("geometry", "public.geometry", "public", "geometry", "public.geometry(Point,4326)"),
		TYPE_NARROWS);
	assert_int_equal(fit_in("geometry", "public.geometry(Point)", "public", "geometry", "public.geometry"),
					 TYPE_FITS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_types_fit),			  cmocka_unit_test(test_wider_types_fit),
		cmocka_unit_test(test_narrower_types_narrow),	  cmocka_unit_test(test_other_types_clash),
		cmocka_unit_test(test_everything_fits_into_text), cmocka_unit_test(test_modifiers_are_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
