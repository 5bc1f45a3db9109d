#include "filter.h"

#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parser.h"
#include "utils/memutils.h"

#include "compat.h"
#include "encoding.h"
#include "settings.h"

struct filter {
	const char *condition;
	ExprState *state;
	ExprContext *context;
	TupleTableSlot *slot;
	int *attributes; /* attributes of the changed relation that the condition uses, counted from 0 */
	int attribute_count;
	bool key_suffices; /* all of them are part of the replica identity */
	/* for messages, in the server's encoding */
	const char *schema;
	const char *table;
};

/* Where a condition finds the columns that it names. */
struct scope {
	const struct change_relation *described;
	const struct column_source *sources;
	TupleDesc changed;
};

/* ---- reading a condition */

/* The column that `column` or `table.column` names, in UTF-8.  NULL for any other reference, which the parser then refuses. */
static const char *
column_name(const ColumnRef *reference, const struct scope *scope)
{
	int count = list_length(reference->fields);

	if (count > 2 || !IsA(llast(reference->fields), String))
		return NULL;
	if (count == 2 &&
		strcmp(encoding_to_utf8(strVal(linitial(reference->fields))), scope->described->name) != 0)
		return NULL;
	return encoding_to_utf8(strVal(llast(reference->fields)));
}

static Node *
resolve_column(ParseState *pstate, ColumnRef *reference)
{
	const struct scope *scope = pstate->p_ref_hook_state;
	const char *name = column_name(reference, scope);

	for (unsigned i = 0; name && i < scope->described->column_count; i++) {
		Form_pg_attribute att;

		if (strcmp(scope->described->columns[i].name, name) != 0)
			continue;
		att = TupleDescAttr(scope->changed, scope->sources[i].attribute);
		return (Node *) makeVar(1, att->attnum, att->atttypid, att->atttypmod, att->attcollation, 0);
	}
	return NULL;
}

/* The only expression of "SELECT expression"; a statement with any further clause is refused. */
static Node *
parse_expression(const char *statement)
{
	List *statements = compat_raw_parser(statement);
	SelectStmt *select = NULL;

	if (list_length(statements) == 1)
		select = (SelectStmt *) linitial_node(RawStmt, statements)->stmt;
	if (!select || !IsA(select, SelectStmt) || list_length(select->targetList) != 1 || select->fromClause ||
		select->whereClause || select->groupClause || select->havingClause || select->windowClause ||
		select->sortClause || select->limitOffset || select->limitCount || select->lockingClause ||
		select->intoClause || select->withClause || select->distinctClause || select->op != SETOP_NONE)
		ereport(ERROR, errcode(ERRCODE_SYNTAX_ERROR), errmsg("it is not one expression"));
	return linitial_node(ResTarget, select->targetList)->val;
}

/*
 * The condition is parsed without and with parentheses around it: "a) OR (b" must not close ours.  The new line ends a
 * comment at its end.
 */
static Node *
parse(const char *condition)
{
	(void) parse_expression(psprintf("SELECT %s\n", condition));
	return parse_expression(psprintf("SELECT (%s\n)", condition));
}

static bool
is_of_users(Oid function, void *context)
{
	(void) context;
	return function >= FirstNormalObjectId;
}

/* User-defined functions may read tables, and may have been changed or dropped since the change that is decoded. */
static bool
calls_users_code(Node *node, void *context)
{
	if (!node)
		return false;
	if (IsA(node, CoerceToDomain) || check_functions_in_node(node, is_of_users, context))
		return true;
	return expression_tree_walker(node, calls_users_code, context);
}

static Expr *
analyze(const char *condition, const struct scope *scope)
{
	ParseState *pstate = make_parsestate(NULL);
	Node *expr;

	pstate->p_pre_columnref_hook = resolve_column;
	pstate->p_ref_hook_state = (void *) scope;
	/* Refuses subqueries, aggregates and the like. */
	expr = transformExpr(pstate, parse(condition), EXPR_KIND_INDEX_PREDICATE);
	expr = coerce_to_boolean(pstate, expr, "WHERE");
	assign_expr_collations(pstate, expr);
	free_parsestate(pstate);
	if (calls_users_code(expr, NULL))
		ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("it calls functions that are not built in"));
	if (contain_mutable_functions(expr))
		ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("it calls functions that are not immutable"));
	return expression_planner((Expr *) expr);
}

/* Which columns the condition uses, and whether an old key is enough for it. */
static void
note_attributes(struct filter *filter, Expr *expr, const struct scope *scope)
{
	Bitmapset *used = NULL;

	pull_varattnos((Node *) expr, 1, &used);
	filter->attributes = palloc(Max(bms_num_members(used), 1) * sizeof *filter->attributes);
	filter->key_suffices = true;
	for (unsigned i = 0; i < scope->described->column_count; i++) {
		int attribute = scope->sources[i].attribute;

		if (!bms_is_member(attribute + 1 - FirstLowInvalidHeapAttributeNumber, used))
			continue;
		filter->attributes[filter->attribute_count++] = attribute;
		filter->key_suffices = filter->key_suffices && scope->sources[i].key;
	}
}

