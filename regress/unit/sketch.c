#include "sketch.h"

const struct sketch_type sketch_int4 = {
	.oid = 23, .width = 4, .schema = "pg_catalog", .name = "int4", .formatted = "integer"};
const struct sketch_type sketch_int8 = {
	.oid = 20, .width = 8, .schema = "pg_catalog", .name = "int8", .formatted = "bigint"};
const struct sketch_type sketch_text = {
	.oid = 25, .schema = "pg_catalog", .name = "text", .formatted = "text"};
const struct sketch_type sketch_numeric = {
	.oid = 1700, .schema = "pg_catalog", .name = "numeric", .formatted = "numeric(10,2)"};

static void
add_to_source(struct sketch *sketch, const struct sketch_column *column)
{
	unsigned at = sketch->relation.column_count++;
	bool key = column->flags & SKETCH_KEY;
	int position = 0;

	for (unsigned i = 0; i < at; i++)
		position += sketch->source[i].primary_position > 0;
	sketch->relation.key_count += key && sketch->relation.identity == 'd';
	sketch->columns[at] = (struct change_column){
		.attnum = (int16_t) (at + 1),
		.name = column->name,
		.type = column->type->oid,
		.base_type = column->type->oid,
		.typmod = -1,
		.typtype = 'b',
		.flags = key ? COLUMN_PRIMARY | COLUMN_NOT_NULL : 0,
		.width = sketch->relation.flags & RELATION_TEXT ? 0 : column->type->width,
		.type_schema = column->type->schema,
		.type_name = column->type->name,
	};
	if (key && sketch->relation.identity == 'd')
		sketch->columns[at].flags |= COLUMN_KEY;
	sketch->source[at] = (struct source_column){
		.attnum = (int) at + 1,
		.name = (char *) column->name,
		.type = column->type->oid,
		.type_schema = (char *) column->type->schema,
		.type_name = (char *) column->type->name,
		.formatted = (char *) column->type->formatted,
		.not_null = key,
		.primary_position = key ? position + 1 : 0,
	};
	sketch->table.source.column_count++;
}

static void
add_to_target(struct sketch *sketch, const struct sketch_column *column, int *distribution)
{
	const struct sketch_type *type = column->type;
	unsigned at = sketch->table.target.column_count++;

	sketch->target[at] = (struct target_column){
		.attnum = (int) at + 1,
		.name = (char *) column->name,
		.type = type->oid,
		.type_schema = (char *) type->schema,
		.type_name = (char *) type->name,
		.formatted = (char *) type->formatted,
		.base_schema = (char *) (type->base_schema ? type->base_schema : type->schema),
		.base_name = (char *) (type->base_name ? type->base_name : type->name),
		.base_typtype = type->base_typtype ? type->base_typtype : 'b',
		.equality = (char *) type->equality,
		.not_null = column->flags & SKETCH_KEY,
		.generated = column->flags & SKETCH_COMPUTED,
		.identity_always = column->flags & SKETCH_ALWAYS,
		.guarded = column->flags & SKETCH_GUARDED,
		.distribution_position = column->flags & SKETCH_DISTRIBUTES ? ++*distribution : 0,
	};
}

void
sketch_init(struct sketch *sketch, const char *schema, const char *name, char identity, bool text,
			const struct sketch_column *columns, unsigned count)
{
	int distribution = 0;

	*sketch = (struct sketch){
		.relation = {.number = 1, .oid = 16384, .schema = schema, .name = name, .identity = identity},
		.table = {.source = {.oid = 16384, .identity = identity},
				  .operations = OPERATION_INSERT | OPERATION_UPDATE | OPERATION_DELETE | OPERATION_TRUNCATE,
				  .as_text = text,
				  .target = {.exists = true, .kind = 'r'}},
	};
	sketch->relation.flags = text ? RELATION_TEXT : 0;
	sketch->relation.columns = sketch->columns;
	sketch->table.source.schema = sketch->table.target_schema = (char *) schema;
	sketch->table.source.name = sketch->table.target_name = (char *) name;
	sketch->table.source.columns = sketch->source;
	sketch->table.target.columns = sketch->target;
	for (unsigned i = 0; i < count; i++)
		if (!(columns[i].flags & SKETCH_TARGET_ONLY))
			add_to_source(sketch, &columns[i]);
	/* In another order than at the source. */
	for (unsigned i = count; i-- > 0;)
		add_to_target(sketch, &columns[i], &distribution);
}
