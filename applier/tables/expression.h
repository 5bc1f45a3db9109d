/*
 * Decides whether the destination may evaluate an expression of the source: a default, a CHECK of a
 * domain, an expression or condition of an index, an expression of a partition key. Owners of tables at
 * the source write them; at the destination they would run with the rights of sluice's user.
 *
 * So the expression is read in the form in which the server stores it (pg_attrdef.adbin and the like, as
 * text). That form names every function and operator by OID, so the search path, casts and overloading can
 * hide nothing:
 *
 *	{FUNCEXPR :funcid 871 … :args ({CONST :consttype 25 … :constvalue 5 [ 20 0 0 0 120 ]}) :location 54}
 *
 * An unknown kind of node or an unknown field refuses the whole expression, since a later server may add
 * any. Types and collations need no check: sluice makes a type only from parts that passed this same rule,
 * and any other type is the destination's own, like the types of columns.
 *
 * Nothing here asks a server: the caller finds out what the OIDs stand for (servers/vetting.h), and
 * expression_allows() decides. The trees of PostgreSQL 13 to 18 are known.
 */
#ifndef SLUICE_EXPRESSION_H
#define SLUICE_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPRESSION_REASON_MAX 320

enum expression_object { EXPRESSION_FUNCTION, EXPRESSION_OPERATOR };

/*
 * Called for every function and operator of the expression, in their order; returning false stops the
 * reading.
 */
typedef bool (*expression_visitor)(void *arg, enum expression_object object, uint32_t oid);

/*
 * Reads one tree, or a list of trees. False if the visitor returned false, which then has filled `reason`;
 * also false if the expression contains something that is not known to be harmless: then `reason` says
 * what, for a person.
 */
bool expression_read(const char *tree, expression_visitor visit, void *arg,
					 char reason[EXPRESSION_REASON_MAX]);

/*
 * Whether a function of pg_catalog that came with the server may be called, given its name and
 * pg_proc.provolatile. Immutable functions may: they depend on their arguments only and write nothing,
 * except for the listed ones. Of the other functions, only the listed ones may.
 */
bool expression_allows(const char *function, char volatility);

#endif
