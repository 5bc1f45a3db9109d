/*
 * Receives the stream of a slot up to a position and throws it away: what the
 * walsender's work costs, whatever the plugin, and what goes over the wire.
 * Nothing is ever confirmed, so that the same log can be decoded again.
 *
 *	receive [-s MILLISECONDS] CONNINFO SLOT LSN [OPTION=VALUE...]
 *
 * Prints "messages N", "payload BYTES", "wire BYTES", "cpu SECONDS" (of the
 * walsender, which must run on this machine) and "seconds S"; with -s also
 * "sample KILOBYTES", the walsender's own memory, every so often.
 */
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What the protocol puts before a message: CopyData's type and length, then
 * the type, two positions and the time. */
#define COPY_HEADER 5
#define DATA_HEADER 25

struct receiver {
	PGconn *pg;
	uint64_t end;
	int sample_ms;
	double sampled;
	uint64_t messages;
	uint64_t payload_bytes;
};

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "receive: %s: %s\n", what, why);
	exit(1);
}

static double
now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* The first number after `label` in a file of the walsender's in /proc. */
static double
proc_number(const struct receiver *r, const char *name, const char *label)
{
	char path[64];
	char line[256];
	double value = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/%s", PQbackendPID(r->pg), name);
	file = fopen(path, "r");
	if (!file)
		return 0;
	while (fgets(line, sizeof line, file))
		if (strncmp(line, label, strlen(label)) == 0) {
			value = strtod(line + strlen(label), NULL);
			break;
		}
	fclose(file);
	return value;
}

static double
cpu_seconds(const struct receiver *r)
{
	return proc_number(r, "schedstat", "") / 1e9;
}

static uint64_t
parse_lsn(const char *text)
{
	char *rest;
	uint64_t high = strtoull(text, &rest, 16);

	if (*rest != '/')
		die("not an LSN", text);
	return high << 32 | strtoull(rest + 1, NULL, 16);
}

static uint64_t
big_endian(const char *bytes)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | (unsigned char) bytes[i];
	return value;
}

static void
put_big_endian(char *bytes, uint64_t value)
{
	for (int i = 7; i >= 0; i--, value >>= 8)
		bytes[i] = (char) (value & 0xFF);
}

/* Reports all as received and nothing as flushed, so that the slot keeps the log. */
static void
reply(const struct receiver *r, uint64_t received)
{
	char message[34] = {'r'};

	put_big_endian(message + 1, received);
	if (PQputCopyData(r->pg, message, sizeof message) != 1 || PQflush(r->pg) != 0)
		die("reply", PQerrorMessage(r->pg));
}

/* Whether it is a keepalive whose position shows that everything up to the end was sent before. */
static bool
take(struct receiver *r, const char *message, int len)
{
	uint64_t position;

	if (message[0] == 'w') {
		r->messages++;
		r->payload_bytes += (uint64_t) (len - DATA_HEADER);
		return false;
	}
	if (message[0] != 'k' || len < 18)
		die("protocol", "an unknown message");
	position = big_endian(message + 1);
	if (message[17])
		reply(r, position);
	return position >= r->end;
}

static void
sample(struct receiver *r)
{
	double now = now_seconds();

	if (!r->sample_ms || now - r->sampled < r->sample_ms / 1000.0)
		return;
	r->sampled = now;
	printf("sample %.0f\n", proc_number(r, "status", "RssAnon:"));
}

static void
receive(struct receiver *r)
{
	bool done = false;

	while (!done) {
		char *message;
		int len = PQgetCopyData(r->pg, &message, 1);

		if (len < 0)
			die("the stream has ended", PQerrorMessage(r->pg));
		if (len > 0) {
			done = take(r, message, len);
			PQfreemem(message);
			continue;
		}
		poll(&(struct pollfd){.fd = PQsocket(r->pg), .events = POLLIN}, 1, 1000);
		if (!PQconsumeInput(r->pg))
			die("the connection is lost", PQerrorMessage(r->pg));
		sample(r);
	}
}

static void
start(struct receiver *r, const char *slot, char **options, int count)
{
	char command[2000];
	int len = snprintf(command, sizeof command, "START_REPLICATION SLOT \"%s\" LOGICAL 0/0", slot);
	PGresult *result;

	for (int i = 0; i < count; i++) {
		const char *value = strchr(options[i], '=');

		if (!value)
			die("not OPTION=VALUE", options[i]);
		len += snprintf(command + len, sizeof command - (size_t) len, "%s \"%.*s\" '%s'", i ? "," : " (",
						(int) (value - options[i]), options[i], value + 1);
		if (len >= (int) sizeof command - 1)
			die("too many options", slot);
	}
	if (count)
		strcat(command, ")");
	result = PQexec(r->pg, command);
	if (PQresultStatus(result) != PGRES_COPY_BOTH)
		die(command, PQerrorMessage(r->pg));
	PQclear(result);
}

int
main(int argc, char **argv)
{
	struct receiver r = {0};
	double cpu;
	double begun;
	int option;

	while ((option = getopt(argc, argv, "s:")) != -1)
		r.sample_ms = (int) strtol(option == 's' ? optarg : "0", NULL, 10);
	argv += optind;
	if (argc - optind < 3)
		die("usage", "receive [-s MILLISECONDS] CONNINFO SLOT LSN [OPTION=VALUE...]");
	r.end = parse_lsn(argv[2]);
	r.pg = PQconnectdbParams((const char *const[]){"dbname", "replication", NULL},
							 (const char *const[]){argv[0], "database", NULL}, 1);
	if (PQstatus(r.pg) != CONNECTION_OK)
		die("connecting", PQerrorMessage(r.pg));
	cpu = cpu_seconds(&r);
	begun = now_seconds();
	start(&r, argv[1], argv + 3, argc - optind - 3);
	receive(&r);
	printf("messages %" PRIu64 "\npayload %" PRIu64 "\nwire %" PRIu64 "\ncpu %.4f\nseconds %.4f\n",
		   r.messages, r.payload_bytes, r.payload_bytes + r.messages * (COPY_HEADER + DATA_HEADER),
		   cpu_seconds(&r) - cpu, now_seconds() - begun);
	PQfinish(r.pg);
	return 0;
}
