/* page.html, which the daemon serves at /, included in the program. */
#ifndef SLUICE_PAGE_H
#define SLUICE_PAGE_H

#include <stddef.h>

extern const char page_html[];
extern const char page_html_end[]; /* after the last byte */

#endif