static void
build(struct filter *filter, const char *condition, const struct scope *scope)
{
	Expr *expr = analyze(condition, scope);

	note_attributes(filter, expr, scope);
	filter->state = ExecInitExpr(expr, NULL);
	filter->context = CreateStandaloneExprContext();
	filter->slot = MakeSingleTupleTableSlot(CreateTupleDescCopy(scope->changed), &TTSOpsVirtual);
	filter->context->ecxt_scantuple = filter->slot;
	memset(filter->slot->tts_isnull, true, scope->changed->natts * sizeof(bool));
}

/* The client finds the table in these fields of the error. */
static int
name_table(const struct filter *filter)
{
	err_generic_string(PG_DIAG_SCHEMA_NAME, filter->schema);
	return err_generic_string(PG_DIAG_TABLE_NAME, filter->table);
}

/* Raises the server's error again, with the table and the condition, which its message does not name. */
static void
fail(const struct filter *filter, MemoryContext context)
{
	ErrorData *cause;

	MemoryContextSwitchTo(context);
	cause = CopyErrorData();
	/* The server catches this one itself: a transaction in progress turned out to be rolled back. */
	if (cause->sqlerrcode == ERRCODE_TRANSACTION_ROLLBACK)
		PG_RE_THROW();
	FlushErrorState();
	ereport(
		ERROR, errcode(cause->sqlerrcode),
		errmsg("the condition of %s.%s cannot be used: %s", filter->schema, filter->table, cause->message),
		errdetail("It is \"%s\".", filter->condition),
		errhint("Correct tables.overrides[].where, or the option \"filters\"."), name_table(filter));
}

struct filter *
filter_create(const char *condition, const struct change_relation *described,
			  const struct column_source *sources, TupleDesc changed, MemoryContext context)
{
	struct scope scope = {described, sources, changed};
	MemoryContext before = MemoryContextSwitchTo(context);
	struct filter *filter = palloc0(sizeof *filter);

	filter->schema = pstrdup(encoding_to_server(described->schema));
	filter->table = pstrdup(encoding_to_server(described->name));
	filter->condition = pstrdup(condition);
	/* Constants must mean the same as in the sessions that copy the table. */
	settings_pin_text();
	PG_TRY();
	{
		build(filter, condition, &scope);
	}
	PG_CATCH();
	{
		fail(filter, context);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(before);
	return filter;
}

/* ---- evaluating it */

static void
check_known(const struct filter *filter, const struct row *row, int attribute)
{
	if (!row->any_unchanged || !row->unchanged[attribute])
		return;
	ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			errmsg("the condition of %s.%s needs the column \"%s\", whose value did not change and is not in "
				   "the log",
				   filter->schema, filter->table,
				   NameStr(TupleDescAttr(filter->slot->tts_tupleDescriptor, attribute)->attname)),
			errhint("Run ALTER TABLE ... REPLICA IDENTITY FULL for it, and copy it again."),
			name_table(filter));
}

/* Adds the condition to the context of an error, such as a division by zero. */
static void
name_condition(void *arg)
{
	const struct filter *filter = arg;

	errcontext("condition \"%s\" of %s.%s", filter->condition, filter->schema, filter->table);
	errhint("Correct tables.overrides[].where so that it can be evaluated for every row.");
	(void) name_table(filter);
}

/* Unknown counts as false. */
static bool
matches(struct filter *filter, const struct row *row)
{
	TupleTableSlot *slot = ExecClearTuple(filter->slot);
	ErrorContextCallback naming = {
		.previous = error_context_stack, .callback = name_condition, .arg = filter};
	Datum result;
	bool is_null;

	for (int i = 0; i < filter->attribute_count; i++) {
		int attribute = filter->attributes[i];

		check_known(filter, row, attribute);
		slot->tts_values[attribute] = row->values[attribute];
		slot->tts_isnull[attribute] = row->nulls[attribute];
	}
	ExecStoreVirtualTuple(slot);
	/* The server's own error context adds the LSN. */
	error_context_stack = &naming;
	result = ExecEvalExprSwitchContext(filter->state, filter->context, &is_null);
	error_context_stack = naming.previous;
	ResetExprContext(filter->context);
	return !is_null && DatumGetBool(result);
}

static unsigned
update_outcome(struct filter *filter, const struct row *old, bool old_is_known, const struct row *new)
{
	bool after = matches(filter, new);
	bool before;

	if (!old_is_known)
		return after ? OPERATION_UPDATE : OPERATION_DELETE;
	before = old ? matches(filter, old) : after;
	if (after)
		return before ? OPERATION_UPDATE : OPERATION_INSERT;
	return before ? OPERATION_DELETE : 0;
}

unsigned
filter_outcome(struct filter *filter, enum operation operation, const struct row *old, bool full,
			   const struct row *new)
{
	bool old_is_known = filter->key_suffices || (full && old);

	switch (operation) {
	case OPERATION_INSERT:
		return matches(filter, new) ? OPERATION_INSERT : 0;
	case OPERATION_UPDATE:
		return update_outcome(filter, old, old_is_known, new);
	default:
		return old && old_is_known && !matches(filter, old) ? 0 : OPERATION_DELETE;
	}
}
