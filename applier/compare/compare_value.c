#include "compare_value.h"

#include <string.h>

#include "base/memory.h"
#include "base/sql.h"

static bool
is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

static bool
is_builtin(const char *schema)
{
	return strcmp(schema, "pg_catalog") == 0;
}

bool
compare_value_prints_floats(const struct compare_pair *pair)
{
	static const char *const of_extensions[] = {"cube", "_cube", "seg", "_seg", NULL};
	static const char *const strings[] = {"text", "_text", "varchar", "_varchar", "bpchar", "_bpchar", NULL};
	const struct source_column *source = pair->source;

	/* A target of a string type has the text that the source printed, which does not change any more. */
	if (is_builtin(pair->target->base_schema) && is_one_of(pair->target->base_name, strings))
		return false;
	return source->base_typtype == 'c' || source->base_typtype == 'r' ||
		   (source->element && !source->builtin) || is_one_of(source->base_name, of_extensions);
}

static bool
same_type(const struct compare_pair *pair)
{
	return strcmp(pair->source->base_schema, pair->target->base_schema) == 0 &&
		   strcmp(pair->source->base_name, pair->target->base_name) == 0;
}

/*
 * The value as the type's output function writes it.  For some built-in types a cast to text gives another text; for a
 * user-defined type it may execute a function of the type's owner, with the rights of this session.  concat() calls the
 * output function.
 */
static void
put_output(struct buffer *sql, const char *ref, const char *schema, const char *name)
{
	static const char *const cast_otherwise[] = {"bool", "bpchar", "char", "inet", "cidr", "xml", NULL};

	if (is_builtin(schema) && is_one_of(name, cast_otherwise))
		buffer_printf(sql, "CASE WHEN %s IS NOT NULL THEN concat(%s) END", ref, ref);
	else if (is_builtin(schema))
		buffer_printf(sql, "%s::text", ref);
	else /* not IS NOT NULL, which is false for a composite value whose fields are NULL */
		buffer_printf(sql, "CASE WHEN pg_column_size(%s) IS NOT NULL THEN concat(%s) END", ref, ref);
}

/* A user-defined type's value is not made by a cast, for the reason above. */
void
compare_value_put_input(struct buffer *sql, const char *ref, const struct source_column *column)
{
	if (column->builtin)
		buffer_printf(sql, "%s::%s", ref, column->base_formatted);
	else
		buffer_printf(sql, "(SELECT v FROM json_to_record(json_build_object('v', %s)) AS j (v %s))", ref,
					  column->base_formatted);
}

void
compare_value_put_source_output(struct buffer *sql, const char *ref, const struct source_column *column)
{
	put_output(sql, ref, column->base_schema, column->base_name);
}

void
compare_value_put_target_output(struct buffer *sql, const char *ref, const struct target_column *column)
{
	put_output(sql, ref, column->base_schema, column->base_name);
}

void
compare_value_put_target_shown(struct buffer *sql, const char *ref, const struct target_column *column)
{
	if (is_builtin(column->base_schema))
		buffer_printf(sql, "%s", ref);
	else
		compare_value_put_target_output(sql, ref, column);
}

/* The target's type with its modifier; for a domain, its base type. */
static void
put_target_type(struct buffer *sql, const struct target_column *target)
{
	bool domain = strcmp(target->type_schema, target->base_schema) != 0 ||
				  strcmp(target->type_name, target->base_name) != 0;

	if (domain)
		sql_qualified(sql, target->base_schema, target->base_name);
	else
		buffer_printf(sql, "%s", target->formatted);
}

/* The source's value in the target's type.  Types that differ are converted by way of text, as replication does. */
static void
put_source_value(struct buffer *sql, const char *ref, const struct compare_pair *pair)
{
	bool modified = strcmp(pair->source->base_formatted, pair->target->formatted) != 0;

	if (same_type(pair) && (!modified || !is_builtin(pair->target->base_schema))) {
		buffer_printf(sql, "%s", ref);
		return;
	}
	buffer_put_u8(sql, '(');
	if (same_type(pair))
		buffer_printf(sql, "%s", ref);
	else
		compare_value_put_source_output(sql, ref, pair->source);
	buffer_put_u8(sql, ')');
	if (!is_builtin(pair->target->base_schema))
		return;
	buffer_printf(sql, "::");
	put_target_type(sql, pair->target);
}

static void
put_target_value(struct buffer *sql, const char *ref, const struct compare_pair *pair)
{
	if (same_type(pair) || is_builtin(pair->target->base_schema))
		buffer_printf(sql, "%s", ref);
	else
		compare_value_put_target_output(sql, ref, pair->target);
}

