#include "describe.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "encoding.h"

/* Which attribute of `changed` holds each attribute of `target`; 0 for none. */
static const AttrNumber *
map_attributes(Relation target, Relation changed)
{
	if (target == changed)
		return NULL;
	return compat_map_by_name(RelationGetDescr(changed), RelationGetDescr(target))->attnums;
}

static AttrNumber
mapped(const AttrNumber *map, int attnum)
{
	return map ? map[attnum - 1] : (AttrNumber) attnum;
}

static bool
is_described(Form_pg_attribute att)
{
	return !att->attisdropped && !compat_is_virtual(att);
}

/* The key columns of an index, by attribute number; NULL without an index. */
static Bitmapset *
index_columns(Oid index_oid)
{
	Relation index;
	Bitmapset *columns = NULL;

	if (!OidIsValid(index_oid))
		return NULL;
	index = RelationIdGetRelation(index_oid);
	if (!RelationIsValid(index))
		elog(ERROR, "could not open relation with OID %u", index_oid);
	for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
		columns = bms_add_member(columns, index->rd_index->indkey.values[i]);
	RelationClose(index);
	return columns;
}

static Bitmapset *
identity_columns(Relation relation)
{
	if (relation->rd_rel->relreplident == REPLICA_IDENTITY_FULL ||
		relation->rd_rel->relreplident == REPLICA_IDENTITY_NOTHING)
		return NULL;
	return index_columns(RelationGetReplicaIndex(relation));
}

static Bitmapset *
primary_columns(Relation relation)
{
	list_free(RelationGetIndexList(relation)); /* sets rd_pkindex */
	return index_columns(relation->rd_pkindex);
}

static char
kind_of_type(Oid base_type)
{
	return OidIsValid(get_element_type(base_type)) ? 'A' : get_typtype(base_type);
}

static void
name_type(struct change_column *column)
{
	HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(column->type));
	Form_pg_type form;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", column->type);
	form = (Form_pg_type) GETSTRUCT(tuple);
	column->type_schema = encoding_to_utf8(get_namespace_name(form->typnamespace));
	column->type_name = encoding_to_utf8(NameStr(form->typname));
	ReleaseSysCache(tuple);
}

static void
describe_column(struct change_column *column, Form_pg_attribute att, bool text)
{
	Oid base_type = getBaseType(att->atttypid);

	*column = (struct change_column){
		.attnum = att->attnum,
		.name = encoding_to_utf8(NameStr(att->attname)),
		.type = att->atttypid,
		.base_type = base_type,
		.typmod = att->atttypmod,
		.typtype = kind_of_type(base_type),
		.width = text ? 0 : value_width(base_type),
	};
	if (att->attnotnull)
		column->flags |= COLUMN_NOT_NULL;
	if (att->attgenerated)
		column->flags |= COLUMN_GENERATED;
	if (att->attidentity)
		column->flags |= COLUMN_IDENTITY;
	name_type(column);
}

static void
describe_columns(struct change_relation *out, Relation target, Relation changed, bool text)
{
	TupleDesc desc = RelationGetDescr(target);
	const AttrNumber *map = map_attributes(target, changed);
	Bitmapset *identity = identity_columns(changed);
	Bitmapset *primary = primary_columns(target);

	out->columns = palloc0(Max(desc->natts, 1) * sizeof *out->columns);
	for (int i = 0; i < desc->natts; i++) {
		Form_pg_attribute att = TupleDescAttr(desc, i);
		struct change_column *column = &out->columns[out->column_count];

		if (!is_described(att))
			continue;
		describe_column(column, att, text);
		if (bms_is_member(mapped(map, att->attnum), identity)) {
			column->flags |= COLUMN_KEY;
			out->key_count++;
		}
		if (bms_is_member(att->attnum, primary))
			column->flags |= COLUMN_PRIMARY;
		out->column_count++;
	}
}

void
describe_relation(struct change_relation *out, Relation target, Relation changed, bool text,
				  MemoryContext context)
{
	MemoryContext before = MemoryContextSwitchTo(context);

	*out = (struct change_relation){
		.oid = RelationGetRelid(target),
		.schema = encoding_to_utf8(get_namespace_name(RelationGetNamespace(target))),
		.name = encoding_to_utf8(RelationGetRelationName(target)),
		.identity = changed->rd_rel->relreplident,
	};
	if (text)
		out->flags |= RELATION_TEXT;
	if (target->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		out->flags |= RELATION_PARTITIONED;
	describe_columns(out, target, changed, text);
	MemoryContextSwitchTo(before);
}

bool
describe_needs_text(Relation target)
{
	TupleDesc desc = RelationGetDescr(target);

	for (int i = 0; i < desc->natts; i++)
		if (is_described(TupleDescAttr(desc, i)) && !value_is_portable(TupleDescAttr(desc, i)->atttypid))
			return true;
	return false;
}

struct column_source *
describe_sources(const struct change_relation *described, Relation target, Relation changed,
				 MemoryContext context)
{
	const AttrNumber *map = map_attributes(target, changed);
	struct column_source *sources =
		MemoryContextAllocZero(context, Max(described->column_count, 1) * sizeof *sources);

	for (unsigned i = 0; i < described->column_count; i++) {
		const struct change_column *column = &described->columns[i];

		sources[i].attribute = mapped(map, column->attnum) - 1;
		sources[i].key = column->flags & COLUMN_KEY;
		value_encoder_init(&sources[i].encoder, column->type, described->flags & RELATION_TEXT, context);
	}
	return sources;
}

static bool
columns_equal(const struct change_column *a, const struct change_column *b)
{
	return a->attnum == b->attnum && strcmp(a->name, b->name) == 0 && a->type == b->type &&
		   a->base_type == b->base_type && a->typmod == b->typmod && a->typtype == b->typtype &&
		   a->flags == b->flags && a->width == b->width && strcmp(a->type_schema, b->type_schema) == 0 &&
		   strcmp(a->type_name, b->type_name) == 0;
}

bool
describe_equal(const struct change_relation *a, const struct change_relation *b)
{
	if (a->oid != b->oid || strcmp(a->schema, b->schema) != 0 || strcmp(a->name, b->name) != 0 ||
		a->identity != b->identity || a->flags != b->flags || a->column_count != b->column_count ||
		a->leaf_count != b->leaf_count)
		return false;
	for (unsigned i = 0; i < a->column_count; i++)
		if (!columns_equal(&a->columns[i], &b->columns[i]))
			return false;
	return a->leaf_count == 0 || memcmp(a->leaves, b->leaves, a->leaf_count * sizeof *a->leaves) == 0;
}
