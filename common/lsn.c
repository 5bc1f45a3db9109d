#include "lsn.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HALF_MAX_DIGITS 8

char *
lsn_format(uint64_t lsn, char out[LSN_TEXT_BYTES])
{
	snprintf(out, LSN_TEXT_BYTES, "%" PRIX32 "/%" PRIX32, (uint32_t) (lsn >> 32), (uint32_t) lsn);
	return out;
}

bool
lsn_parse(const char *text, uint64_t *lsn)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	size_t high_digits = strspn(text, digits);
	const char *low_text = text + high_digits + 1;
	uint32_t high, low;
	size_t low_digits;

	if (high_digits < 1 || high_digits > HALF_MAX_DIGITS || text[high_digits] != '/')
		return false;
	low_digits = strspn(low_text, digits);
	if (low_digits < 1 || low_digits > HALF_MAX_DIGITS || low_text[low_digits] != '\0')
		return false;
	if (sscanf(text, "%" SCNx32 "/%" SCNx32, &high, &low) != 2)
		return false;
	*lsn = (uint64_t) high << 32 | low;
	return true;
}