/* The send function of types whose text depends on the server's version; NULL: the text can be compared. */
static const char *
sender(const struct compare_pair *pair)
{
	static const char *const simple[] = {"float4",	"float8", "point",	"lseg", "path", "box",
										 "polygon", "line",	  "circle", "char", NULL};
	static const char *const arrays[] = {"_float4",	 "_float8", "_point",  "_lseg", "_path", "_box",
										 "_polygon", "_line",	"_circle", "_char", NULL};
	static const char *const functions[] = {"float4send",  "float8send", "point_send", "lseg_send",
											"path_send",   "box_send",	 "poly_send",  "line_send",
											"circle_send", "charsend"};
	const char *name = pair->target->base_name;

	if (!is_builtin(pair->target->base_schema))
		return NULL;
	for (unsigned i = 0; simple[i]; i++)
		if (strcmp(name, simple[i]) == 0)
			return functions[i];
	return is_one_of(name, arrays) ? "array_send" : NULL;
}

const char *
compare_value_alias(const struct compare_plan *plan, enum compare_from from)
{
	return from == COMPARE_TARGET ? plan->table->target_name : plan->table->source.name;
}

/* Writes the qualified name of the pair's column on one side. */
static void
put_reference(struct buffer *sql, const struct compare_plan *plan, const struct compare_pair *pair,
			  enum compare_from from)
{
	sql_identifier(sql, compare_value_alias(plan, from));
	buffer_put_u8(sql, '.');
	sql_identifier(sql, from == COMPARE_TARGET ? pair->target->name : pair->source->name);
}

void
compare_value_make_reference(struct buffer *text, const struct compare_plan *plan,
							 const struct compare_pair *pair, enum compare_from from)
{
	memory_buffer_init(text);
	put_reference(text, plan, pair, from);
	buffer_put_u8(text, '\0');
}

/* The pair's value in the type that both sides are compared in. */
static void
put_common_value(struct buffer *sql, const char *ref, const struct compare_pair *pair, enum compare_from from)
{
	if (from == COMPARE_TARGET)
		put_target_value(sql, ref, pair);
	else
		put_source_value(sql, ref, pair);
}

/* The same as text. */
static void
put_common_text(struct buffer *sql, const char *ref, const struct compare_pair *pair, enum compare_from from)
{
	if (same_type(pair) && !is_builtin(pair->target->base_schema)) {
		compare_value_put_target_output(sql, ref, pair->target);
		return;
	}
	buffer_put_u8(sql, '(');
	put_common_value(sql, ref, pair, from);
	buffer_printf(sql, ")::text");
}

/*
 * Prints floats with as many digits as a destination before version 12 does.  The setting is changed around this value
 * only: floats that the target has as text were printed by the source with all digits.
 */
static void
put_rounded(struct buffer *sql, const char *ref, const struct compare_pair *pair, enum compare_from from)
{
	buffer_printf(sql, "CASE WHEN set_config('extra_float_digits', '0', true) <> '' THEN ");
	put_common_text(sql, ref, pair, from);
	buffer_printf(sql, " || left(set_config('extra_float_digits', '3', true), 0) END");
}

static bool
is_rounded(const struct compare_plan *plan, const struct compare_pair *pair, enum compare_from from)
{
	return plan->round_floats && from != COMPARE_TARGET && compare_value_prints_floats(pair);
}

static bool
is_of_builtin(const struct compare_pair *pair, const char *name)
{
	return is_builtin(pair->target->base_schema) && strcmp(pair->target->base_name, name) == 0;
}

void
compare_value_put(struct buffer *sql, const struct compare_plan *plan, const struct compare_pair *pair,
				  enum compare_from from)
{
	const char *send = sender(pair);
	bool bytes = is_of_builtin(pair, "bytea");
	/* A server in SQL_ASCII counts bytes, so that it pads char(n) with fewer blanks: as text they are none. */
	bool padded = plan->convert && is_of_builtin(pair, "bpchar");
	struct buffer ref;

	compare_value_make_reference(&ref, plan, pair, from);
	if (send) {
		buffer_printf(sql, "encode(%s(", send);
		put_common_value(sql, (const char *) ref.data, pair, from);
		buffer_printf(sql, "), 'hex')");
	} else if (bytes) {
		buffer_printf(sql, "md5("); /* the text of a bytea would be twice as long */
		put_common_value(sql, (const char *) ref.data, pair, from);
		buffer_put_u8(sql, ')');
	} else if (padded) {
		put_common_text(sql, (const char *) ref.data, pair, from);
	} else if (is_rounded(plan, pair, from)) {
		put_rounded(sql, (const char *) ref.data, pair, from);
	} else {
		put_common_value(sql, (const char *) ref.data, pair, from);
	}
	buffer_fini(&ref);
}

void
compare_value_put_text(struct buffer *sql, const struct compare_plan *plan, const struct compare_pair *pair,
					   enum compare_from from)
{
	struct buffer ref;

	if (!is_builtin(pair->target->base_schema) && !is_rounded(plan, pair, from)) {
		compare_value_make_reference(&ref, plan, pair, from);
		put_common_text(sql, (const char *) ref.data, pair, from);
		buffer_fini(&ref);
		return;
	}
	buffer_put_u8(sql, '(');
	compare_value_put(sql, plan, pair, from);
	buffer_printf(sql, ")::text");
}
