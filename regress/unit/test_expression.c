#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tables/expression.h"

/* What a tree names, in its order: "f871 o551 ". */
struct seen {
	char text[2000];
	size_t len;
};

static bool
see(void *arg, enum expression_object object, uint32_t oid)
{
	struct seen *seen = arg;

	seen->len += (size_t) snprintf(seen->text + seen->len, sizeof seen->text - seen->len, "%c%u ",
								   object == EXPRESSION_FUNCTION ? 'f' : 'o', oid);
	return seen->len < sizeof seen->text;
}

static void
assert_names(const char *tree, const char *names)
{
	char reason[EXPRESSION_REASON_MAX] = "";
	struct seen seen = {{0}, 0};

	if (!expression_read(tree, see, &seen, reason))
		fail_msg("%s: %s", tree, reason);
	assert_string_equal(seen.text, names);
}

static void
assert_refused(const char *tree, const char *why)
{
	char reason[EXPRESSION_REASON_MAX] = "";
	struct seen seen = {{0}, 0};

	if (expression_read(tree, see, &seen, reason))
		fail_msg("read: %s", tree);
	assert_string_equal(reason, why);
}

#define UNREADABLE "the form in which the server stores it cannot be read"

#define CONSTANT                                                                                             \
	"{CONST :consttype 23 :consttypmod -1 :constcollid 0 :constlen 4 :constbyval true :constisnull false "   \
	":location 33 :constvalue 4 [ 1 0 0 0 0 -1 0 0 ]}"

/* A CHECK of a domain that runs SQL, as PostgreSQL 15 stores it: xpath_exists('/a', query_to_xml('select 1', …)). */
static const char attack[] =
	"{FUNCEXPR :funcid 3050 :funcresulttype 16 :funcretset false :funcvariadic false :funcformat 0 "
	":funccollid 0 :inputcollid 100 :args ({CONST :consttype 25 :consttypmod -1 :constcollid 100 :constlen "
	"-1 "
	":constbyval false :constisnull false :location 94 :constvalue 6 [ 24 0 0 0 47 97 ]} {FUNCEXPR :funcid "
	"2924 "
	":funcresulttype 142 :funcretset false :funcvariadic false :funcformat 0 :funccollid 0 :inputcollid 100 "
	":args "
	"({CONST :consttype 25 :consttypmod -1 :constcollid 100 :constlen -1 :constbyval false :constisnull "
	"false "
	":location 113 :constvalue 12 [ 48 0 0 0 115 101 108 101 99 116 32 49 ]} {CONST :consttype 16 "
	":consttypmod -1 "
	":constcollid 0 :constlen 1 :constbyval true :constisnull true :location 124 :constvalue <>}) :location "
	"100}) "
	":location 81}";

static void
test_what_is_named(void **state)
{
	(void) state;
	assert_names(CONSTANT, "");
	assert_names(
		"{OPEXPR :opno 551 :opfuncid 177 :opresulttype 23 :opretset false :opcollid 0 :inputcollid 0 "
		":args (" CONSTANT " " CONSTANT ") :location 34}",
		"o551 f177 ");
	assert_names("{SQLVALUEFUNCTION :op 0 :type 1082 :typmod -1 :location 135}", "");
	assert_names(
		"({FUNCEXPR :funcid 870 :funcresulttype 25 :funcretset false :funcvariadic false :funcformat 0 "
		":funccollid 100 :inputcollid 100 :args ({VAR :varno 1 :varattno 2 :vartype 25 :vartypmod -1 "
		":varcollid 100 :varnullingrels (b) :varlevelsup 0 :varreturningtype 0 :varnosyn 1 :varattnosyn 2 "
		":location 28}) :location 22} {SCALARARRAYOPEXPR :opno 96 :opfuncid 65 :hashfuncid 400 :negfuncid 0 "
		":useOr true :inputcollid 0 :args <> :location 514})",
		"f870 o96 f65 f400 ");
	assert_names("{FUNCEXPR :funcid 3464 :args ({NAMEDARGEXPR :arg " CONSTANT
				 " :name :funcid\\ 2924\\} :argnumber 4 :location 8}) :location 1}",
				 "f3464 ");
	assert_names("{ROWEXPR :args (" CONSTANT ") :row_typeid 2249 :row_format 2 :colnames (\"f\\ 1\" \"\\)\") "
				 ":location -1}",
				 "");
	assert_names(attack, "f3050 f2924 ");
}

/* The server's names for nodes, of PostgreSQL 13 and 14 and of those after them, and for their fields. */
static void
test_what_is_known(void **state)
{
	static const char *const labels[] = {"ARRAY",
										 "ARRAYCOERCEEXPR",
										 "ARRAYEXPR",
										 "BOOLEANTEST",
										 "BOOLEXPR",
										 "CASE",
										 "CASEEXPR",
										 "CASETESTEXPR",
										 "CASEWHEN",
										 "COALESCE",
										 "COALESCEEXPR",
										 "COERCETODOMAIN",
										 "COLLATE",
										 "COERCETODOMAINVALUE",
										 "COERCEVIAIO",
										 "COLLATEEXPR",
										 "CONST",
										 "DISTINCTEXPR",
										 "FIELDSELECT",
										 "FUNCEXPR",
										 "MINMAX",
										 "MINMAXEXPR",
										 "NAMEDARGEXPR",
										 "NULLIFEXPR",
										 "NULLTEST",
										 "OPEXPR",
										 "RELABELTYPE",
										 "ROW",
										 "ROWEXPR",
										 "SCALARARRAYOPEXPR",
										 "VAR",
										 "WHEN",
										 "SUBSCRIPTINGREF"};
	static const char *const fields[] = {"arg",
										 "argisrow",
										 "argnumber",
										 "args",
										 "array_collid",
										 "array_typeid",
										 "boolop",
										 "booltesttype",
										 "casecollid",
										 "casetype",
										 "coalescecollid",
										 "coalescetype",
										 "coerceformat",
										 "coercionformat",
										 "collOid",
										 "collation",
										 "colnames",
										 "constbyval",
										 "constcollid",
										 "constisnull",
										 "constlen",
										 "consttype",
										 "consttypmod",
										 "defresult",
										 "element_typeid",
										 "elemexpr",
										 "elements",
										 "expr",
										 "fieldnum",
										 "funccollid",
										 "funcformat",
										 "funcresulttype",
										 "funcretset",
										 "funcvariadic",
										 "inputcollid",
										 "list_end",
										 "list_start",
										 "location",
										 "minmaxcollid",
										 "minmaxtype",
										 "multidims",
										 "name",
										 "nulltesttype",
										 "op",
										 "opcollid",
										 "opresulttype",
										 "opretset",
										 "refassgnexpr",
										 "refcollid",
										 "refelemtype",
										 "refexpr",
										 "refrestype",
										 "reflowerindexpr",
										 "reftypmod",
										 "refupperindexpr",
										 "relabelformat",
										 "result",
										 "resultcollid",
										 "resulttype",
										 "resulttypmod",
										 "row_format",
										 "row_typeid",
										 "type",
										 "typeId",
										 "typeMod",
										 "typmod",
										 "useOr",
										 "varattno",
										 "varattnosyn",
										 "varcollid",
										 "varlevelsup",
										 "varno",
										 "varnosyn",
										 "varnullingrels",
										 "vartype",
										 "vartypmod",
										 "refcontainertype",
										 "varreturningtype"};
	char tree[200];

	(void) state;
	for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
		snprintf(tree, sizeof tree, "{%s :location -1}", labels[i]);
		assert_names(tree, "");
	}
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		snprintf(tree, sizeof tree, "{CONST :%s 7}", fields[i]);
		assert_names(tree, "");
	}
	assert_names("{OPEXPR :funcid 1 :hashfuncid 2 :negfuncid 3 :opfuncid 4 :opno 5}", "f1 f2 f3 f4 o5 ");
}

static void
test_what_is_not_known(void **state)
{
	(void) state;
	assert_refused("{NEXTVALUEEXPR :seqid 16400 :typeId 23}", "sequences are not replicated");
	assert_refused("{XMLEXPR :op 1 :name foo}", "XMLEXPR is not known to be harmless");
	assert_refused("{NULLTEST :arg {SUBLINK :subselect {QUERY}}}", "SUBLINK is not known to be harmless");
	assert_refused("{AGGREF :aggfnoid 2108}", "AGGREF is not known to be harmless");
	assert_refused("{CONST :consttype 23 :aggfnoid 2108}", "aggfnoid is not known to be harmless");
	assert_refused("{FUNCEXPR :args ({QUERY :commandType 1})}", "QUERY is not known to be harmless");
	/* A call that is hidden in what looks like another field's value is none the less read. */
	assert_refused("{NAMEDARGEXPR :name x\\ {FUNCEXPR :funcid 2924}}", UNREADABLE);
	assert_names("{RELABELTYPE :location {FUNCEXPR :funcid 2924}}", "f2924 ");
}

static void
test_what_is_no_tree(void **state)
{
	static const char *const trees[] = {
		"",
		"x",
		"<>",
		"{",
		"{}",
		"{CONST",
		"{CONST}}",
		"{CONST} {CONST}",
		"({CONST}",
		"({CONST}))",
		"{CONST :consttype}",
		"{CONST consttype 23}",
		"{CONST : 23}",
		"{CONST :constvalue 4}",
		"{CONST :constvalue 4 [ 1 0",
		"{CONST :constvalue 4 [ 1 {CONST} ]}",
		"{CONST :constvalue 4 ( 1 )}",
		"{FUNCEXPR :funcid x}",
		"{FUNCEXPR :funcid -1}",
		"{FUNCEXPR :funcid 4294967296}",
		"{FUNCEXPR :funcid 99999999999999999999}",
		"{FUNCEXPR :funcid ({CONST})}",
		"{FUNCEXPR :funcid <>}",
		"{FUNCEXPR :funcid}",
	};

	(void) state;
	for (size_t i = 0; i < sizeof trees / sizeof *trees; i++)
		assert_refused(trees[i], UNREADABLE);
}

/* `levels` nodes, one within the other. */
static char *
nested(unsigned levels)
{
	static const char open[] = "{RELABELTYPE :arg ";
	char *tree = calloc(levels + 1, sizeof open + 1), *at = tree;

	assert_non_null(tree);
	for (unsigned i = 0; i < levels; i++)
		at = stpcpy(at, open);
	at = stpcpy(at, "7");
	memset(at, '}', levels);
	return tree;
}

static void
test_depth(void **state)
{
	char *fair = nested(900), *deep = nested(200000);

	(void) state;
	assert_names(fair, "");
	assert_refused(deep, "the expression is nested too deeply");
	free(fair);
	free(deep);
}

/* Whatever byte is changed, and wherever the text ends: the call is seen, or the tree is refused. */
static void
test_the_call_is_never_missed(void **state)
{
	static const char others[] = "\\{}()[]<>:\" \n01ax\x7f\xff";
	size_t at = (size_t) (strstr(attack, "2924") - attack);
	unsigned read = 0;

	(void) state;
	for (size_t i = 0; i < sizeof attack - 1; i++) {
		/* Unless the OID is another one. */
		for (size_t j = 0; (i < at || i > at + 4) && j < sizeof others - 1; j++) {
			char tree[sizeof attack], reason[EXPRESSION_REASON_MAX];
			struct seen seen = {{0}, 0};

			memcpy(tree, attack, sizeof tree);
			tree[i] = others[j];
			if (expression_read(tree, see, &seen, reason)) {
				read++;
				assert_non_null(strstr(seen.text, "f2924 "));
			}
		}
	}
	assert_true(read > 1000);
	for (size_t len = 0; len < sizeof attack - 1; len++) {
		char *tree = strndup(attack, len), reason[EXPRESSION_REASON_MAX];
		struct seen seen = {{0}, 0};

		assert_false(expression_read(tree, see, &seen, reason));
		free(tree);
	}
}

static void
test_functions(void **state)
{
	static const char *const harmless[] = {"age",
										   "clock_timestamp",
										   "date_part",
										   "extract",
										   "format",
										   "gen_random_uuid",
										   "now",
										   "random",
										   "statement_timestamp",
										   "timezone",
										   "timetz",
										   "to_char",
										   "timestamp",
										   "to_timestamp",
										   "transaction_timestamp",
										   "uuidv7",
										   "date",
										   "anytextcat",
										   "textanycat",
										   "concat_ws",
										   "array_to_string",
										   "make_timestamptz",
										   "time",
										   "timestamptz_pl_interval"};
	static const char *const harmful[] = {"query_to_xml", "table_to_xml",	  "lo_export",	"lo_import",
										  "pg_read_file", "pg_sleep",		  "set_config", "current_setting",
										  "nextval",	  "pg_notify",		  "ts_stat",	"cursor_to_xml",
										  "setval",		  "pg_advisory_lock", "",			"nows"};

	(void) state;
	for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
		assert_true(expression_allows(harmless[i], 's') && expression_allows(harmless[i], 'v'));
	for (size_t i = 0; i < sizeof harmful / sizeof *harmful; i++)
		assert_false(expression_allows(harmful[i], 's') || expression_allows(harmful[i], 'v'));
	assert_true(expression_allows("lower", 'i'));
	/* One of its variants runs SQL. */
	assert_false(expression_allows("ts_rewrite", 'i'));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_named),
		cmocka_unit_test(test_what_is_known),
		cmocka_unit_test(test_what_is_not_known),
		cmocka_unit_test(test_what_is_no_tree),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_the_call_is_never_missed),
		cmocka_unit_test(test_functions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
